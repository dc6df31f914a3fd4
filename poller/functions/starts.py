"""When processes may be started: few at once over all functions, and those that failed not again at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from poller.core.backoff import Backoff
from poller.core.outcomes import FunctionError, Unreachable

# Importing keeps a core busy: more at once would only make each take longer.
STARTS_AT_ONCE = 4
# A start that takes longer waits for something rather than computes, and others are not to wait for that too.
TURN_S = 3.0
# Each try of a handler that cannot be imported costs the start of an interpreter.
START_BACKOFF = Backoff(first_s=0.5, cap_s=30.0)

StartFailure = Callable[[str], FunctionError | Unreachable]
"""What a start that failed is to the invocation with this request id."""


class Starts:
    """The starts of one poller. Waiters are served first in, first out."""

    def __init__(self, *, at_once: int = STARTS_AT_ONCE, turn_s: float = TURN_S) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._turn_s = turn_s

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place and hold it while inside, for `turn_s` at most."""
        await self._places.acquire()
        place = [self._places]

        def give_back() -> None:
            if place:
                place.pop().release()

        over = asyncio.get_running_loop().call_later(self._turn_s, give_back)
        try:
            yield
        finally:
            over.cancel()
            give_back()


class FailedStarts:
    """Whether the processes of one function can be started, as far as the last tries have shown."""

    def __init__(self) -> None:
        self._failure: StartFailure | None = None
        self._failures = 0
        self._failed_at = 0.0
        self._next_at = 0.0
        self._trying = False
        self._changed = anyio.Event()

    @property
    def failure(self) -> StartFailure | None:
        """How the last start failed, while no other is to be made; None where one may be made."""
        waiting = self._trying or anyio.current_time() < self._next_at
        return self._failure if waiting else None

    async def changed(self) -> None:
        """Wait until another start may be made, or one has ended."""
        changed = self._changed
        # While one is being made only its end is waited for.
        wait_s = None if self._trying else self._next_at - anyio.current_time()
        with anyio.move_on_after(wait_s):
            await changed.wait()

    def begin(self) -> float:
        """A start is made; returns its moment, for `failed`."""
        self._trying = True
        return anyio.current_time()

    def failed(self, failure: StartFailure, *, begun_at: float) -> float:
        """A start has failed; returns the seconds until the next one may be made."""
        self._failure = failure
        now = anyio.current_time()
        # Those that were made beside each other have failed once.
        if not self._failures or begun_at > self._failed_at:
            self._failures += 1
            self._failed_at = now
            self._next_at = now + START_BACKOFF.delay(self._failures)
        self.end()
        return max(self._next_at - now, 0.0)

    def succeeded(self) -> None:
        """A start was successful: what failed before counts no longer."""
        self._failure = None
        self._failures = 0
        self._next_at = 0.0
        self.end()

    def end(self) -> None:
        """A start is over; those who wait look again."""
        self._trying = False
        self._changed.set()
        self._changed = anyio.Event()
