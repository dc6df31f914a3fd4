"""What a member store in a table adds to the contract of all member stores: it knows its table."""

import pytest

from mappings.stores.dynamodb_table import Table
from poller.aws import Aws
from poller.errors import StateRefused
from poller.leases.dynamodb_members import FLEET, PARTITION, DynamoDbMemberStore, open_fleet
from poller.state import open_state
from tests.contract.stores import REGION


async def test_a_table_that_was_replaced_is_refused(table: Table) -> None:
    """Its positions are others: to go on would lose records, or deliver them again, in silence."""
    store = DynamoDbMemberStore(beats=table, scans=table, incarnation=await open_fleet(table))
    await table.delete(PARTITION, FLEET)
    with pytest.raises(StateRefused, match="another one than it was"):
        await store.members()

    await open_fleet(table)
    with pytest.raises(StateRefused, match="another one than it was"):
        await store.members()


async def test_a_table_of_a_newer_version_is_refused(aws: Aws, table: Table) -> None:
    """A downgrade must not write what others do not read."""
    await table.put(PARTITION, FLEET, {"incarnation": "x", "schema": 99})
    url = f"dynamodb://{table.name}?region={REGION}&namespace={table.namespace}"

    with pytest.raises(StateRefused, match="newer version"):
        async with open_state(url, aws=aws):
            pass


async def test_a_missing_table_is_refused_with_the_command_that_makes_it(aws: Aws) -> None:
    """Nobody makes a table in passing: it costs money and holds what decides over loss."""
    url = f"dynamodb://no-such-table?namespace=blue&region={REGION}"

    with pytest.raises(StateRefused, match="poller state init --state 'dynamodb://no-such-table"):
        async with open_state(url, aws=aws):
            pass
