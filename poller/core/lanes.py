"""Which lane of a shard a record goes to: all records of an order key share one, those without are spread."""

import zlib
from collections.abc import Sequence

from poller.core.records import Record


def split(records: Sequence[Record], lanes: int) -> Sequence[Sequence[Record]]:
    """Deal records to lanes, keeping their order in each."""
    if lanes == 1:
        return (records,)
    dealt: list[list[Record]] = [[] for _ in range(lanes)]
    for record in records:
        dealt[_lane_of(record, lanes)].append(record)
    return dealt


def _lane_of(record: Record, lanes: int) -> int:
    """A stable hash: the same in every process and on every run.

    A record without a key has no order to keep; its own name spreads such records over all lanes.
    """
    return (
        zlib.crc32((record.item_identifier if record.order_key is None else record.order_key).encode())
        % lanes
    )
