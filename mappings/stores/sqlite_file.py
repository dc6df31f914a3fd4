"""One SQLite file: one connection, one writer, durable before the answer."""

import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import anyio
import anyio.to_thread

from mappings.errors import StoreRefused, StoreUnavailable

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], object]

# Between the beginnings of two commits that others would have shared: each costs a sync of the disk.
GATHER_S = 0.002
# Pages of 4 KB that a file may keep free: they are written again soon.
SPARE_PAGES = 64
# Given back at a time: what others wait for meanwhile takes a few milliseconds.
STEP_PAGES = 512
# A file of an earlier version is written again, once, when it holds no more than this: it takes a moment.
REWRITTEN_PAGES = 4096
_INCREMENTAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What the file holds, for all of its users together."""

    version: int
    statements: Sequence[str]
    """Make a file of this version; each leaves what exists as it is."""
    migrations: Mapping[int, Sequence[str]]
    """What makes a file of each earlier version one of the next."""


@dataclass(slots=True)
class _Ticket:
    """One piece of work that waits for its turn, and what came of it."""

    work: Work
    finished: bool = False
    result: object = None
    error: Exception | None = None


class SqliteFile:
    """A file that this process alone may open.

    Work that arrives while other work is being made durable shares the next commit. Where there is much of it
    the next one waits a moment for more; work that comes alone never waits.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._waiting: list[_Ticket] = []
        self._turn = anyio.Lock(fast_acquire=True)
        self._begun_at = float("-inf")
        self._crowded = False
        """Whether the last commit was of several, or kept somebody waiting."""

    @classmethod
    async def open(cls, path: Path, schema: Schema) -> "SqliteFile":
        """Open or make the file.

        Raises:
            StoreRefused: It is in use by another process, damaged, from a newer version, or not writable.
        """
        return cls(await anyio.to_thread.run_sync(_connect, path, schema))

    async def do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do `work` in a transaction and return what it returned, once that is durable.

        What `work` raises on purpose, before its first write, is raised here; work of others goes on.

        Raises:
            StoreUnavailable: The file could not be written; nothing of the transaction stands in it.
        """
        ticket = _Ticket(work)
        self._waiting.append(ticket)
        async with self._turn:
            if not ticket.finished:
                await self._gather()
                batch, self._waiting = self._waiting, []
                self._begun_at = time.monotonic()
                await anyio.to_thread.run_sync(self._commit, batch)
                self._crowded = len(batch) > 1 or bool(self._waiting)
        if ticket.error is not None:
            raise ticket.error
        return cast("Result", ticket.result)

    async def _gather(self) -> None:
        wait_s = self._begun_at + GATHER_S - time.monotonic()
        if self._crowded and wait_s > 0:
            await anyio.sleep(wait_s)

    async def tidy(self) -> None:
        """Give free pages back to the file system, between the work of others.

        Raises:
            StoreUnavailable: The file could not be written; it holds what it held.
        """
        more = True
        while more:
            async with self._turn:
                more = await anyio.to_thread.run_sync(self._give_back)

    async def close(self) -> None:
        """Finish what was begun and close the file."""
        async with self._turn:
            await anyio.to_thread.run_sync(self._connection.close)

    def _commit(self, batch: Sequence[_Ticket]) -> None:
        """Do all of a batch in one transaction: each is durable, or each is told that it is not."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for ticket in batch:
                self._do(ticket)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            for ticket in batch:
                ticket.error = StoreUnavailable(f"the state file cannot be written: {error}")
        finally:
            for ticket in batch:
                ticket.finished = True

    def _give_back(self) -> bool:
        """Give some free pages back; whether there may be more."""
        try:
            if self._pragma("freelist_count") <= SPARE_PAGES:
                return False
            if self._pragma("auto_vacuum") == _INCREMENTAL:
                # Each row that is fetched is a page.
                self._connection.execute(f"PRAGMA incremental_vacuum({STEP_PAGES})").fetchall()
            elif self._pragma("page_count") - self._pragma("freelist_count") <= REWRITTEN_PAGES:
                self._connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
                self._connection.execute("VACUUM")
            else:
                return False
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the state file cannot be written: {error}") from error
        return True

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    def _do(self, ticket: _Ticket) -> None:
        try:
            ticket.result = ticket.work(self._connection)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001  # it belongs to whoever brought the work
            ticket.error = error

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _connect(path: Path, schema: Schema) -> sqlite3.Connection:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The file holds what decides over loss: nobody else needs to read or change it.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, path, schema)
        except BaseException:
            connection.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise StoreRefused(_refusal(path, error)) from error
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    # EXCLUSIVE before the first read: the lock is kept until the process ends, however it ends.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    # Holds for a file that is new; another one is as it was made.
    connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN EXCLUSIVE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > schema.version:
        raise StoreRefused(
            f"state file {path} was written by a newer version of the poller (schema {version}, this one "
            f"knows {schema.version})"
        )
    for older in range(version, schema.version) if version else ():
        for statement in schema.migrations[older]:
            connection.execute(statement)
    for statement in schema.statements:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {schema.version}")
    connection.execute("COMMIT")
    if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
        raise StoreRefused(f"state file {path} is damaged; restore it or name another one")


def _refusal(path: Path, error: Exception) -> str:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return f"state file {path} is in use by another process; each poller needs its own"
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return f"state file {path} is damaged ({error}); restore it or name another one"
    return f"state file {path} cannot be used: {error}"
