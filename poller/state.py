"""What a POLLER_STATE names: the one place where leases and mappings are kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from mappings.errors import StoreRefused
from mappings.store import MappingStore
from mappings.stores.memory import MemoryMappingStore
from mappings.stores.sqlite import SCHEMA as MAPPINGS
from mappings.stores.sqlite import SqliteMappingStore
from mappings.stores.sqlite_file import Schema, SqliteFile
from poller.errors import StateRefused
from poller.interfaces import LeaseStore
from poller.leases.memory import MemoryLeaseStore
from poller.leases.sqlite import SCHEMA as LEASES
from poller.leases.sqlite import SqliteLeaseStore

SCHEMA = Schema(
    version=4,
    statements=(LEASES, MAPPINGS),
    migrations={
        1: ("ALTER TABLE leases ADD COLUMN tumbling_window TEXT",),
        2: (),
        3: ("ALTER TABLE leases ADD COLUMN claimant TEXT",),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The stores of one process."""

    leases: LeaseStore
    mappings: MappingStore


@asynccontextmanager
async def open_state(url: str) -> AsyncIterator[State]:
    """Open what a `POLLER_STATE` names, and close it.

    Raises:
        StateRefused: It cannot be used as it is.
    """
    if url == "memory://":
        yield State(leases=MemoryLeaseStore(), mappings=MemoryMappingStore())
        return
    file = await open_file(Path(url.removeprefix("sqlite:///")))
    try:
        yield State(leases=SqliteLeaseStore(file), mappings=SqliteMappingStore(file))
    finally:
        with anyio.CancelScope(shield=True):
            await file.close()


async def open_file(path: Path) -> SqliteFile:
    """Open a state file.

    Raises:
        StateRefused: It is in use by another process, damaged, from a newer version, or not writable.
    """
    try:
        return await SqliteFile.open(path, SCHEMA)
    except StoreRefused as error:
        raise StateRefused(str(error)) from error
