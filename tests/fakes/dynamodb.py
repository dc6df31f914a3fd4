"""A DynamoDB stream: shards that rotate into one child, iterators of fifteen minutes, no AT_TIMESTAMP."""

from poller.interfaces import Clock
from tests.fakes.events import dynamodb_event
from tests.fakes.history import History
from tests.fakes.streams import FakeShard, FakeStream, StreamLimits
from tests.fakes.wire import Wire

# Semantics 4.4 and 4.5; two readers of four reads a second each (4.6).
DYNAMODB = StreamLimits(
    page_records=1_000,
    page_bytes=1024 * 1024,
    iterator_life_s=900.0,
    reads_per_s=8,
    bytes_per_s=2 * 1024 * 1024,
    whole_seconds=True,
)


def dynamodb_stream(
    wire: Wire, *, clock: Clock, history: History, shards: int = 1, limits: StreamLimits = DYNAMODB
) -> FakeStream:
    """Make a stream."""
    return FakeStream(wire, clock=clock, history=history, limits=limits, encode=dynamodb_event, shards=shards)


def rotate(stream: FakeStream, shard: FakeShard) -> None:
    """Close a shard; one child takes over all its keys."""
    if not shard.closed:
        stream.close(shard)
        stream.add_shard((shard.id,), shard.first_hash, shard.last_hash)
