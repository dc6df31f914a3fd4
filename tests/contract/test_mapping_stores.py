"""What every store of mappings promises; each implementation passes the same tests."""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mappings.errors import AlreadyMapped, StoreUnavailable, VersionChanged
from mappings.states import State
from mappings.store import MappingStore, StoredMapping
from mappings.validation import mapping_from_request
from poller.state import open_state
from tests.contract.stores import state_of

NOW = 1_800_000_000.0
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
EVERYTHING = {
    "EventSourceArn": STREAM,
    "StartingPosition": "AT_TIMESTAMP",
    "StartingPositionTimestamp": 1_700_000_000.5,
    "BatchSize": 7,
    "MaximumBatchingWindowInSeconds": 3,
    "FilterCriteria": {"Filters": [{"Pattern": '{"data":{"é":[1]}}'}]},
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "ParallelizationFactor": 2,
    "MaximumRetryAttempts": 4,
    "MaximumRecordAgeInSeconds": 60,
    "BisectBatchOnFunctionError": True,
    "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:failed"}},
}


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MappingStore]:
    """An empty store of each kind."""
    async with state_of(request, tmp_path) as state:
        yield state.mappings


def stored(function: str = "f", *, request: Mapping[str, object] | None = None, **more: Any) -> StoredMapping:
    """A mapping as it is kept."""
    request = request or {"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:orders"}
    mapping = mapping_from_request({**request, "FunctionName": function}, now=NOW)
    fields: dict[str, Any] = {"state": State.CREATING, "created_at": NOW, "last_modified": NOW, **more}
    return StoredMapping(mapping=mapping, **fields)


async def test_a_mapping_comes_back_whole(store: MappingStore) -> None:
    """Every field of it and of what is kept beside it."""
    kept = stored(
        request=EVERYTHING,
        state=State.UPDATING,
        tags={"team": "é", "empty": ""},
        latest_at=NOW - 1.5,
        last_processing_result="OK",
    )
    await store.add(kept)

    assert await store.get(kept.uuid) == kept
    assert list(await store.list()) == [kept]


async def test_an_unknown_mapping_is_none(store: MappingStore) -> None:
    """Not an error."""
    assert await store.get("no such") is None


async def test_a_listing_is_in_order_of_creation(store: MappingStore) -> None:
    """Then of the UUID, so that pages never overlap."""
    late, early, same = stored("c", created_at=NOW + 1), stored("b"), stored("a")
    for each in (late, early, same):
        await store.add(each)

    listed = [each.uuid for each in await store.list()]

    assert listed == [*sorted([early.uuid, same.uuid]), late.uuid]


async def test_a_second_mapping_of_a_source_and_function_is_refused(store: MappingStore) -> None:
    """It names the first, which stays as it is; another qualifier is another function."""
    first = stored()
    await store.add(first)
    second = replace(first, mapping=replace(first.mapping, uuid="another"))

    with pytest.raises(AlreadyMapped) as refused:
        await store.add(second)
    await store.add(stored("f:live"))

    assert refused.value.uuid == first.uuid
    assert await store.get(first.uuid) == first
    assert await store.get("another") is None


async def test_a_replaced_mapping_has_the_next_version(store: MappingStore) -> None:
    """And keeps what came of its last batch, which is reported beside it."""
    first = stored()
    await store.add(first)
    await store.report(first.uuid, "OK")

    written = await store.replace(replace(first, state=State.ENABLED))

    assert (written.version, written.state, written.last_processing_result) == (1, State.ENABLED, "OK")
    assert await store.get(first.uuid) == written


async def test_a_write_at_an_older_version_is_refused(store: MappingStore) -> None:
    """Also a removal; of two that read the same version one comes through."""
    first = stored()
    await store.add(first)
    written = await store.replace(replace(first, state=State.ENABLED))

    with pytest.raises(VersionChanged):
        await store.replace(replace(first, state=State.DISABLED))
    with pytest.raises(VersionChanged):
        await store.remove(first)

    assert await store.get(first.uuid) == written


async def test_a_mapping_cannot_be_moved_onto_another(store: MappingStore) -> None:
    """A function that has a mapping of the source already is refused; its own is not in its way."""
    one, other = stored("one"), stored("other")
    await store.add(one)
    await store.add(other)

    with pytest.raises(AlreadyMapped) as refused:
        await store.replace(
            replace(one, mapping=replace(one.mapping, function_arn=other.mapping.function_arn))
        )
    await store.replace(replace(one, mapping=replace(one.mapping, batch_size=5)))

    assert refused.value.uuid == other.uuid


async def test_a_removed_mapping_is_gone_and_its_place_is_free(store: MappingStore) -> None:
    """The same source and function may be mapped again; a report of the old one changes nothing."""
    first = stored()
    await store.add(first)
    await store.remove(first)
    await store.report(first.uuid, "OK")

    assert list(await store.list()) == []
    with pytest.raises(VersionChanged):
        await store.replace(first)
    await store.add(replace(first, mapping=replace(first.mapping, uuid="another")))


async def test_mappings_survive_closing_and_opening(tmp_path: Path) -> None:
    """They are in the state file."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    async with open_state(url) as state:
        await state.mappings.add(stored())
    async with open_state(url) as state:
        listed = list(await state.mappings.list())

    assert listed == [stored()]


async def test_a_mapping_that_cannot_be_read_is_a_failure_of_the_store(tmp_path: Path) -> None:
    """It is neither passed over nor the end of the process: it stays where it is and is told of."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    async with open_state(url) as state:
        await state.mappings.add(stored())
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("UPDATE mappings SET document = replace(document, 'Creating', 'Dreaming')")
    connection.close()

    async with open_state(url) as state:
        with pytest.raises(StoreUnavailable, match="'Dreaming' is not a valid State"):
            await state.mappings.list()
