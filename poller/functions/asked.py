"""What somebody wants a hosted function to be run with."""

from collections.abc import Callable
from dataclasses import dataclass, field

from poller.core.log_tail import LogTail
from poller.functions.definition import LATEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One invocation of a hosted function."""

    payload: bytes = field(repr=False)
    request_id: str
    function_arn: str
    """What the caller calls the function, and the handler's context shows."""
    version: str = LATEST
    client_context: str = ""
    """JSON for the handler's context."""
    trace_id: str = ""
    """X-Ray's trace header; empty for a trace of its own."""
    start: Callable[[], None] | None = field(default=None, repr=False, compare=False)
    """Called right before the event is handed to a process; see `Invocation.start`."""
    tail: LogTail | None = field(default=None, repr=False, compare=False)
    """Takes what the invocation prints."""
