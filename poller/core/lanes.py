"""Which lane of a shard a record goes to: all records of an order key share one."""

import zlib
from collections.abc import Sequence

from poller.core.records import Record


def split(records: Sequence[Record], lanes: int) -> Sequence[Sequence[Record]]:
    """Deal records to lanes, keeping their order in each; a record without order key goes to lane 0."""
    if lanes == 1:
        return (records,)
    dealt: list[list[Record]] = [[] for _ in range(lanes)]
    for record in records:
        dealt[lane_of(record.order_key, lanes)].append(record)
    return dealt


def lane_of(order_key: str | None, lanes: int) -> int:
    """A stable hash of the key: the same in every process and on every run."""
    return zlib.crc32(order_key.encode()) % lanes if order_key is not None else 0
