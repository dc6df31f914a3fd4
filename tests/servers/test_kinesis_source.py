"""Kinesis shards, positions and ends, as kinesis-mock shows them to our source."""

from collections.abc import AsyncIterator

import anyio
import pytest

from mappings.arns import EventSource
from poller.aws import Aws
from poller.core.records import Position, Record, Shard
from poller.errors import SourceGone
from poller.sources.kinesis import KinesisSource
from tests.conftest import ACCOUNT, REGION
from tests.servers.kinesis_mock import KinesisMock, KinesisStream
from tests.servers.reading import numbers_of, open_shard, read_some, read_to_end


@pytest.fixture
def stream(kinesis: KinesisMock) -> KinesisStream:
    """A stream of one shard."""
    return kinesis.stream(1)


@pytest.fixture
async def source(stream: KinesisStream) -> AsyncIterator[KinesisSource]:
    """Our side of it."""
    async with Aws() as aws:
        yield KinesisSource(EventSource.parse(stream.arn), aws)


async def test_a_listing_names_parents_and_closed_shards(
    stream: KinesisStream, source: KinesisSource
) -> None:
    """One parent after a split, both after a merge."""
    (root,) = stream.open_shards
    stream.split(root)
    left, right = stream.open_shards
    stream.merge(left, right)
    (merged,) = stream.open_shards

    shards = (await source.discover()).shards

    assert [(shard.id, shard.parents, shard.closed) for shard in shards] == [
        (root, (), True),
        (left, (root,), True),
        (right, (root,), True),
        (merged, (left, right), False),
    ]
    whole, lower, upper, again = (shard.hash_range for shard in shards)
    assert lower is not None
    assert upper is not None
    assert upper[0] == lower[1] + 1
    assert whole == again == (lower[0], upper[1]) == (0, 2**128 - 1)


async def test_a_listing_of_many_shards_is_complete(kinesis: KinesisMock) -> None:
    """Page after page, each shard once."""
    stream = kinesis.stream(150)
    for _ in range(3):
        stream.split(stream.open_shards[0])
    async with Aws() as aws:
        topology = await KinesisSource(EventSource.parse(stream.arn), aws).discover()

    assert len({shard.id for shard in topology.shards}) == len(topology.shards) == 156


async def test_two_listings_of_one_stream_share_an_incarnation(
    kinesis: KinesisMock, stream: KinesisStream, source: KinesisSource
) -> None:
    """A stream that is made again under the same name has another one."""
    before = (await source.discover()).incarnation
    assert (await source.discover()).incarnation == before

    stream.delete()
    stream.make(1)

    assert (await source.discover()).incarnation != before


async def test_a_closed_shard_ends_after_its_last_record(
    stream: KinesisStream, source: KinesisSource
) -> None:
    """What came after the split is in the children."""
    (root,) = stream.open_shards
    stream.put(range(25))
    stream.split(root)
    stream.put(range(25, 60))

    records = await read_to_end(await open_shard(source, root))
    born = [r for child in stream.open_shards for r in await _all(source, child)]

    assert numbers_of(records) == list(range(25))
    assert sorted(numbers_of(born)) == list(range(25, 60))


async def _all(source: KinesisSource, shard: str) -> list[Record]:
    reader = await open_shard(source, shard)
    records: list[Record] = []
    while (page := await reader.receive(100, 0.0)).records:
        records += page.records
    return records


async def test_a_shard_read_to_its_end_ends_again_when_opened_after_its_last_record(
    stream: KinesisStream, source: KinesisSource
) -> None:
    """A restart between the last record and the end of the shard finds the end."""
    (root,) = stream.open_shards
    stream.put(range(5))
    stream.split(root)
    last = (await read_to_end(await open_shard(source, root)))[-1].position
    assert last is not None

    assert await read_to_end(await open_shard(source, root, Position.after(last))) == []


async def test_a_timestamp_starts_at_the_first_record_of_its_time(
    stream: KinesisStream, source: KinesisSource
) -> None:
    """Also below the second."""
    (root,) = stream.open_shards
    stream.put(range(5))
    earlier = await read_some(await open_shard(source, root), 5)
    await anyio.sleep(0.02)
    stream.put(range(5, 8))

    # In the middle between the two: the server cuts what is asked for to whole milliseconds. Of the earlier
    # ones the last need not be the latest.
    between = max(record.arrived_at for record in earlier) + 0.01
    reader = await open_shard(source, root, Position.at_timestamp(between))

    assert numbers_of(await read_some(reader, 3)) == [5, 6, 7]


async def test_a_stream_or_shard_that_does_not_exist_is_gone(
    stream: KinesisStream, source: KinesisSource
) -> None:
    """Told from one that cannot be reached."""
    missing = EventSource.parse(f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/no-such")
    async with Aws() as aws:
        with pytest.raises(SourceGone, match="no-such"):
            await KinesisSource(missing, aws).discover()

    with pytest.raises(SourceGone, match="shardId-000000000009"):
        await source.open(Shard(id="shardId-000000000009"), Position.trim_horizon())
