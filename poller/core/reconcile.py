"""What is to be done so that the mappings that run are those that are wanted. Nothing here does it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mappings.functions import Function
from mappings.model import EventSourceMapping
from mappings.store import StoredMapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A mapping as this worker runs it now."""

    mapping: EventSourceMapping
    function: Function
    settled: bool
    """Whether it polls, or has said for a while why it cannot."""
    stopping: bool
    """Whether it was told to stop, and has not ended yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Begin to run it."""

    stored: StoredMapping
    function: Function


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Let it end at a batch boundary."""

    uuid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Its State comes to rest."""

    stored: StoredMapping


Step = Start | Stop | Settle


def reconcile(
    stored: Sequence[StoredMapping],
    running: Mapping[str, Running],
    functions: Mapping[str, Function | None],
) -> Iterator[Step]:
    """Yield what is to be done now; what has to wait is seen again after the next change.

    Args:
        stored: All mappings, as they are wanted.
        running: Those that run here, by UUID.
        functions: What each stored mapping invokes, by UUID; None where its function is no longer there.
    """
    for each in stored:
        function = functions[each.uuid]
        wanted = each.wanted and function is not None
        runs = running.get(each.uuid)
        if runs is None:
            if each.wanted and function is not None:
                yield Start(stored=each, function=function)
            elif not each.state.is_settled:
                yield Settle(stored=each)
        elif not runs.stopping:
            if not wanted or runs.mapping != each.mapping or runs.function != function:
                yield Stop(uuid=each.uuid)
            elif runs.settled and not each.state.is_settled:
                yield Settle(stored=each)
    for uuid in running.keys() - {each.uuid for each in stored}:
        if not running[uuid].stopping:
            yield Stop(uuid=uuid)
