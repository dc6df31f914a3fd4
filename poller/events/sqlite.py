"""Events in the state file, beside the leases and mappings."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from mappings.errors import StoreUnavailable
from mappings.stores.sqlite_file import SqliteFile
from poller.core.async_events import QueuedEvent
from poller.errors import EventLost, StateUnavailable
from poller.events.queue import QueueFull, QueueLimits, Room
from poller.events.stored_form import from_text, to_text

# Read in this order: by line, the longest due first.
SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    request_id TEXT NOT NULL PRIMARY KEY,
    line TEXT NOT NULL,
    due_at REAL NOT NULL,
    progress TEXT NOT NULL,
    payload BLOB NOT NULL,
    response_payload BLOB
)
"""
INDEX = "CREATE INDEX IF NOT EXISTS events_due ON events (line, due_at)"
Result = TypeVar("Result")


@dataclass(slots=True)
class _Held:
    """What the file holds; counted once, then kept up."""

    events: int
    payload_bytes: int


class SqliteEventQueue:
    """A queue in a file that is open already, and that this process alone may open.

    So it is known here, and need not be written, which events are taken: none at the start.
    """

    def __init__(self, file: SqliteFile, limits: QueueLimits | None = None) -> None:
        self._file = file
        self._limits = limits or QueueLimits()
        self._taken: set[str] = set()
        self._held: _Held | None = None

    async def add(self, event: QueuedEvent) -> None:
        """Accept an event."""

        def work(db: sqlite3.Connection) -> None:
            held = self._count(db)
            size = len(event.payload)
            if held.events >= self._limits.events or held.payload_bytes + size > self._limits.payload_bytes:
                raise QueueFull
            held.events += 1
            held.payload_bytes += size
            db.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, NULL)",
                (event.request_id, event.line, event.due_at, to_text(event), event.payload),
            )

        await self._do(work)

    async def take(self, room: Room, *, now: float) -> Sequence[QueuedEvent]:
        """Take events that are due."""
        found: list[QueuedEvent] = []

        def work(db: sqlite3.Connection) -> None:
            for line in _lines(db):
                found.extend(self._due(db, line, room(line), now))
            self._taken.update(event.request_id for event in found)

        try:
            await self._do(work)
        except BaseException:
            self._taken.difference_update(event.request_id for event in found)
            raise
        return found

    async def update(self, event: QueuedEvent) -> None:
        """Write how far an event is."""
        response = None if event.response is None else event.response.payload
        found = await self._do(
            lambda db: (
                db.execute(
                    "UPDATE events SET line = ?, due_at = ?, progress = ?, response_payload = ? "
                    "WHERE request_id = ?",
                    (event.line, event.due_at, to_text(event), response, event.request_id),
                ).rowcount
            )
        )
        if not found:
            raise EventLost(f"event {event.request_id} is gone")

    async def put_back(self, event: QueuedEvent) -> None:
        """Write how far an event is, and let go of it."""
        with suppress(EventLost):
            await self.update(event)
        self._taken.discard(event.request_id)

    async def remove(self, event: QueuedEvent) -> None:
        """Forget an event."""

        def work(db: sqlite3.Connection) -> None:
            held = self._count(db)
            removed = db.execute("DELETE FROM events WHERE request_id = ?", (event.request_id,)).rowcount
            held.events -= removed
            held.payload_bytes -= removed * len(event.payload)

        await self._do(work)
        self._taken.discard(event.request_id)

    async def inherit(self) -> int:
        """Whoever opens the file has them all."""
        return 0

    def _due(self, db: sqlite3.Connection, line: str, room: int, now: float) -> list[QueuedEvent]:
        ids: list[str] = []
        if room > 0:
            found = db.execute(
                "SELECT request_id FROM events WHERE line = ? AND due_at <= ? ORDER BY due_at", (line, now)
            )
            free = (request_id for (request_id,) in found if request_id not in self._taken)
            ids = list(islice(free, room))
        return [_select(db, request_id) for request_id in ids]

    def _count(self, db: sqlite3.Connection) -> _Held:
        if self._held is None:
            row = db.execute("SELECT COUNT(*), COALESCE(SUM(LENGTH(payload)), 0) FROM events").fetchone()
            self._held = _Held(*row)
        return self._held

    async def _do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            return await self._file.do(work)
        except StoreUnavailable as error:
            # What was counted in the transaction is no longer true.
            self._held = None
            raise StateUnavailable(str(error)) from error


def _lines(db: sqlite3.Connection) -> list[str]:
    return [line for (line,) in db.execute("SELECT DISTINCT line FROM events").fetchall()]


def _select(db: sqlite3.Connection, request_id: str) -> QueuedEvent:
    due_at, progress, payload, response = db.execute(
        "SELECT due_at, progress, payload, response_payload FROM events WHERE request_id = ?", (request_id,)
    ).fetchone()
    return from_text(progress, payload=payload, response_payload=response, due_at=due_at)
