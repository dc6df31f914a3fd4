"""What the state remembers of the mappings of files: the UUID of each, whatever its function becomes."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from mappings.errors import StoreUnavailable
from mappings.identities import Known, known_of
from mappings.model import EventSourceMapping
from mappings.validation import stable_uuid
from poller.core.filed import FILED, Start, entry_of, known_of_entry, start_change
from poller.errors import StateUnavailable
from poller.fleet import Fleet
from poller.interfaces import LeaseStore
from poller.telemetry import Log


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBook:
    """Entries beside the leases: exported, imported and shared by a fleet with their positions."""

    leases: LeaseStore
    fleet: Fleet

    async def read(self, sources: Iterable[str]) -> Sequence[Known]:
        """Return what is known of the mappings of these sources. Raises StoreUnavailable."""
        with _store_errors():
            return [
                known_of_entry(entry, source)
                for source in sorted(set(sources))
                for entry in await self.leases.list(_page(source))
            ]

    async def write(self, before: Iterable[Known], after: Iterable[Known]) -> None:
        """Remember `after` in the place of `before`. Raises StoreUnavailable.

        What is added comes first: whoever is cut off between leaves more than is needed, never less.
        """
        old = {_key(each): entry_of(each, page=_page(each.source)) for each in before}
        new = {_key(each): entry_of(each, page=_page(each.source)) for each in after}
        with _store_errors():
            if added := [entry for key, entry in new.items() if key not in old]:
                await self.leases.create(added)
            if gone := [entry for key, entry in old.items() if key not in new]:
                await self.leases.delete(gone)

    async def restart(self, mapping: EventSourceMapping, starting: str) -> bool:
        """Obey another StartingPosition where no record was read yet; say so where it comes too late.

        Returns whether that is settled: not while the shards are being read. Raises StoreUnavailable.
        """
        with _store_errors():
            leases = await self.leases.list(mapping.uuid)
            change = start_change(
                leases, lambda lease: lease.owner != self.fleet.me and self.fleet.is_free(lease)
            )
            if change is Start.OBEYED:
                await self.leases.delete(leases)
        structlog.get_logger().warning(
            Log.STARTING_POSITION_CHANGED,
            mapping=mapping.label,
            starting_position=starting,
            outcome=change.value,
        )
        return change is not Start.LATER


async def known_uuid(leases: LeaseStore, mapping: EventSourceMapping) -> str:
    """Return the UUID under which the positions of a mapping of a file are kept. Raises StateUnavailable."""
    mine, page = known_of(mapping), _page(mapping.event_source.arn)
    known = [known_of_entry(entry, mine.source) for entry in await leases.list(page)]
    return next((each.uuid for each in known if each.function == mine.function), mapping.uuid)


def _page(source: str) -> str:
    return stable_uuid(source, FILED)


def _key(known: Known) -> tuple[str, ...]:
    return known.source, known.function, known.starting, known.uuid, str(known.standing)


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except StateUnavailable as error:
        raise StoreUnavailable(str(error)) from error
