"""A Kinesis data stream: splits, merges, iterators of five minutes, 5 reads and 2 MB a second."""

from poller.interfaces import Clock
from tests.fakes.events import kinesis_event
from tests.fakes.history import History
from tests.fakes.streams import FakeShard, FakeStream, StreamLimits
from tests.fakes.wire import Wire

# Semantics 3.3.2 and 3.3.4.
KINESIS = StreamLimits(
    page_records=10_000,
    page_bytes=10 * 1024 * 1024,
    iterator_life_s=300.0,
    reads_per_s=5,
    bytes_per_s=2 * 1024 * 1024,
)


def kinesis_stream(
    wire: Wire, *, clock: Clock, history: History, shards: int = 1, limits: StreamLimits = KINESIS
) -> FakeStream:
    """Make a stream."""
    return FakeStream(wire, clock=clock, history=history, limits=limits, encode=kinesis_event, shards=shards)


def split(stream: FakeStream, shard: FakeShard) -> None:
    """Close a shard; two children share its keys."""
    middle = (shard.first_hash + shard.last_hash) // 2
    if shard.closed or middle == shard.last_hash:
        return
    stream.close(shard)
    stream.add_shard((shard.id,), shard.first_hash, middle)
    stream.add_shard((shard.id,), middle + 1, shard.last_hash)


def merge(stream: FakeStream, shard: FakeShard) -> None:
    """Close a shard and its right neighbour; one child has the keys of both."""
    neighbours = [s for s in stream.open_shards if s.first_hash == shard.last_hash + 1]
    if shard.closed or not neighbours:
        return
    stream.close(shard, neighbours[0])
    stream.add_shard((shard.id, neighbours[0].id), shard.first_hash, neighbours[0].last_hash)
