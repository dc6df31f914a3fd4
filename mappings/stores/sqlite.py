"""Mappings in the state file, beside the leases."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from mappings.errors import AlreadyMapped, StoreUnavailable, VersionChanged
from mappings.store import StoredMapping
from mappings.stored_form import from_text, to_text
from mappings.stores.sqlite_file import SqliteFile

SCHEMA = """
CREATE TABLE IF NOT EXISTS mappings (
    uuid TEXT NOT NULL PRIMARY KEY,
    event_source_arn TEXT NOT NULL,
    function_arn TEXT NOT NULL,
    version INTEGER NOT NULL,
    last_processing_result TEXT NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (event_source_arn, function_arn)
) WITHOUT ROWID
"""
_COLUMNS = "document, version, last_processing_result"


class SqliteMappingStore:
    """A mapping store in a file that is open already."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def get(self, uuid: str) -> StoredMapping | None:
        """One mapping."""
        return await self._file.do(lambda db: _select(db, uuid))

    async def list(self) -> Sequence[StoredMapping]:
        """All mappings, in their order."""
        rows = await self._file.do(lambda db: db.execute(f"SELECT {_COLUMNS} FROM mappings").fetchall())  # noqa: S608  # no input
        return sorted(map(_stored, rows), key=lambda stored: stored.order)

    async def add(self, stored: StoredMapping) -> None:
        """Add a mapping."""

        def work(db: sqlite3.Connection) -> None:
            _refuse_second(db, stored)
            if _select(db, stored.uuid) is not None:
                raise AlreadyMapped(stored.uuid)
            _insert(db, stored)

        await self._file.do(work)

    async def replace(self, changed: StoredMapping) -> StoredMapping:
        """Put a mapping in the place of the version it carries."""

        def work(db: sqlite3.Connection) -> StoredMapping:
            seen = _at_version(db, changed)
            _refuse_second(db, changed)
            written = replace(
                changed, version=changed.version + 1, last_processing_result=seen.last_processing_result
            )
            _insert(db, written)
            return written

        return await self._file.do(work)

    async def remove(self, stored: StoredMapping) -> None:
        """Remove a mapping."""

        def work(db: sqlite3.Connection) -> None:
            _at_version(db, stored)
            db.execute("DELETE FROM mappings WHERE uuid = ?", (stored.uuid,))

        await self._file.do(work)

    async def report(self, uuid: str, last_processing_result: str) -> None:
        """Keep what came of the last batch."""
        await self._file.do(
            lambda db: db.execute(
                "UPDATE mappings SET last_processing_result = ? WHERE uuid = ?",
                (last_processing_result, uuid),
            )
        )


def _select(db: sqlite3.Connection, uuid: str) -> StoredMapping | None:
    row = db.execute(f"SELECT {_COLUMNS} FROM mappings WHERE uuid = ?", (uuid,)).fetchone()  # noqa: S608  # no input
    return _stored(row) if row else None


# All mappings are listed after each change of one, and all but that one read as they did before.
@lru_cache(maxsize=10_000)
def _stored(row: tuple[str, int, str]) -> StoredMapping:
    text, version, result = row
    try:
        return from_text(text, version=version, last_processing_result=result)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreUnavailable(f"a mapping in the state file cannot be read: {error}") from error


def _at_version(db: sqlite3.Connection, seen: StoredMapping) -> StoredMapping:
    found = _select(db, seen.uuid)
    if found is None or found.version != seen.version:
        raise VersionChanged(seen.uuid)
    return found


def _refuse_second(db: sqlite3.Connection, stored: StoredMapping) -> None:
    other = db.execute(
        "SELECT uuid FROM mappings WHERE event_source_arn = ? AND function_arn = ? AND uuid != ?",
        (*stored.mapping.link, stored.uuid),
    ).fetchone()
    if other:
        raise AlreadyMapped(other[0])


def _insert(db: sqlite3.Connection, stored: StoredMapping) -> None:
    db.execute(
        "REPLACE INTO mappings VALUES (?, ?, ?, ?, ?, ?)",
        (
            stored.uuid,
            *stored.mapping.link,
            stored.version,
            stored.last_processing_result,
            to_text(stored),
        ),
    )
