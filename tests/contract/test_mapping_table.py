"""What a mapping store in a table adds to the contract of all mapping stores: many write to it."""

from dataclasses import replace

import anyio
import anyio.lowlevel
import pytest

from mappings.errors import AlreadyMapped, VersionChanged
from mappings.states import State
from mappings.store import MappingStore
from mappings.stores.dynamodb import DynamoDbMappingStore
from mappings.stores.dynamodb_table import Table
from tests.contract.test_mapping_stores import stored


@pytest.fixture
def store(table: Table) -> MappingStore:
    """An empty store on DynamoDB Local."""
    return DynamoDbMappingStore(table, anyio.lowlevel.checkpoint)


async def test_of_many_that_add_the_same_mapping_at_once_one_comes_through(store: MappingStore) -> None:
    """Requests may go to any worker of the fleet."""
    first = stored()
    refused = 0

    async def add(number: int) -> None:
        nonlocal refused
        try:
            await store.add(replace(first, mapping=replace(first.mapping, uuid=f"u{number}")))
        except AlreadyMapped:
            refused += 1

    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(add, number)

    assert refused == 4
    assert len(await store.list()) == 1


async def test_of_many_that_replace_one_version_at_once_one_comes_through(store: MappingStore) -> None:
    """The others look again."""
    first = stored()
    await store.add(first)
    refused = 0

    async def change() -> None:
        nonlocal refused
        try:
            await store.replace(replace(first, state=State.ENABLED))
        except VersionChanged:
            refused += 1

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(change)

    assert refused == 4
    found = await store.get(first.uuid)
    assert found is not None
    assert found.version == 1
