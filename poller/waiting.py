"""Waits that can be woken: signals, and the drain that wakes them all. And turns, for who has much to do."""

import asyncio
import weakref
from collections.abc import Callable
from itertools import count
from math import inf


class Signal:
    """Something has changed; whoever waits looks again.

    There is no await between looking and waiting, so no change is missed. Made of bare futures and timers:
    every batch waits here twice, and a thousand idle shards do each second.
    """

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], None] = {}  # in the order of their coming

    def set(self) -> None:
        """Wake everyone who waits now."""
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            for future in waiting:
                _wake(future)

    async def wait(self, timeout_s: float | None = None) -> None:
        """Return at the next `set`, or after `timeout_s`."""
        if timeout_s is not None and timeout_s <= 0:
            return
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting[future] = None
        timer = None if timeout_s is None else loop.call_later(timeout_s, _wake, future)
        try:
            await future
        finally:
            self._waiting.pop(future, None)
            if timer is not None:
                timer.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Signals:
    """Signals that are set together, each for as long as somebody holds it."""

    def __init__(self) -> None:
        self._numbers = count()
        # Ordered, so that the order of waking does not depend on memory addresses.
        self._signals: weakref.WeakValueDictionary[int, Signal] = weakref.WeakValueDictionary()

    def add(self, signal: Signal) -> None:
        """Set this one too."""
        self._signals[next(self._numbers)] = signal

    def set(self) -> None:
        """Wake everyone who waits for any of them."""
        for signal in list(self._signals.values()):
            signal.set()


class Turns:
    """Lets one after the other go on, each in a round of the event loop of its own.

    Many answers of megabytes may arrive at once: taken in one after the other without a pause, they would
    keep everything else waiting for as long as all of them take.
    """

    def __init__(self) -> None:
        self._taken = asyncio.Lock()

    async def take(self) -> None:
        """Wait for a turn, which lasts until the next await."""
        await self._taken.acquire()
        asyncio.get_running_loop().call_soon(self._taken.release)


class Drain:
    """Whether this process, or one mapping of it, is ending. Requested once, never taken back."""

    def __init__(self, deadline: Callable[[], float] = lambda: inf) -> None:
        """Make a drain.

        Args:
            deadline: Tells when a drain that begins now has to be over, in monotonic seconds.
        """
        self.requested = False
        self.deadline = inf
        """When all that runs is cut off, in monotonic seconds, once draining has begun."""
        self._deadline = deadline
        self._numbers = count()
        self._signals = Signals()
        self._parts: weakref.WeakValueDictionary[int, Drain] = weakref.WeakValueDictionary()
        self._begun = self.signal()

    def part(self) -> "Drain":
        """Make a drain for a part of what this one ends: it may be requested before, and is with it."""
        part = Drain()
        part.requested = self.requested
        part.deadline = self.deadline
        self._parts[next(self._numbers)] = part
        return part

    def signal(self) -> Signal:
        """Make a signal that is also set when draining begins."""
        signal = Signal()
        self._signals.add(signal)
        return signal

    def request(self) -> None:
        """Begin to drain; doing so twice is fine."""
        if not self.requested:
            self.deadline = min(self.deadline, self._deadline())
        self.requested = True
        for part in list(self._parts.values()):
            part.deadline = min(part.deadline, self.deadline)
            part.request()
        self._signals.set()

    async def sleep(self, seconds: float) -> None:
        """Wait until draining begins, at most `seconds`."""
        if not self.requested:
            await self._begun.wait(seconds)

    async def wait(self) -> None:
        """Wait until draining begins."""
        if not self.requested:
            await self._begun.wait()
