"""What a POLLER_STATE names: the one place where all that must survive is kept."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from mappings.errors import StoreRefused
from mappings.event_invoke import EventInvokeConfigStore
from mappings.store import MappingStore
from mappings.stores.event_invoke_memory import MemoryEventInvokeConfigStore
from mappings.stores.event_invoke_sqlite import SCHEMA as EVENT_INVOKE_CONFIGS
from mappings.stores.event_invoke_sqlite import SqliteEventInvokeConfigStore
from mappings.stores.memory import MemoryMappingStore
from mappings.stores.sqlite import SCHEMA as MAPPINGS
from mappings.stores.sqlite import SqliteMappingStore
from mappings.stores.sqlite_file import Schema, SqliteFile
from poller.aws import Aws
from poller.errors import StateRefused
from poller.events.memory import MemoryEventQueue
from poller.events.queue import EventQueue, QueueLimits
from poller.events.shared import SharedEventQueue
from poller.events.sqlite import INDEX as EVENTS_INDEX
from poller.events.sqlite import SCHEMA as EVENTS
from poller.events.sqlite import SqliteEventQueue
from poller.events.use import Listed
from poller.fleet import Fleet
from poller.interfaces import LeaseStore, MemberStore
from poller.leases.memory import MemoryLeaseStore
from poller.leases.sqlite import SCHEMA as LEASES
from poller.leases.sqlite import SqliteLeaseStore
from poller.table import open_table
from poller.table_address import TableAddress

SCHEMA = Schema(
    version=5,
    statements=(LEASES, MAPPINGS, EVENTS, EVENTS_INDEX, EVENT_INVOKE_CONFIGS),
    migrations={
        1: ("ALTER TABLE leases ADD COLUMN tumbling_window TEXT",),
        2: (),
        3: (),
        4: (
            "ALTER TABLE leases ADD COLUMN claimant TEXT",
            "ALTER TABLE leases ADD COLUMN written_at REAL",
        ),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The stores of one process."""

    leases: LeaseStore
    mappings: MappingStore
    events: Callable[[Fleet, Listed], EventQueue]
    """Makes the queue of this process, once its place among the workers and its functions are known."""
    event_invoke_configs: EventInvokeConfigStore
    members: MemberStore | None = None
    """The workers that share these stores; None where there is only this one."""


@asynccontextmanager
async def open_state(
    url: str,
    queue_limits: QueueLimits | None = None,
    *,
    aws: Aws | None = None,
    region: str | None = None,
) -> AsyncIterator[State]:
    """Open what a `POLLER_STATE` names, and close it.

    Args:
        url: What it names.
        queue_limits: What the queue of asynchronous events may hold.
        aws: Whose clients a table is reached by.
        region: Where a table is, unless its address says so.

    Raises:
        StateRefused: It cannot be used as it is.
    """
    if url.startswith("dynamodb://"):
        assert aws is not None
        stores = await open_table(TableAddress.parse(url), aws, region)
        yield State(
            leases=stores.leases,
            mappings=stores.mappings,
            events=lambda fleet, listed: SharedEventQueue(stores.events, fleet, queue_limits, listed),
            event_invoke_configs=stores.event_invoke_configs,
            members=stores.members,
        )
        return
    if url == "memory://":
        yield State(
            leases=MemoryLeaseStore(),
            mappings=MemoryMappingStore(),
            events=lambda _, listed: MemoryEventQueue(queue_limits, listed),
            event_invoke_configs=MemoryEventInvokeConfigStore(),
        )
        return
    file = await open_file(Path(url.removeprefix("sqlite:///")))
    try:
        yield State(
            leases=SqliteLeaseStore(file),
            mappings=SqliteMappingStore(file),
            events=lambda _, listed: SqliteEventQueue(file, queue_limits, listed),
            event_invoke_configs=SqliteEventInvokeConfigStore(file),
        )
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
