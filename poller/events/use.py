"""What a queue holds of each function, and whether one more event fits: each function has a part of its own.

Half of each limit is divided evenly among the functions that are listed; the other half is for whoever comes
first. So a function whose events pile up never takes the part that others have not used yet.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping

from poller.events.queue import QueueFull, QueueLimits

Listed = Callable[[], Collection[str]]
"""The functions that files list, by their bare names."""


class QueueUse:
    """Events and bytes held, by function."""

    def __init__(self, limits: QueueLimits, listed: Listed) -> None:
        self._limits = limits
        self._listed = listed
        self._events: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    @property
    def events(self) -> int:
        """How many are held."""
        return self._events.total()

    def require(self, function: str, size_bytes: int) -> None:
        """Raise QueueFull where an event of a function does not fit."""
        listed = self._listed()
        for held, size, limit in (
            (self._events, 1, self._limits.events),
            (self._bytes, size_bytes, self._limits.kept_bytes),
        ):
            if not fits(held, function, size, limit=limit, listed=listed):
                most = max(held, key=held.__getitem__, default=function)
                raise QueueFull(most, self._events[most], self._bytes[most])

    def add(self, function: str, *, events: int = 0, kept_bytes: int = 0) -> None:
        """Count what came, or (below zero) went."""
        self._events[function] += events
        self._bytes[function] += kept_bytes
        if not self._events[function]:
            del self._events[function], self._bytes[function]


def fits(held: Mapping[str, int], function: str, size: int, *, limit: int, listed: Collection[str]) -> bool:
    """Whether a limit has room: all of it for a function that holds nothing, else what others do not need.

    Args:
        held: By function.
        function: Whose event it is.
        size: Of the event, in the unit of the limit.
        limit: Of all functions together.
        listed: Functions with a part of their own.
    """
    total = sum(held.values()) + size
    if total > limit or not held.get(function):
        return total <= limit
    part = limit / (2 * max(len(listed), 1))
    unused = sum(max(part - held.get(other, 0), 0.0) for other in listed if other != function)
    return total + unused <= limit
