"""The reserved concurrency of one function: who runs now, who waits in which line, and for how long."""

from collections import deque
from dataclasses import dataclass, field
from typing import ClassVar

import anyio

from mappings.function_options import MAXIMUM_TIMEOUT_S
from poller.interfaces import Invocation


@dataclass(frozen=True, slots=True)
class Line:
    """A line of claimants: in each line the first comes first, and the lines take turns."""

    name: str
    patience_s: float
    """How long a claimant waits for a slot."""
    CALLERS: ClassVar["Line"]
    """Clients of the Invoke API: told at once that they are too many."""
    EVENTS: ClassVar["Line"]
    """Queued events."""
    DELIVERIES: ClassVar["Line"]
    """Batches, where nobody says of which mapping."""

    @classmethod
    def of(cls, invocation: Invocation) -> "Line":
        """Return the line of an invocation; each mapping has one of its own."""
        if invocation.by_caller:
            return cls.CALLERS
        return cls.of_mapping(invocation.mapping) if invocation.mapping else cls.EVENTS

    @classmethod
    def of_mapping(cls, mapping: str) -> "Line":
        """Return the line of a mapping's batches."""
        return cls(f"mapping {mapping}", DELIVERY_PATIENCE_S)


# Shorter than the default visibility timeout of a queue by far: a batch that is refused can still be tried
# again before its messages appear elsewhere.
DELIVERY_PATIENCE_S = 10.0
# A caller waits only for what deliveries hold. At the next change it is its turn.
CALLER_PATIENCE_S = 1.0
# An event has no visibility timeout, and a refusal would postpone it for longer and longer. Its turn comes
# after one run of every other line.
EVENT_PATIENCE_S = float(MAXIMUM_TIMEOUT_S)
Line.CALLERS = Line("callers", CALLER_PATIENCE_S)
Line.EVENTS = Line("events", EVENT_PATIENCE_S)
Line.DELIVERIES = Line("deliveries", DELIVERY_PATIENCE_S)


@dataclass(slots=True, eq=False)
class _Waiter:
    """A claimant that waits."""

    line: Line
    woken: anyio.Event = field(default_factory=anyio.Event)
    granted: bool = False


class Slots:
    """As many slots as the function may have invocations at once.

    AWS keeps nobody waiting. Here a mapping's next batch would always be faster than a caller who asks only
    now and then, or an event that was refused once: so that none starves another, they wait in lines that
    take turns.
    """

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._limit = limit
        self._callers = 0
        """Slots that callers hold."""
        self._lines: dict[Line, deque[_Waiter]] = {}
        """Lines in which somebody waits."""
        self._turns = 0
        self._last_turn: dict[Line, int] = {}

    async def take(self, line: Line, patience_s: float) -> bool:
        """Take a slot, waiting for one up to `patience_s`; False where there was none."""
        if self._free:
            self._free -= 1
            self._hold(line)
            return True
        # With a limit of 0 there is nothing to wait for.
        if not self._limit or patience_s <= 0 or not self._may_wait(line):
            return False
        waiter = _Waiter(line)
        self._lines.setdefault(line, deque()).append(waiter)
        try:
            with anyio.move_on_after(patience_s):
                await waiter.woken.wait()
        except BaseException:
            self._leave(waiter)
            raise
        if not waiter.granted:
            self._give_up(waiter)
        return waiter.granted

    def free(self, line: Line) -> None:
        """Give a slot back, or on to the line whose turn it is."""
        self.answered(line)
        self.release()

    def answered(self, line: Line) -> None:
        """A claimant has its answer; its slot is not free before what ran in it runs no longer.

        The next caller waits for that: whoever calls one after the other is never too many.
        """
        self._callers -= line is Line.CALLERS

    def release(self) -> None:
        """What ran in a slot runs no longer: the slot is free, or that of the line whose turn it is."""
        waiter = self._next()
        if waiter is None:
            self._free += 1
            return
        self._hold(waiter.line)
        waiter.granted = True
        waiter.woken.set()

    def _hold(self, line: Line) -> None:
        self._callers += line is Line.CALLERS
        self._turns += 1
        self._last_turn[line] = self._turns

    def _may_wait(self, line: Line) -> bool:
        return line is not Line.CALLERS or self._callers < self._limit

    def _next(self) -> _Waiter | None:
        """Take the first waiter of the line whose last turn was longest ago."""
        if not self._lines:
            return None
        line = min(self._lines, key=lambda line: self._last_turn.get(line, 0))
        waiter = self._lines[line][0]
        self._give_up(waiter)
        return waiter

    def _give_up(self, waiter: _Waiter) -> None:
        waiting = self._lines[waiter.line]
        waiting.remove(waiter)
        if not waiting:
            del self._lines[waiter.line]

    def _leave(self, waiter: _Waiter) -> None:
        """Go away without having run."""
        if waiter.granted:
            self.free(waiter.line)
        else:
            self._give_up(waiter)
