"""Events in the state file, beside the leases and mappings."""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TypeVar

from mappings.errors import StoreUnavailable
from mappings.stores.sqlite_file import SqliteFile
from poller.core.async_events import QueuedEvent
from poller.errors import EventLost, StateUnavailable
from poller.events.queue import QueueLimits, Room, Serves
from poller.events.stored_form import from_text, to_text
from poller.events.use import Listed, QueueUse

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
# An event is due as long after the start as it had to wait when it was written, or earlier: the clock of the
# process before may have been ahead. One that does not say how long waits as long as any does.
_ADOPT = """
UPDATE events SET due_at = :now + COALESCE(json_extract(progress, '$.wait_s'), 300)
WHERE due_at > :now + COALESCE(json_extract(progress, '$.wait_s'), 300)
"""
_COUNT = """
SELECT json_extract(progress, '$.function'), COUNT(*),
       SUM(LENGTH(payload) + COALESCE(LENGTH(response_payload), 0))
FROM events GROUP BY 1
"""
Result = TypeVar("Result")


class SqliteEventQueue:
    """A queue in a file that is open already, and that this process alone may open.

    So it is known here, and need not be written, which events are taken: none at the start.
    """

    durable = True

    def __init__(self, file: SqliteFile, limits: QueueLimits | None = None, listed: Listed = tuple) -> None:
        """Make a queue; `listed` says which functions have a part of its limits."""
        self._file = file
        self._limits = limits or QueueLimits()
        self._listed = listed
        self._taken: set[str] = set()
        self._adopted = False
        self._use: QueueUse | None = None
        """What the file holds; counted once, then kept up."""

    @property
    def held(self) -> int:
        """As counted."""
        return 0 if self._use is None else self._use.events

    async def time(self) -> float | None:
        """A file has no clock."""
        return None

    async def add(self, event: QueuedEvent) -> None:
        """Accept an event."""

        def work(db: sqlite3.Connection) -> None:
            use = self._counted(db)
            use.require(event.function, len(event.payload))
            use.add(event.function, events=1, kept_bytes=len(event.payload))
            db.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, NULL)",
                (event.request_id, event.line, event.due_at, to_text(event), event.payload),
            )

        await self._do(work)

    async def take(self, room: Room, *, now: float) -> Sequence[QueuedEvent]:
        """Take events that are due."""
        found: list[QueuedEvent] = []

        def work(db: sqlite3.Connection) -> None:
            if not self._adopted:
                db.execute(_ADOPT, {"now": now})
            for line in _lines(db):
                found.extend(self._due(db, line, room(line), now))
            self._taken.update(event.request_id for event in found)

        try:
            await self._do(work)
        except BaseException:
            self._taken.difference_update(event.request_id for event in found)
            raise
        self._adopted = True
        return found

    async def update(self, event: QueuedEvent) -> None:
        """Write how far an event is."""
        response = None if event.response is None else event.response.payload

        def work(db: sqlite3.Connection) -> bool:
            use, before = self._counted(db), _size(db, event.request_id)
            if before is None:
                return False
            db.execute(
                "UPDATE events SET line = ?, due_at = ?, progress = ?, response_payload = ? "
                "WHERE request_id = ?",
                (event.line, event.due_at, to_text(event), response, event.request_id),
            )
            after = len(event.payload) + len(response or b"")
            use.add(event.function, kept_bytes=after - before)
            return True

        if not await self._do(work):
            raise EventLost(f"event {event.request_id} is gone")

    async def put_back(self, event: QueuedEvent) -> bool:
        """Write how far an event is, and let go of it."""
        found = True
        try:
            await self.update(event)
        except EventLost:
            found = False
        self._taken.discard(event.request_id)
        return found

    async def pass_on(self, event: QueuedEvent) -> bool:
        """Nobody else may open the file."""
        return await self.put_back(event)

    async def remove(self, event: QueuedEvent) -> bool:
        """Forget an event."""

        def work(db: sqlite3.Connection) -> bool:
            use, size = self._counted(db), _size(db, event.request_id)
            if size is None:
                return False
            use.add(event.function, events=-1, kept_bytes=-size)
            db.execute("DELETE FROM events WHERE request_id = ?", (event.request_id,))
            return True

        removed = await self._do(work)
        self._taken.discard(event.request_id)
        return removed

    def left(self) -> Sequence[QueuedEvent]:
        """The file keeps all."""
        return ()

    async def tidy(self) -> None:
        """Let the file shrink to what it holds."""
        try:
            await self._file.tidy()
        except StoreUnavailable as error:
            raise StateUnavailable(str(error)) from error

    async def inherit(self, serves: Serves, *, now: float, by_store: bool) -> int:  # noqa: ARG002  # any
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

    def _counted(self, db: sqlite3.Connection) -> QueueUse:
        if self._use is None:
            self._use = QueueUse(self._limits, self._listed)
            for function, events, size in db.execute(_COUNT).fetchall():
                self._use.add(function, events=events, kept_bytes=size)
        return self._use

    async def _do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            return await self._file.do(work)
        except StoreUnavailable as error:
            # What was counted in the transaction is no longer true.
            self._use = None
            raise StateUnavailable(str(error)) from error


def _lines(db: sqlite3.Connection) -> list[str]:
    return [line for (line,) in db.execute("SELECT DISTINCT line FROM events").fetchall()]


def _size(db: sqlite3.Connection, request_id: str) -> int | None:
    """How much an event takes up; None where it is gone."""
    row = db.execute(
        "SELECT LENGTH(payload) + COALESCE(LENGTH(response_payload), 0) FROM events WHERE request_id = ?",
        (request_id,),
    ).fetchone()
    return None if row is None else int(row[0])


def _select(db: sqlite3.Connection, request_id: str) -> QueuedEvent:
    due_at, progress, payload, response = db.execute(
        "SELECT due_at, progress, payload, response_payload FROM events WHERE request_id = ?", (request_id,)
    ).fetchone()
    return from_text(progress, payload=payload, response_payload=response, due_at=due_at)
