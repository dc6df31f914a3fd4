"""One store over two: the mappings that files define, and those that were made through the API."""

from collections.abc import Sequence

import anyio

from mappings.errors import AlreadyMapped
from mappings.store import MappingStore, StoredMapping


class LayeredStore:
    """Keeps a mapping where it belongs, and sees to it that the two layers never hold the same one."""

    def __init__(self, *, files: MappingStore, api: MappingStore) -> None:
        self._files = files
        self._api = api
        # Between the look into the other layer and the write.
        self._writing = anyio.Lock()

    async def get(self, uuid: str) -> StoredMapping | None:
        """One mapping."""
        return await self._files.get(uuid) or await self._api.get(uuid)

    async def list(self) -> Sequence[StoredMapping]:
        """All mappings, in their order."""
        both = (*await self._files.list(), *await self._api.list())
        return sorted(both, key=lambda stored: stored.order)

    async def add(self, stored: StoredMapping) -> None:
        """Add a mapping to its layer."""
        async with self._writing:
            await self._refuse_second(stored)
            await self._layer(stored).add(stored)

    async def replace(self, changed: StoredMapping) -> StoredMapping:
        """Put a mapping in the place of the version it carries."""
        layer = self._layer(changed)
        async with self._writing:
            before = await layer.get(changed.uuid)
            # Most writes leave source and function as they are: then there is nothing to look for.
            if before is None or before.mapping.link != changed.mapping.link:
                await self._refuse_second(changed)
            return await layer.replace(changed)

    async def remove(self, stored: StoredMapping) -> None:
        """Remove a mapping from its layer."""
        await self._layer(stored).remove(stored)

    async def report(self, uuid: str, last_processing_result: str) -> None:
        """Keep what came of the last batch."""
        in_file = await self._files.get(uuid) is not None
        await (self._files if in_file else self._api).report(uuid, last_processing_result)

    def _layer(self, stored: StoredMapping) -> MappingStore:
        return self._api if stored.file is None else self._files

    async def _refuse_second(self, stored: StoredMapping) -> None:
        other = self._files if stored.file is None else self._api
        for each in await other.list():
            if each.uuid == stored.uuid or each.mapping.link == stored.mapping.link:
                raise AlreadyMapped(each.uuid)
