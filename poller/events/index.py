"""Which events this worker has and when they are due: looked at all the time, so it is kept in memory."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from poller.core.async_events import Response
from poller.events.queue import QueueLimits, Room
from poller.events.use import Listed, QueueUse


@dataclass(slots=True, kw_only=True)
class Entry:
    """What is known of one event without reading it."""

    line: str
    function: str
    due_ms: int
    """Epoch milliseconds, by the event clock of this process."""
    kept_bytes: int
    """Of its payload and its response."""
    payload_parts: str
    """Names of what is kept beside its item."""
    response_parts: str
    response: Response | None = field(default=None, repr=False)
    """What the item holds of it, while the event is taken."""
    spare: str = ""
    """Parts that may have been written and that the item no longer names."""
    taken: bool = False


class EventIndex:
    """The events of one worker under one name."""

    def __init__(self, limits: QueueLimits, listed: Listed = tuple) -> None:
        self._use = QueueUse(limits, listed)
        self._entries: dict[str, Entry] = {}
        self._lines: dict[str, list[tuple[int, str]]] = {}
        """When events of a line are due, the earliest first; out of date where the entry says otherwise."""

    @property
    def events(self) -> int:
        """How many there are."""
        return len(self._entries)

    @property
    def taken(self) -> set[str]:
        """Events that are with a taker."""
        return {request_id for request_id, entry in self._entries.items() if entry.taken}

    def get(self, request_id: str) -> Entry | None:
        """One event; None where it is not this worker's."""
        return self._entries.get(request_id)

    def reserve(self, function: str, payload_bytes: int) -> None:
        """Make room for an event that is being written. Raises QueueFull."""
        self._use.require(function, payload_bytes)
        self._use.add(function, events=1, kept_bytes=payload_bytes)

    def release(self, function: str, payload_bytes: int) -> None:
        """Give up what was reserved."""
        self._use.add(function, events=-1, kept_bytes=-payload_bytes)

    def add(self, request_id: str, entry: Entry) -> None:
        """Take in an event, whatever the limits: it was accepted."""
        if request_id not in self._entries:
            self._entries[request_id] = entry
            self._use.add(entry.function, events=1, kept_bytes=entry.kept_bytes)
            self._wait(request_id, entry)

    def drop(self, request_id: str) -> None:
        """Forget an event."""
        entry = self._entries.pop(request_id, None)
        if entry is not None:
            self._use.add(entry.function, events=-1, kept_bytes=-entry.kept_bytes)

    def resize(self, entry: Entry, kept_bytes: int) -> None:
        """An event of this worker takes up more, or less."""
        self._use.add(entry.function, kept_bytes=kept_bytes - entry.kept_bytes)
        entry.kept_bytes = kept_bytes

    def take(self, room: Room, now_ms: float) -> Sequence[str]:
        """Take events that are due: of each line up to its room, the longest due first."""
        return [
            request_id for line in list(self._lines) for request_id in self._take(line, room(line), now_ms)
        ]

    def let_go(self, request_id: str) -> None:
        """Let an event that was taken be taken again."""
        entry = self._entries.get(request_id)
        if entry is not None:
            self.put_back(request_id, entry.line, entry.due_ms)

    def put_back(self, request_id: str, line: str, due_ms: int) -> None:
        """Let go of an event, which is due then."""
        entry = self._entries.get(request_id)
        if entry is not None:
            entry.line, entry.due_ms, entry.taken, entry.response = line, due_ms, False, None
            self._wait(request_id, entry)

    def _take(self, line: str, room: int, now_ms: float) -> Iterator[str]:
        waiting = self._lines[line]
        while waiting and room > 0 and waiting[0][0] <= now_ms:
            due_ms, request_id = heapq.heappop(waiting)
            entry = self._entries.get(request_id)
            if entry is not None and not entry.taken and (entry.line, entry.due_ms) == (line, due_ms):
                entry.taken = True
                room -= 1
                yield request_id
        if not waiting:
            del self._lines[line]

    def _wait(self, request_id: str, entry: Entry) -> None:
        heapq.heappush(self._lines.setdefault(entry.line, []), (entry.due_ms, request_id))
