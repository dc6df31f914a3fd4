"""The reserved concurrency of one function: who may run now, who waits in which line, and for how long."""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

import anyio


class Line(Enum):
    """Who waits for whom: in each line the first comes first, and the lines take turns."""

    DELIVERIES = auto()
    """Batches of mappings and queued events: kept here, and worth a wait."""
    CALLERS = auto()
    """Clients of the Invoke API: told at once that they are too many."""


# Shorter than the default visibility timeout of a queue by far: a batch that is refused can still be tried
# again before its messages appear elsewhere.
DELIVERY_PATIENCE_S = 10.0
# A caller waits only for what deliveries hold. At the next change it is its turn.
CALLER_PATIENCE_S = 1.0


@dataclass(slots=True, eq=False)
class _Waiter:
    """One who waits."""

    line: Line
    woken: anyio.Event = field(default_factory=anyio.Event)
    granted: bool = False


class Slots:
    """As many slots as the function may have invocations at once.

    AWS keeps nobody waiting. Here a mapping's next batch would always be faster than a caller who asks only
    now and then: so that neither starves the other, deliveries and callers wait in lines that take turns.
    """

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._limit = limit
        self._held = dict.fromkeys(Line, 0)
        self._lines: dict[Line, deque[_Waiter]] = {line: deque() for line in Line}
        self._served = Line.CALLERS
        """The line that had the last turn."""

    async def take(self, line: Line, patience_s: float) -> bool:
        """Take a slot, waiting for one up to `patience_s`; False where there was none."""
        if self._free:
            self._free -= 1
            self._held[line] += 1
            return True
        # With a limit of 0 there is nothing to wait for.
        if not self._limit or patience_s <= 0 or not self._may_wait(line):
            return False
        waiter = _Waiter(line)
        self._lines[line].append(waiter)
        try:
            with anyio.move_on_after(patience_s):
                await waiter.woken.wait()
        except BaseException:
            self._leave(waiter)
            raise
        if not waiter.granted:
            self._lines[line].remove(waiter)
        return waiter.granted

    def free(self, line: Line) -> None:
        """Give a slot back, or on to whose turn it is."""
        self._held[line] -= 1
        waiter = self._next()
        if waiter is None:
            self._free += 1
            return
        self._held[waiter.line] += 1
        waiter.granted = True
        waiter.woken.set()

    def _may_wait(self, line: Line) -> bool:
        return line is Line.DELIVERIES or self._held[Line.DELIVERIES] > 0

    def _next(self) -> _Waiter | None:
        first, second = (line for line in sorted(Line, key=lambda line: line is self._served))
        line = first if self._lines[first] else second
        if not self._lines[line]:
            return None
        self._served = line
        return self._lines[line].popleft()

    def _leave(self, waiter: _Waiter) -> None:
        """Go away without having run."""
        if waiter.granted:
            self.free(waiter.line)
        else:
            self._lines[waiter.line].remove(waiter)
