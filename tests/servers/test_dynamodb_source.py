"""DynamoDB Streams' shards, positions and ends, as AWS's own DynamoDB Local shows them to our source."""

from collections.abc import AsyncIterator

import pytest

from mappings.arns import EventSource
from poller.aws import Aws
from poller.core.records import Position
from poller.errors import IteratorExpired, PositionExpired, SourceGone
from poller.sources.dynamodb import DynamoDbSource
from poller.surroundings import SystemClock
from tests.servers.dynamodb_local import DynamoDbLocal, DynamoDbTable
from tests.servers.reading import numbers_of, open_shard, read_some, read_to_end, read_until

CLOCK = SystemClock()
MINUTES = 1 / 60  # in hours


@pytest.fixture
def table(dynamodb: DynamoDbLocal) -> DynamoDbTable:
    """A table with a stream."""
    return dynamodb.table()


@pytest.fixture
async def source(table: DynamoDbTable) -> AsyncIterator[DynamoDbSource]:
    """Our side of it."""
    async with Aws() as aws:
        yield DynamoDbSource(EventSource.parse(table.arn), aws)


async def test_a_listing_is_one_line_of_shards_from_parent_to_child(
    dynamodb: DynamoDbLocal, table: DynamoDbTable, source: DynamoDbSource
) -> None:
    """All but the last are closed."""
    for _ in range(3):
        dynamodb.roll_over()

    shards = (await source.discover()).shards

    assert [shard.parents for shard in shards] == [(), *((parent.id,) for parent in shards[:-1])]
    assert [shard.closed for shard in shards] == [True, True, True, False]


async def test_a_listing_of_many_shards_is_complete(
    dynamodb: DynamoDbLocal, table: DynamoDbTable, source: DynamoDbSource
) -> None:
    """It comes in pages of 100."""
    for _ in range(120):
        dynamodb.roll_over()

    shards = (await source.discover()).shards

    assert len({shard.id for shard in shards}) == len(shards) == 121


async def test_a_closed_shard_ends_after_its_last_record(
    dynamodb: DynamoDbLocal, table: DynamoDbTable, source: DynamoDbSource
) -> None:
    """What came after the rollover is in the child."""
    table.put(range(25))
    dynamodb.roll_over()
    table.put(range(25, 30))
    parent, child = [shard.id for shard in (await source.discover()).shards]

    assert numbers_of(await read_to_end(await open_shard(source, parent))) == list(range(25))
    assert numbers_of(await read_some(await open_shard(source, child), 5)) == list(range(25, 30))


async def test_a_shard_read_to_its_end_ends_again_when_opened_after_its_last_record(
    dynamodb: DynamoDbLocal, table: DynamoDbTable, source: DynamoDbSource
) -> None:
    """A restart between the last record and the end of the shard finds the end."""
    table.put(range(5))
    dynamodb.roll_over()
    parent = (await source.discover()).shards[0].id
    last = (await read_to_end(await open_shard(source, parent)))[-1].position
    assert last is not None

    assert await read_to_end(await open_shard(source, parent, Position.after(last))) == []


async def test_an_iterator_that_was_not_used_for_twenty_minutes_has_expired(
    dynamodb: DynamoDbLocal, table: DynamoDbTable, source: DynamoDbSource
) -> None:
    """The shard opened again after the last record goes on exactly there."""
    table.put(range(5))
    shard = (await source.discover()).shards[0].id
    reader = await open_shard(source, shard)
    last = (await read_some(reader, 5))[-1].position
    table.put(range(5, 8))
    dynamodb.age(20 * MINUTES)

    with pytest.raises(IteratorExpired):
        await reader.receive(10, 0.0)
    assert last is not None
    again = await open_shard(source, shard, Position.after(last))

    assert numbers_of(await read_some(again, 3)) == [5, 6, 7]


async def test_records_older_than_a_day_are_trimmed(
    dynamodb: DynamoDbLocal, table: DynamoDbTable, source: DynamoDbSource
) -> None:
    """To go on behind one of them is refused: what lay between is lost."""
    table.put(range(5))
    shard = (await source.discover()).shards[0].id
    records = await read_some(await open_shard(source, shard), 5)
    dynamodb.age(25)

    reader = await open_shard(source, shard, Position.after(records[1].position or ""))

    with pytest.raises(PositionExpired):
        await reader.receive(10, 0.0)


async def test_a_pinned_latest_misses_nothing_written_after_it(
    dynamodb: DynamoDbLocal, table: DynamoDbTable, source: DynamoDbSource
) -> None:
    """Whatever the service rounds creation times to: here it is the minute."""
    table.put(range(3))
    shard = (await source.discover()).shards[0].id
    pin = Position.latest(CLOCK.wall()).pinned()
    table.put(range(3, 6))

    records = await read_until(await open_shard(source, shard, pin), 5)

    assert numbers_of(records)[-3:] == [3, 4, 5]


async def test_a_pinned_latest_passes_over_what_is_older(
    dynamodb: DynamoDbLocal, table: DynamoDbTable, source: DynamoDbSource
) -> None:
    """By more than what creation times are rounded to."""
    table.put(range(3))
    dynamodb.age(2 * MINUTES)
    shard = (await source.discover()).shards[0].id
    pin = Position.latest(CLOCK.wall()).pinned()
    table.put(range(3, 6))

    assert numbers_of(await read_some(await open_shard(source, shard, pin), 3)) == [3, 4, 5]


async def test_a_stream_that_does_not_exist_is_gone(table: DynamoDbTable) -> None:
    """Told from one that cannot be reached."""
    missing = EventSource.parse(table.arn.replace(table.name, "no-such"))
    async with Aws() as aws:
        with pytest.raises(SourceGone, match="no-such"):
            await DynamoDbSource(missing, aws).discover()
