"""Records for the tests of the core."""

from collections.abc import Sequence

from poller.core.records import Record


def record(number: int, *, size: int = 10, arrived_at: float = 0.0) -> Record:
    """A stream record with this sequence number and an event of this many bytes."""
    return Record(
        item_identifier=str(number),
        event=b"x" * size,
        arrived_at=arrived_at,
        order_key=None,
        position=str(number),
        receipt=str(number),
    )


def numbers(records: Sequence[Record]) -> list[int]:
    """The sequence numbers of records, in order."""
    return [int(r.item_identifier) for r in records]
