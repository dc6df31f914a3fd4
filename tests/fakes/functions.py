"""A function: runs, fails, refuses, hangs, and loses its answers; what it ran is in the history."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
import orjson

from poller.core.outcomes import FunctionError, LostReply, Outcome, Succeeded, Throttled, Unreachable
from poller.interfaces import Clock, Invocation
from tests.fakes.events import Seen, read_event
from tests.fakes.faults import FaultKind, Faults
from tests.fakes.history import Answered, History, Invoked, Refused

# All of these are complete success (semantics 2.4.3, 3.8.3) ...
SUCCESSES = (b"", b"null", b"{}", b"[]", b'""', b'{"batchItemFailures":[]}', b'{"batchItemFailures":null}')
# ... and all of these fail the whole batch.
INVALIDS = (
    b"not json",
    b'"text"',
    b'{"batchItemFailures":"all"}',
    b'{"batchItemFailures":[{"itemIdentifier":""}]}',
    b'{"batchItemFailures":[{"itemIdentifier":null}]}',
    b'{"batchItemFailures":[{"id":"0"}]}',
    b'{"batchItemFailures":[{"itemIdentifier":"of no record"}]}',
    b'{"batchItemFailures":[{}]}',
)


@dataclass(slots=True, kw_only=True)
class FakeFunction:
    """A function that every process of a run invokes."""

    place: str
    clock: Clock
    history: History
    faults: Faults
    chance: random.Random
    reports_failures: bool = False
    """Whether it answers with batchItemFailures where it can."""
    timeout_s: float = 30.0
    duration_s: float = 1.0
    """It runs for up to this long."""
    poison: set[str] = field(default_factory=set)
    """Records it fails on."""
    concurrency: int | None = None
    """Invocations that run at once: more are refused; None for any number."""
    running: int = 0
    _number: int = 0

    def cure(self) -> None:
        """From now on it fails on nothing."""
        self.poison.clear()

    def strikes(self, kind: FaultKind) -> bool:
        """Whether this invocation suffers `kind`."""
        return self.faults.strike(self.place, kind)

    def number(self) -> int:
        """Of the next invocation."""
        self._number += 1
        return self._number


class FakeTarget:
    """The function as one process invokes it."""

    def __init__(self, function: FakeFunction, *, process: str = "") -> None:
        self._function = function
        self._process = process

    async def ready(self) -> bool:
        """Whether it is there."""
        await anyio.lowlevel.checkpoint()
        return not self._function.strikes(FaultKind.FUNCTION_NOT_READY)

    async def close(self) -> None:
        """Nothing is held."""

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Run once."""
        function = self._function
        await anyio.sleep(function.chance.random() * 0.05)
        seen = read_event(invocation.payload)
        records = tuple(entry.record for entry in seen)
        refusal = self._refusal()
        if refusal is not None:
            now = function.clock.monotonic()
            function.history.add(Refused(now, function.place, self._process, invocation.request_id, records))
            return refusal
        if function.strikes(FaultKind.FUNCTION_BUG):
            raise RuntimeError(f"{function.place}: nobody foresaw this")
        if invocation.start is not None:
            invocation.start()
        number = function.number()
        function.history.add(
            Invoked(
                function.clock.monotonic(),
                function.place,
                self._process,
                number,
                invocation.request_id,
                records,
                tuple(entry.receives for entry in seen),
            )
        )
        function.running += 1
        try:
            return await self._run(number, seen)
        finally:
            function.running -= 1

    def _refusal(self) -> Outcome | None:
        function = self._function
        if function.concurrency is not None and function.running >= function.concurrency:
            return Throttled(reserved=True)
        if function.strikes(FaultKind.FUNCTION_THROTTLED):
            return Throttled(retry_after_s=function.chance.choice((None, 1.0)))
        if function.strikes(FaultKind.FUNCTION_UNREACHABLE):
            return Unreachable(reason="refused", status_code=function.chance.choice((None, 403, 404, 503)))
        return None

    async def _run(self, number: int, seen: Sequence[Seen]) -> Outcome:
        function = self._function
        seconds = function.chance.random() * function.duration_s
        if function.strikes(FaultKind.FUNCTION_SLOW):
            seconds += function.chance.random() * function.timeout_s
        hangs = function.strikes(FaultKind.FUNCTION_HANGS)
        lost = function.strikes(FaultKind.FUNCTION_LOST_REPLY)
        await anyio.sleep(function.timeout_s if hangs else min(seconds, function.timeout_s))
        if lost:
            return self._answer(number, "lost", LostReply(reason="connection reset"))
        if hangs or seconds > function.timeout_s:
            return self._answer(number, "timeout", FunctionError(error_type="Sandbox.Timedout"))
        return self._finish(number, seen)

    def _finish(self, number: int, seen: Sequence[Seen]) -> Outcome:
        function = self._function
        chance = function.chance
        if function.strikes(FaultKind.FUNCTION_ERROR):
            return self._answer(number, "error", FunctionError(error_type="Oops"))
        if function.strikes(FaultKind.FUNCTION_INVALID):
            return self._answer(number, "invalid", Succeeded(payload=chance.choice(INVALIDS)))
        failed = [entry for entry in seen if entry.record in function.poison]
        if function.strikes(FaultKind.FUNCTION_PARTIAL):
            failed += chance.sample(seen, chance.randint(1, len(seen)))
        if not failed:
            return self._answer(number, "ok", Succeeded(payload=chance.choice(SUCCESSES)))
        if not function.reports_failures:
            return self._answer(number, "error", FunctionError(error_type="Poison"))
        body = {"batchItemFailures": [{"itemIdentifier": entry.identifier} for entry in failed]}
        names = tuple(entry.record for entry in failed)
        return self._answer(number, "partial", Succeeded(payload=orjson.dumps(body)), names)

    def _answer(self, number: int, answer: str, outcome: Outcome, failed: tuple[str, ...] = ()) -> Outcome:
        function = self._function
        function.history.add(
            Answered(function.clock.monotonic(), function.place, self._process, number, answer, failed)
        )
        return outcome
