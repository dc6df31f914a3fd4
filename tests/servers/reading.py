"""Reads shards through our sources."""

import json
from collections.abc import Sequence

import anyio

from poller.core.records import Position, Record
from poller.interfaces import Reader, Source
from tests.servers.seen import number


async def open_shard(source: Source, shard: str, after: Position | None = None) -> Reader:
    """Open a shard by name, by default at the horizon."""
    listed = {found.id: found for found in (await source.discover()).shards}
    return await source.open(listed[shard], after or Position.trim_horizon())


async def read_to_end(reader: Reader) -> list[Record]:
    """Read until the shard says that it ends."""
    found: list[Record] = []
    with anyio.fail_after(20):
        while True:
            page = await reader.receive(10, 0.0)
            found += page.records
            if page.end_of_shard:
                return found


async def read_some(reader: Reader, count: int) -> list[Record]:
    """Read until so many records have come."""
    found: list[Record] = []
    with anyio.fail_after(20):
        while len(found) < count:
            found += (await reader.receive(count - len(found), 0.0)).records
    return found


async def read_until(reader: Reader, last: int) -> list[Record]:
    """Read until the record with this number has come."""
    found: list[Record] = []
    with anyio.fail_after(20):
        while not found or numbers_of(found[-1:]) != [last]:
            found += (await reader.receive(1, 0.0)).records
    return found


def numbers_of(records: Sequence[Record]) -> list[int]:
    """What they were written with."""
    return [number(json.loads(record.event)) for record in records]
