"""The states of tumbling windows in a DynamoDB table: in the item of their lease, or beside it."""

import uuid
import zlib
from collections.abc import Sequence

from mappings.errors import StoreUnavailable
from mappings.stores.dynamodb_table import Item, Table, Value
from poller.core.timewindow import WindowState

# An item holds 400 KB, a state up to 1 MB.
INLINE_BYTES = 200 * 1024
PART_BYTES = 350 * 1024

Key = tuple[str, str]
"""Mapping and shard."""


def partition(mapping: str) -> str:
    """Where the parts of a mapping's windows are."""
    return f"window/{mapping}"


class WindowParts:
    """Writes the parts of a state before the item that names them, and removes them after it names others."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._named: dict[Key, Sequence[str]] = {}
        """Parts that the item of a lease names, as far as this process has seen."""

    async def put(self, key: Key, window: WindowState | None) -> dict[str, Value | None]:
        """Write what does not fit into the item; the attributes that belong into it."""
        data = None if window is None else zlib.compress(str(window).encode(), 1)
        if data is None or len(data) <= INLINE_BYTES:
            return {"window": data, "window_parts": None}
        write = uuid.uuid4().hex
        parts = [data[begin : begin + PART_BYTES] for begin in range(0, len(data), PART_BYTES)]
        names = [f"{key[1]}/{write}/{number}" for number in range(len(parts))]
        for name, part in zip(names, parts, strict=True):
            await self._table.put(partition(key[0]), name, {"data": part})
        return {"window": None, "window_parts": " ".join(names)}

    async def get(self, key: Key, item: Item) -> WindowState | None:
        """The state an item holds or names. Raises StoreUnavailable where it was just replaced."""
        names = str(item.get("window_parts", "")).split()
        self._named[key] = names
        data = item.get("window")
        if names:
            parts = [await self._table.get(partition(key[0]), name) for name in names]
            if any(part is None for part in parts):
                raise StoreUnavailable(f"the window of shard {key[1]} is being replaced")
            data = b"".join(bytes(part["data"]) for part in parts if part is not None)  # type: ignore[arg-type]
        return WindowState.parse(zlib.decompress(data).decode()) if isinstance(data, bytes) else None

    async def written(self, key: Key, attributes: dict[str, Value | None]) -> None:
        """The item names other parts now: remove those it named before."""
        before, self._named[key] = self._named.get(key, ()), str(attributes["window_parts"] or "").split()
        await self._remove(key, before)

    async def refused(self, key: Key, attributes: dict[str, Value | None]) -> None:
        """The item was not written: remove what was written for it."""
        await self._remove(key, str(attributes["window_parts"] or "").split())

    async def ended(self, key: Key) -> None:
        """There is no item any more: remove what it named."""
        await self._remove(key, self._named.pop(key, ()))

    async def _remove(self, key: Key, names: Sequence[str]) -> None:
        for name in names:
            await self._table.delete(partition(key[0]), name)
