"""StartingPosition LATEST as it was when a mapping was made, though reading begins a moment later."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import anyio

from poller.core.records import Position, PositionKind, Shard, Topology
from poller.errors import SourceError
from poller.interfaces import Reader, Source

# Who makes more at once than this has some of them start at the time of their creation instead, which
# services tell to the second.
MAPPINGS = 64


class LatestReaders:
    """Readers opened at the tip of each shard before a mapping was made, for whoever runs it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Mapping[str, Reader]] = OrderedDict()

    async def open(
        self, mapping: str, source: Source, shards: Sequence[Shard], limit: anyio.Semaphore
    ) -> None:
        """Open the shards that are written to and keep their readers.

        Args:
            mapping: UUID of the mapping that is being made.
            source: Its source.
            shards: As they were listed.
            limit: Passed by each opening.

        Raises:
            SourceError: One of them cannot be opened.
        """
        readers: dict[str, Reader] = {}
        errors: list[SourceError] = []

        async def open_one(shard: Shard) -> None:
            try:
                async with limit:
                    readers[shard.id] = await source.open(shard, Position.latest(0.0))
            except SourceError as error:
                errors.append(error)

        async with anyio.create_task_group() as group:
            for shard in shards:
                if not shard.closed:
                    group.start_soon(open_one, shard)
        if errors:
            raise errors[0]
        self._kept[mapping] = readers
        while len(self._kept) > MAPPINGS:
            self._kept.popitem(last=False)

    def take(self, mapping: str) -> Mapping[str, Reader]:
        """Hand over what was opened for a mapping; once."""
        return self._kept.pop(mapping, {})


class LatestSource:
    """A source whose LATEST is what it was when the mapping was made."""

    def __init__(self, source: Source, readers: Mapping[str, Reader]) -> None:
        self._source = source
        self._readers = dict(readers)

    async def discover(self) -> Topology:
        """List all shards. One that was closed since holds what was written to it until then."""
        topology = await self._source.discover()
        shards = (replace(s, closed=s.closed and s.id not in self._readers) for s in topology.shards)
        return replace(topology, shards=tuple(shards))

    async def open(self, shard: Shard, after: Position) -> Reader:
        """Open a shard; at LATEST with the reader that was opened then, or at the time that was noted."""
        if after.kind is PositionKind.LATEST:
            return self._readers.pop(shard.id, None) or await self._source.open(shard, after.pinned())
        return await self._source.open(shard, after)
