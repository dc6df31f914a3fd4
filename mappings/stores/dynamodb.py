"""Mappings in a DynamoDB table that a fleet shares."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from mappings.errors import AlreadyMapped, VersionChanged
from mappings.store import StoredMapping
from mappings.stored_form import from_text, to_text
from mappings.stores.dynamodb_table import NEW, THERE, Condition, ConditionFailed, Item, Put, Table

PARTITION = "mapping"
# One item for each source and function that are mapped to each other: no two mappings share one.
LINKS = "mapping-link"


Announce = Callable[[], Awaitable[None]]
"""Lets all workers of the fleet look at the mappings again."""


class DynamoDbMappingStore:
    """A mapping store over a table."""

    def __init__(self, table: Table, announce: Announce) -> None:
        self._table = table
        self._announce = announce

    async def get(self, uuid: str) -> StoredMapping | None:
        """One mapping."""
        item = await self._table.get(PARTITION, uuid)
        return None if item is None else _stored(item)

    async def list(self) -> Sequence[StoredMapping]:
        """All mappings, in their order."""
        items = await self._table.query(PARTITION)
        return sorted(map(_stored, items), key=lambda stored: stored.order)

    async def add(self, stored: StoredMapping) -> None:
        """Add a mapping."""
        await self._refuse_second(stored)
        try:
            await self._table.transact([_put(stored, NEW), _link(stored, NEW)])
        except ConditionFailed as failed:
            raise AlreadyMapped(await self._in_the_way(stored)) from failed
        await self._announce()

    async def replace(self, changed: StoredMapping) -> StoredMapping:
        """Put a mapping in the place of the version it carries."""
        seen = await self._at_version(changed)
        written = replace(
            changed, version=changed.version + 1, last_processing_result=seen.last_processing_result
        )
        puts = [_put(written, _at(changed))]
        if seen.mapping.link != changed.mapping.link:
            await self._refuse_second(changed)
            puts += [_link(changed, NEW), replace(_link(seen, _owned(seen)), item=None)]
        await self._write(changed, puts)
        return written

    async def remove(self, stored: StoredMapping) -> None:
        """Remove a mapping."""
        seen = await self._at_version(stored)
        await self._write(
            stored,
            [
                replace(_put(stored, _at(stored)), item=None),
                replace(_link(seen, _owned(seen)), item=None),
            ],
        )

    async def report(self, uuid: str, last_processing_result: str) -> None:
        """Keep what came of the last batch."""
        try:
            await self._table.update(
                PARTITION, uuid, when=THERE, change={"last_processing_result": last_processing_result}
            )
        except ConditionFailed:
            return

    async def _write(self, stored: StoredMapping, puts: Sequence[Put]) -> None:
        try:
            await self._table.transact(puts)
        except ConditionFailed as failed:
            await self._at_version(stored)
            raise AlreadyMapped(await self._in_the_way(stored)) from failed
        await self._announce()

    async def _at_version(self, stored: StoredMapping) -> StoredMapping:
        found = await self.get(stored.uuid)
        if found is None or found.version != stored.version:
            raise VersionChanged(stored.uuid)
        return found

    async def _refuse_second(self, stored: StoredMapping) -> None:
        link = await self._table.get(LINKS, _link_name(stored))
        if link is not None and link["uuid"] != stored.uuid:
            raise AlreadyMapped(str(link["uuid"]))

    async def _in_the_way(self, stored: StoredMapping) -> str:
        link = await self._table.get(LINKS, _link_name(stored))
        return stored.uuid if link is None else str(link["uuid"])


def _stored(item: Item) -> StoredMapping:
    return from_text(
        str(item["document"]),
        version=int(item["version"]),
        last_processing_result=str(item["last_processing_result"]),
    )


def _put(stored: StoredMapping, when: Condition) -> Put:
    item: Item = {
        "document": to_text(stored),
        "version": stored.version,
        "last_processing_result": stored.last_processing_result,
    }
    return Put(partition=PARTITION, sort=stored.uuid, item=item, when=when)


def _link(stored: StoredMapping, when: Condition) -> Put:
    return Put(partition=LINKS, sort=_link_name(stored), item={"uuid": stored.uuid}, when=when)


def _link_name(stored: StoredMapping) -> str:
    return " ".join(stored.mapping.link)  # ARNs hold no blanks


def _at(stored: StoredMapping) -> Condition:
    return Condition(text="#version = :version", values={"version": stored.version})


def _owned(stored: StoredMapping) -> Condition:
    return Condition(text="#uuid = :uuid", values={"uuid": stored.uuid})
