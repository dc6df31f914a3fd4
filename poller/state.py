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
from poller.aws import Aws
from poller.errors import StateRefused
from poller.interfaces import LeaseStore, MemberStore
from poller.leases.memory import MemoryLeaseStore
from poller.leases.sqlite import SCHEMA as LEASES
from poller.leases.sqlite import SqliteLeaseStore
from poller.table import open_table
from poller.table_address import TableAddress

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
    members: MemberStore | None = None
    """The workers that share these stores; None where there is only this one."""


@asynccontextmanager
async def open_state(url: str, *, aws: Aws | None = None, region: str | None = None) -> AsyncIterator[State]:
    """Open what a `POLLER_STATE` names, and close it.

    Args:
        url: What it names.
        aws: Whose clients a table is reached by.
        region: Where a table is, unless its address says so.

    Raises:
        StateRefused: It cannot be used as it is.
    """
    if url.startswith("dynamodb://"):
        assert aws is not None
        stores = await open_table(TableAddress.parse(url), aws, region)
        yield State(leases=stores.leases, mappings=stores.mappings, members=stores.members)
        return
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
