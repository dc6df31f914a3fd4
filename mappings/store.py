"""What is kept of a mapping beside its definition, and the seam behind which it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mappings.model import EventSourceMapping
from mappings.states import State

NO_RECORDS_PROCESSED = "No records processed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMapping:
    """A mapping as its users see it: what was asked for, and how it fares."""

    mapping: EventSourceMapping
    state: State
    created_at: float
    """Epoch seconds; with the UUID it is the order of a listing."""
    last_modified: float
    """Epoch seconds of the last action of a user."""
    tags: Mapping[str, str] = field(default_factory=dict)
    file: str | None = None
    """The mapping file that defines it; None for one that was made through the API."""
    latest_at: float | None = None
    """What LATEST means: the source's clock when the mapping was made; None where nobody asked it yet."""
    last_processing_result: str = NO_RECORDS_PROCESSED
    version: int = 0
    """Grows with each write but those of `report`."""

    @property
    def uuid(self) -> str:
        return self.mapping.uuid

    @property
    def order(self) -> tuple[float, str]:
        """The key by which listings are ordered."""
        return self.created_at, self.mapping.uuid

    @property
    def wanted(self) -> bool:
        """Whether it is to be polled."""
        return self.mapping.enabled and self.state is not State.DELETING


class MappingStore(Protocol):
    """Mappings, durable: what a write has returned survives the end of the process.

    Implementations decide nothing and never retry. Every method may raise StoreUnavailable; what was not
    answered may have been written.
    """

    async def get(self, uuid: str) -> StoredMapping | None:
        """One mapping; None where there is none."""
        ...

    async def list(self) -> Sequence[StoredMapping]:
        """All mappings, in their `order`."""
        ...

    async def add(self, stored: StoredMapping) -> None:
        """Add a mapping.

        Raises AlreadyMapped where one has the same source and function, or the same UUID.
        """
        ...

    async def replace(self, changed: StoredMapping) -> StoredMapping:
        """Put `changed` in the place of the version it carries, and return it with its next version.

        Raises VersionChanged where another write, or a removal, was faster; AlreadyMapped where another
        mapping has the source and function it now names.
        """
        ...

    async def remove(self, stored: StoredMapping) -> None:
        """Remove a mapping at the version it carries. Raises VersionChanged as `replace` does."""
        ...

    async def report(self, uuid: str, last_processing_result: str) -> None:
        """Keep what came of the last batch; of a mapping that is gone, nothing."""
        ...
