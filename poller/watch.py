"""Notices what takes too long and says what it waits for: an enabled lane never stands still in silence."""

from contextlib import AbstractContextManager
from itertools import count

from poller.core.outcomes import Outcome
from poller.counts import Counts
from poller.interfaces import Clock, Invocation, Target
from poller.telemetry import Meter
from poller.waiting import Drain

LIMIT_S = 60.0
LOOK_S = 10.0

FUNCTION = "the function"
GROUP = "an invocation with the same message group"
MEMORY = "room in the byte budget"
_PROBLEM = "PROBLEM: no progress for over a minute: waiting for "


class Watch:
    """The waits of one mapping: since when, and for what."""

    def __init__(self, clock: Clock, meter: Meter) -> None:
        self._clock = clock
        self._meter = meter
        self._numbers = count()
        self._waits: dict[int, tuple[str, float]] = {}

    def waiting_for(self, reason: str) -> AbstractContextManager[None]:
        """Watch what happens inside."""
        return _Wait(self._waits, next(self._numbers), (reason, self._clock.monotonic()))

    async def run(self, drain: Drain) -> None:
        """Look until draining begins."""
        while not drain.requested:
            await drain.sleep(LOOK_S)
            self._look()

    def _look(self) -> None:
        limit = self._clock.monotonic() - LIMIT_S
        overdue = {reason for reason, since in self._waits.values() if since <= limit}
        for reason in (FUNCTION, GROUP, MEMORY):
            if reason in overdue:
                self._meter.problem(_PROBLEM + reason, shard=reason)
            else:
                self._meter.working(shard=reason)


class _Wait:
    """One wait; not a generator's context, because every batch passes several."""

    __slots__ = ("_number", "_wait", "_waits")

    def __init__(self, waits: dict[int, tuple[str, float]], number: int, wait: tuple[str, float]) -> None:
        self._waits = waits
        self._number = number
        self._wait = wait

    def __enter__(self) -> None:
        self._waits[self._number] = self._wait

    def __exit__(self, *details: object) -> None:
        del self._waits[self._number]


class WatchedTarget:
    """A target whose invocations are watched, and counted while they are under way."""

    def __init__(self, target: Target, watch: Watch, counts: Counts) -> None:
        self._target = target
        self._counts = counts
        self._watch = watch

    async def ready(self) -> bool:
        """Ask the target."""
        return await self._target.ready()

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Invoke the target."""
        self._counts.invocations += 1
        try:
            with self._watch.waiting_for(FUNCTION):
                return await self._target.invoke(invocation)
        finally:
            self._counts.invocations -= 1

    async def close(self) -> None:
        """Close the target."""
        await self._target.close()
