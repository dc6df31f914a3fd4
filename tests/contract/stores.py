"""The state stores of every kind, empty: in memory, in a file, and in a table of AWS's own DynamoDB Local."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mappings.stores.dynamodb import DynamoDbMappingStore
from mappings.stores.dynamodb_table import Table
from mappings.stores.event_invoke_dynamodb import DynamoDbEventInvokeConfigStore
from poller.aws import Aws
from poller.events.dynamodb import DynamoDbEvents
from poller.events.shared import SharedEventQueue
from poller.leases.dynamodb import DynamoDbLeaseStore
from poller.leases.dynamodb_members import DynamoDbMemberStore, open_fleet
from poller.state import State, open_state
from poller.table import make_table
from poller.table_address import TableAddress
from tests.conftest import unique

REGION = "ddblocal"
TABLE = TableAddress(table="contract", region=REGION)


@asynccontextmanager
async def state_of(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[State]:
    """The stores of one kind."""
    if request.param == "dynamodb":
        request.getfixturevalue("dynamodb")
        async with Aws() as aws:
            yield await _state(await fleet_table(aws))
        return
    url = "memory://" if request.param == "memory" else f"sqlite:///{folder / 'state.db'}"
    async with open_state(url) as state:
        yield state


async def fleet_table(aws: Aws) -> Table:
    """A namespace of its own in a table that all tests share."""
    await make_table(TABLE, aws, None)
    client = await aws.client("dynamodb", REGION)
    return Table(client, TABLE.table, unique("fleet"))


async def _state(table: Table) -> State:
    members = DynamoDbMemberStore(beats=table, scans=table, incarnation=await open_fleet(table))
    leases = DynamoDbLeaseStore(writes=table, scans=table)
    return State(
        leases=leases,
        mappings=DynamoDbMappingStore(table, members.mappings_changed),
        events=lambda fleet, listed: SharedEventQueue(DynamoDbEvents(table), fleet, None, listed),
        event_invoke_configs=DynamoDbEventInvokeConfigStore(table),
        members=members,
    )
