"""Leases in the state file."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from mappings.stores.sqlite_file import SqliteFile
from poller.core.leasing import Lease, checkpointed, declined, released, requested, taken
from poller.core.records import Position
from poller.core.timewindow import WindowState
from poller.state_errors import state_errors

SCHEMA = """
CREATE TABLE IF NOT EXISTS leases (
    mapping TEXT NOT NULL,
    shard TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    parents TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    owner TEXT,
    epoch INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    tumbling_window TEXT,
    claimant TEXT,
    written_at REAL,
    PRIMARY KEY (mapping, shard)
) WITHOUT ROWID
"""
_COLUMNS = (
    "mapping, shard, incarnation, parents, checkpoint, owner, epoch, counter, tumbling_window, "
    "claimant, written_at"
)
_PLACES = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
Result = TypeVar("Result")


class SqliteLeaseStore:
    """A lease store in a file that is open already."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def mappings(self) -> Sequence[str]:
        """UUIDs of all mappings that have leases."""
        found = await self._do(
            lambda db: db.execute("SELECT DISTINCT mapping FROM leases ORDER BY mapping").fetchall()
        )
        return [str(mapping) for (mapping,) in found]

    async def list(self, mapping: str) -> Sequence[Lease]:
        """All leases of a mapping, in the order of their shard ids."""
        rows = await self._do(
            lambda db: db.execute(
                f"SELECT {_COLUMNS} FROM leases WHERE mapping = ? ORDER BY shard",  # noqa: S608  # no input
                (mapping,),
            ).fetchall()
        )
        return [_lease(row) for row in rows]

    async def get(self, mapping: str, shard: str) -> Lease | None:
        """The lease of one shard."""
        return await self._do(lambda db: _select(db, mapping, shard))

    async def create(self, leases: Sequence[Lease]) -> None:
        """Add leases, all in one write; one that exists is left as it is."""
        await self._do(
            lambda db: db.executemany(
                f"INSERT OR IGNORE INTO leases ({_COLUMNS}) VALUES {_PLACES}",  # noqa: S608  # no input
                [_row(lease) for lease in leases],
            )
        )

    async def take(self, lease: Lease, owner: str) -> Lease:
        """Become the owner of a lease seen at this epoch and counter."""
        return await self._change(lease, lambda stored: taken(stored, lease, owner))

    async def request(self, lease: Lease, claimant: str) -> None:
        """Ask the owner of a lease seen at this epoch and counter to give it up."""
        await self._change(lease, lambda stored: requested(stored, lease, claimant))

    async def decline(self, lease: Lease) -> None:
        """Keep a lease that somebody asked for."""
        await self._change(lease, lambda stored: declined(stored, lease))

    async def checkpoint(self, lease: Lease, position: Position, window: WindowState | None = None) -> Lease:
        """Record that everything up to `position` is finished, and what window is open there."""
        now = time.time()
        return await self._change(
            lease, lambda stored: replace(checkpointed(stored, lease, position, window), written_at=now)
        )

    async def release(self, lease: Lease) -> None:
        """Give a lease up."""
        await self._change(lease, lambda stored: released(stored, lease))

    async def delete(self, leases: Sequence[Lease]) -> None:
        """Forget leases, all in one write."""
        await self._do(
            lambda db: db.executemany(
                "DELETE FROM leases WHERE mapping = ? AND shard = ?",
                [(lease.mapping, lease.shard) for lease in leases],
            )
        )

    async def clear(self, mapping: str) -> None:
        """Forget all leases of a mapping."""
        await self._do(lambda db: db.execute("DELETE FROM leases WHERE mapping = ?", (mapping,)))

    async def close(self) -> None:
        """The file belongs to whoever opened it."""

    async def _change(self, lease: Lease, transition: Callable[[Lease | None], Lease]) -> Lease:
        def work(db: sqlite3.Connection) -> Lease:
            changed = transition(_select(db, lease.mapping, lease.shard))
            db.execute(f"REPLACE INTO leases ({_COLUMNS}) VALUES {_PLACES}", _row(changed))  # noqa: S608  # no input
            return changed

        return await self._do(work)

    async def _do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with state_errors():
            return await self._file.do(work)


def _select(db: sqlite3.Connection, mapping: str, shard: str) -> Lease | None:
    row = db.execute(
        f"SELECT {_COLUMNS} FROM leases WHERE mapping = ? AND shard = ?",  # noqa: S608  # no input
        (mapping, shard),
    ).fetchone()
    return _lease(row) if row else None


def _row(lease: Lease) -> tuple[object, ...]:
    return (
        lease.mapping,
        lease.shard,
        lease.incarnation,
        " ".join(lease.parents),  # shard ids hold no blanks
        str(lease.checkpoint),
        lease.owner,
        lease.epoch,
        lease.counter,
        None if lease.window is None else str(lease.window),
        lease.claimant,
        lease.written_at,
    )


def _lease(row: Sequence[object]) -> Lease:
    mapping, shard, incarnation, parents, checkpoint, owner, epoch, counter, window, claimant, written_at = (
        row
    )
    return Lease(
        mapping=str(mapping),
        shard=str(shard),
        incarnation=str(incarnation),
        checkpoint=Position.parse(str(checkpoint)),
        parents=tuple(str(parents).split()),
        owner=None if owner is None else str(owner),
        epoch=int(str(epoch)),
        counter=int(str(counter)),
        window=None if window is None else WindowState.parse(str(window)),
        claimant=None if claimant is None else str(claimant),
        written_at=None if written_at is None else float(str(written_at)),
    )
