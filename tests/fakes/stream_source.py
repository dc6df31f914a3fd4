"""A fake stream as one process reaches it: its listing, as wrong as the faults make it, and its iterators."""

from poller.core.records import Position, Shard, Topology
from poller.errors import SourceGone, SourceThrottled, SourceUnavailable
from tests.fakes.faults import FaultKind
from tests.fakes.history import Listed
from tests.fakes.streams import FakeStream, FakeStreamReader

# A listing becomes consistent in the end: no shard is left out more often than this in a row.
MOST_LACKED = 2


class FakeStreamSource:
    """The stream as one process reaches it."""

    def __init__(self, stream: FakeStream, *, process: str = "") -> None:
        self._stream = stream
        self._process = process

    async def discover(self) -> Topology:
        """List all shards that still hold data or are open."""
        wire = self._stream.wire
        await wire.there()
        wire.source_fails()
        if wire.faults.strike(wire.place, FaultKind.LIST_FAILS):
            raise SourceThrottled(f"{wire.place}: ListShards")
        topology = _listing(self._stream)
        names = tuple(shard.id for shard in topology.shards)
        self._stream.history.add(Listed(self._stream.clock.monotonic(), wire.place, self._process, names))
        await wire.back()
        return topology

    async def open(self, shard: Shard, after: Position) -> FakeStreamReader:
        """Get an iterator."""
        stream = self._stream
        wire = stream.wire
        await wire.there()
        wire.source_fails()
        if wire.faults.strike(wire.place, FaultKind.OPEN_FAILS):
            raise SourceUnavailable(f"{wire.place}: GetShardIterator")
        found = stream.shards.get(shard.id)
        if found is None or found.expired:
            raise SourceGone(f"{shard.id} of {wire.place} does not exist")
        reader = FakeStreamReader(stream, found, after, process=self._process)
        await wire.back()
        return reader


def _listing(stream: FakeStream) -> Topology:
    """A listing, as wrong as the faults make it."""
    wire = stream.wire
    listed = [shard for shard in stream.shards.values() if not shard.expired]
    if len(listed) > 1 and wire.faults.strike(wire.place, FaultKind.LIST_LACKS_SHARD):
        lacking = listed[wire.chance.randrange(len(listed))]
        stream.lacked = {lacking.id: stream.lacked.get(lacking.id, 0) + 1}
        if stream.lacked[lacking.id] <= MOST_LACKED:
            listed.remove(lacking)
    else:
        stream.lacked = {}
    stale = wire.faults.strike(wire.place, FaultKind.LIST_STALE_PARENT)
    return Topology(
        incarnation=stream.incarnation,
        shards=tuple(
            Shard(id=shard.id, parents=shard.parents, closed=shard.closed and not stale) for shard in listed
        ),
    )
