"""What does not fit into an item of a table, in parts beside it."""

import uuid
from collections.abc import Sequence
from contextlib import suppress

from mappings.errors import StoreUnavailable
from mappings.stores.dynamodb_table import Table

# An item holds 400 KB, its names and keys among them.
PART_BYTES = 350 * 1024


class Parts:
    """Parts of values, under names that no other write uses.

    They are written before the item that names them, and removed after it no longer does. Names are one text,
    as an item keeps them.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    async def put(self, partition: str, prefix: str, data: bytes) -> str:
        """Write parts; their names. What fails leaves none, as far as it can be removed."""
        write = uuid.uuid4().hex
        parts = [data[begin : begin + PART_BYTES] for begin in range(0, len(data), PART_BYTES)]
        names = [f"{prefix}{write}/{number}" for number in range(len(parts))]
        try:
            for name, part in zip(names, parts, strict=True):
                await self._table.put(partition, name, {"data": part})
        except StoreUnavailable:
            with suppress(StoreUnavailable):
                await self.remove(partition, " ".join(names))
            raise
        return " ".join(names)

    async def get(self, partition: str, names: str) -> bytes | None:
        """What the parts hold together; None where one is gone, because the item names others by now."""
        found: Sequence[object] = [
            None if part is None else part["data"]
            for part in [await self._table.get(partition, name) for name in names.split()]
        ]
        parts = [part for part in found if isinstance(part, bytes)]
        return b"".join(parts) if len(parts) == len(found) else None

    async def remove(self, partition: str, names: str) -> None:
        """Remove parts; those that are gone are no error."""
        for name in names.split():
            await self._table.delete(partition, name)
