"""Mappings in memory: gone with the process."""

from collections.abc import Sequence
from dataclasses import replace

from mappings.errors import AlreadyMapped, VersionChanged
from mappings.store import StoredMapping


class MemoryMappingStore:
    """A mapping store over a dict."""

    def __init__(self) -> None:
        self._rows: dict[str, StoredMapping] = {}

    async def get(self, uuid: str) -> StoredMapping | None:
        """One mapping."""
        return self._rows.get(uuid)

    async def list(self) -> Sequence[StoredMapping]:
        """All mappings, in their order."""
        return sorted(self._rows.values(), key=lambda stored: stored.order)

    async def add(self, stored: StoredMapping) -> None:
        """Add a mapping."""
        self._refuse_second(stored, apart_from=None)
        self._rows[stored.uuid] = stored

    async def replace(self, changed: StoredMapping) -> StoredMapping:
        """Put a mapping in the place of the version it carries."""
        self._refuse_stale(changed)
        self._refuse_second(changed, apart_from=changed.uuid)
        written = replace(
            changed,
            version=changed.version + 1,
            last_processing_result=self._rows[changed.uuid].last_processing_result,
        )
        self._rows[changed.uuid] = written
        return written

    async def remove(self, stored: StoredMapping) -> None:
        """Remove a mapping."""
        self._refuse_stale(stored)
        del self._rows[stored.uuid]

    async def report(self, uuid: str, last_processing_result: str) -> None:
        """Keep what came of the last batch."""
        if uuid in self._rows:
            self._rows[uuid] = replace(self._rows[uuid], last_processing_result=last_processing_result)

    def _refuse_stale(self, stored: StoredMapping) -> None:
        found = self._rows.get(stored.uuid)
        if found is None or found.version != stored.version:
            raise VersionChanged(stored.uuid)

    def _refuse_second(self, stored: StoredMapping, *, apart_from: str | None) -> None:
        for other in self._rows.values():
            same = other.uuid == stored.uuid or other.mapping.link == stored.mapping.link
            if same and other.uuid != apart_from:
                raise AlreadyMapped(other.uuid)
