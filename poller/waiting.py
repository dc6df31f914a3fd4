"""Waits that can be woken: signals, and the drain that wakes them all."""

import weakref
from itertools import count

import anyio


class Signal:
    """Something has changed; whoever waits looks again.

    There is no await between looking and waiting, so no change is missed.
    """

    def __init__(self) -> None:
        self._event: anyio.Event | None = None  # made by who waits: it costs far more than to set it

    def set(self) -> None:
        """Wake everyone who waits now."""
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self, timeout_s: float | None = None) -> None:
        """Return at the next `set`, or after `timeout_s`."""
        event = self._event = self._event or anyio.Event()
        if timeout_s is None:
            await event.wait()
        elif timeout_s > 0:
            with anyio.move_on_after(timeout_s):
                await event.wait()


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


class Drain:
    """Whether this process, or one mapping of it, is ending. Requested once, never taken back."""

    def __init__(self) -> None:
        self.requested = False
        self._numbers = count()
        self._signals = Signals()
        self._parts: weakref.WeakValueDictionary[int, Drain] = weakref.WeakValueDictionary()
        self._begun = self.signal()

    def part(self) -> "Drain":
        """Make a drain for a part of what this one ends: it may be requested before, and is with it."""
        part = Drain()
        part.requested = self.requested
        self._parts[next(self._numbers)] = part
        return part

    def signal(self) -> Signal:
        """Make a signal that is also set when draining begins."""
        signal = Signal()
        self._signals.add(signal)
        return signal

    def request(self) -> None:
        """Begin to drain; doing so twice is fine."""
        self.requested = True
        for part in list(self._parts.values()):
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
