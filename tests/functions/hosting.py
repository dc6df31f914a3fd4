"""What the tests of the function host share: the fixtures' types, and looking at processes."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import orjson

from poller.core.outcomes import FunctionError, Outcome, Succeeded
from poller.functions.definition import FunctionDefinition
from poller.functions.host import FunctionHost

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:audit"
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
PATIENCE_S = 20.0

Define = Callable[..., FunctionDefinition]
Start = Callable[..., Awaitable[FunctionHost]]


async def result(host: FunctionHost, event: object = None, *, request_id: str = REQUEST_ID) -> object:
    """What the function returned."""
    outcome = await host.invoke(orjson.dumps(event), request_id=request_id)
    assert isinstance(outcome, Succeeded), outcome
    return orjson.loads(outcome.payload)


async def failure(host: FunctionHost, event: object = None, *, request_id: str = REQUEST_ID) -> FunctionError:
    """How the function failed."""
    outcome: Outcome = await host.invoke(orjson.dumps(event), request_id=request_id)
    assert isinstance(outcome, FunctionError), outcome
    return outcome


def lives(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


async def until(fact: Callable[[], bool]) -> None:
    """Look until it is so."""
    with anyio.fail_after(PATIENCE_S):
        while not fact():  # noqa: ASYNC110 - the fact is one of another process
            await anyio.sleep(0.005)


async def number_in(path: Path) -> int:
    """The number that a handler writes there, in time, followed by a full stop."""
    await until(lambda: _text(path).endswith("."))
    return int(_text(path)[:-1])


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
