"""The states of tumbling windows in a DynamoDB table: in the item of their lease, or beside it."""

import zlib

from mappings.errors import StoreUnavailable
from mappings.stores.dynamodb_parts import Parts
from mappings.stores.dynamodb_table import Item, Table, Value
from poller.core.timewindow import WindowState

# An item holds 400 KB, a state up to 1 MB.
INLINE_BYTES = 200 * 1024

Key = tuple[str, str]
"""Mapping and shard."""


def partition(mapping: str) -> str:
    """Where the parts of a mapping's windows are."""
    return f"window/{mapping}"


class WindowParts:
    """Writes the parts of a state before the item that names them, and removes them after it names others."""

    def __init__(self, table: Table) -> None:
        self._parts = Parts(table)
        self._named: dict[Key, str] = {}
        """Parts that the item of a lease names, as far as this process has seen."""

    async def put(self, key: Key, window: WindowState | None) -> dict[str, Value | None]:
        """Write what does not fit into the item; the attributes that belong into it."""
        data = None if window is None else zlib.compress(str(window).encode(), 1)
        if data is None or len(data) <= INLINE_BYTES:
            return {"window": data, "window_parts": None}
        names = await self._parts.put(partition(key[0]), f"{key[1]}/", data)
        return {"window": None, "window_parts": names}

    async def get(self, key: Key, item: Item) -> WindowState | None:
        """The state an item holds or names. Raises StoreUnavailable where it was just replaced."""
        names = self._named[key] = str(item.get("window_parts", ""))
        data = item.get("window")
        if names:
            data = await self._parts.get(partition(key[0]), names)
            if data is None:
                raise StoreUnavailable(f"the window of shard {key[1]} is being replaced")
        return WindowState.parse(zlib.decompress(data).decode()) if isinstance(data, bytes) else None

    async def written(self, key: Key, attributes: dict[str, Value | None]) -> None:
        """The item names other parts now: remove those it named before."""
        before, self._named[key] = self._named.get(key, ""), str(attributes["window_parts"] or "")
        await self._parts.remove(partition(key[0]), before)

    async def refused(self, key: Key, attributes: dict[str, Value | None]) -> None:
        """The item was not written: remove what was written for it."""
        await self._parts.remove(partition(key[0]), str(attributes["window_parts"] or ""))

    async def ended(self, key: Key) -> None:
        """There is no item any more: remove what it named."""
        await self._parts.remove(partition(key[0]), self._named.pop(key, ""))
