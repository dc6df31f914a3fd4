"""Leases in one SQLite file: one connection, one writer, durable before the answer."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from poller.core.leasing import Lease, checkpointed, released, renewed, taken
from poller.core.records import Position
from poller.core.timewindow import WindowState
from poller.errors import LeaseLost, StateRefused, StateUnavailable

SCHEMA_VERSION = 2
_SCHEMA = """
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
    PRIMARY KEY (mapping, shard)
) WITHOUT ROWID
"""
_COLUMNS = "mapping, shard, incarnation, parents, checkpoint, owner, epoch, counter, tumbling_window"
_PLACES = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
# What makes a file of each version one of the next.
_MIGRATIONS = {1: "ALTER TABLE leases ADD COLUMN tumbling_window TEXT"}

Work = Callable[[sqlite3.Connection], object]


@dataclass(slots=True)
class _Ticket:
    """One piece of work that waits for its turn, and what came of it."""

    work: Work
    finished: bool = False
    result: object = None
    error: Exception | None = None


class SqliteLeaseStore:
    """A lease store in a file that this process alone may open.

    Writes that arrive while another is being made durable share the next commit.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._waiting: list[_Ticket] = []
        self._turn = anyio.Lock()

    @classmethod
    async def open(cls, path: Path) -> "SqliteLeaseStore":
        """Open or make the file.

        Raises:
            StateRefused: It is in use by another process, damaged, from a newer version, or not writable.
        """
        return cls(await anyio.to_thread.run_sync(_connect, path))

    async def list(self, mapping: str) -> Sequence[Lease]:
        """All leases of a mapping, in the order of their shard ids."""
        rows = await self._do(
            lambda db: db.execute(
                f"SELECT {_COLUMNS} FROM leases WHERE mapping = ? ORDER BY shard",  # noqa: S608  # no input
                (mapping,),
            ).fetchall()
        )
        assert isinstance(rows, list)
        return [_lease(row) for row in rows]

    async def get(self, mapping: str, shard: str) -> Lease | None:
        """The lease of one shard."""
        found = await self._do(lambda db: _select(db, mapping, shard))
        assert found is None or isinstance(found, Lease)
        return found

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

    async def renew(self, lease: Lease) -> Lease:
        """Show that the owner lives."""
        return await self._change(lease, lambda stored: renewed(stored, lease))

    async def checkpoint(self, lease: Lease, position: Position, window: WindowState | None = None) -> Lease:
        """Record that everything up to `position` is finished, and what window is open there."""
        return await self._change(lease, lambda stored: checkpointed(stored, lease, position, window))

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

    async def close(self) -> None:
        """Finish what was begun and close the file."""
        async with self._turn:
            await anyio.to_thread.run_sync(self._connection.close)

    async def _change(self, lease: Lease, transition: Callable[[Lease | None], Lease]) -> Lease:
        def work(db: sqlite3.Connection) -> Lease:
            changed = transition(_select(db, lease.mapping, lease.shard))
            db.execute(f"REPLACE INTO leases ({_COLUMNS}) VALUES {_PLACES}", _row(changed))  # noqa: S608  # no input
            return changed

        changed = await self._do(work)
        assert isinstance(changed, Lease)
        return changed

    async def _do(self, work: Work) -> object:
        ticket = _Ticket(work)
        self._waiting.append(ticket)
        async with self._turn:
            if not ticket.finished:
                batch, self._waiting = self._waiting, []
                await anyio.to_thread.run_sync(self._commit, batch)
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    def _commit(self, batch: Sequence[_Ticket]) -> None:
        """Do all of a batch in one transaction: each is durable, or each is told that it is not."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for ticket in batch:
                try:
                    ticket.result = ticket.work(self._connection)
                except LeaseLost as error:  # nothing was written by it; the others go on
                    ticket.error = error
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            for ticket in batch:
                ticket.error = StateUnavailable(f"the state file cannot be written: {error}")
        finally:
            for ticket in batch:
                ticket.finished = True

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _select(db: sqlite3.Connection, mapping: str, shard: str) -> Lease | None:
    row = db.execute(
        f"SELECT {_COLUMNS} FROM leases WHERE mapping = ? AND shard = ?",  # noqa: S608  # no input
        (mapping, shard),
    ).fetchone()
    return _lease(row) if row else None


def _connect(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The file holds what decides over loss: nobody else needs to read or change it.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise StateRefused(_refusal(path, error)) from error
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # EXCLUSIVE before the first read: the lock is kept until the process ends, however it ends.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN EXCLUSIVE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise StateRefused(
            f"state file {path} was written by a newer version of the poller (schema {version}, this one "
            f"knows {SCHEMA_VERSION})"
        )
    connection.execute(_SCHEMA)
    for older in range(version, SCHEMA_VERSION) if version else ():
        connection.execute(_MIGRATIONS[older])
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")
    if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
        raise StateRefused(f"state file {path} is damaged; restore it or name another one")


def _refusal(path: Path, error: Exception) -> str:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return f"state file {path} is in use by another process; each poller needs its own"
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return f"state file {path} is damaged ({error}); restore it or name another one"
    return f"state file {path} cannot be used: {error}"


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
    )


def _lease(row: Sequence[object]) -> Lease:
    mapping, shard, incarnation, parents, checkpoint, owner, epoch, counter, window = row
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
    )
