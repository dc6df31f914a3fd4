"""What becomes of the mappings of files when the files are read: at the start, and whenever they change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mappings.errors import AlreadyMapped, InvalidFile, VersionChanged
from mappings.files import MappingSet
from mappings.model import EventSourceMapping
from mappings.states import State
from mappings.store import MappingStore, StoredMapping

# Later mappings of a file come later in listings; far less than the clock's own steps.
_STEP_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChanges:
    """What is written so that the layer of files is what the files say."""

    added: Sequence[StoredMapping] = ()
    changed: Sequence[StoredMapping] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed)


def file_changes(
    current: Sequence[StoredMapping], wanted: MappingSet, *, now: float, allow_removal: bool
) -> FileChanges:
    """Compare what files gave before with what they give now.

    Raises InvalidFile where most mappings would go at once, which is more often a mistake than meant.
    """
    by_uuid = {stored.uuid: stored for stored in current}
    _refuse_mass_removal(current, wanted, allow_removal=allow_removal)
    return FileChanges(
        added=[
            _fresh(mapping, wanted, now + index * _STEP_S)
            for index, mapping in enumerate(wanted.mappings)
            if mapping.uuid not in by_uuid
        ],
        changed=[
            *_changed(by_uuid, wanted, now),
            *(
                replace(stored, state=State.DELETING, last_modified=now)
                for stored in current
                if stored.uuid not in wanted.file_of and stored.state is not State.DELETING
            ),
        ],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An entry of a file whose source and function a mapping of the API has: that one stays, and runs."""

    entry: StoredMapping
    taken_by: str
    """The UUID of the mapping that was made through the API."""

    @property
    def problem(self) -> str:
        source, function = self.entry.mapping.link
        return (
            f"{self.entry.file}: {source} -> {function} exists already, made through the API with UUID "
            f"{self.taken_by}, which runs as the API says: delete it there, and what the file says goes on "
            "at its checkpoint; or take it out of the file"
        )


async def without_taken(store: MappingStore, changes: FileChanges) -> tuple[FileChanges, Sequence[Waiting]]:
    """Return what can be written, and the entries that wait for a mapping of the API to be deleted."""
    known = {each.mapping.link: each.uuid for each in await store.list() if each.file is None}
    free = [each for each in changes.added if each.mapping.link not in known]
    waiting = [
        Waiting(entry=each, taken_by=known[each.mapping.link])
        for each in changes.added
        if each.mapping.link in known
    ]
    return replace(changes, added=free), waiting


async def write_changes(store: MappingStore, changes: FileChanges) -> Sequence[Waiting]:
    """Write what was compared; return the entries where a client was faster, and made that mapping.

    Raises VersionChanged where one that was removed holds source and function until it has ended.
    """
    waiting = []
    for stored in changes.added:
        try:
            await store.add(stored)
        except AlreadyMapped as error:
            waiting.append(Waiting(entry=stored, taken_by=error.uuid))
    for stored in changes.changed:
        try:
            await store.replace(stored)
        except AlreadyMapped as error:
            raise VersionChanged(stored.uuid) from error
    return waiting


def _fresh(mapping: EventSourceMapping, wanted: MappingSet, now: float) -> StoredMapping:
    return StoredMapping(
        mapping=mapping,
        state=State.CREATING,
        created_at=now,
        last_modified=now,
        tags=wanted.tags_of.get(mapping.uuid, {}),
        file=wanted.file_of[mapping.uuid],
    )


def _changed(by_uuid: dict[str, StoredMapping], wanted: MappingSet, now: float) -> Iterator[StoredMapping]:
    for mapping in wanted.mappings:
        stored = by_uuid.get(mapping.uuid)
        if stored is None:
            continue
        file, tags = wanted.file_of[mapping.uuid], wanted.tags_of.get(mapping.uuid, {})
        if stored.mapping != mapping or stored.state is State.DELETING:
            state = _following(stored, mapping)
            yield replace(stored, mapping=mapping, file=file, tags=tags, state=state, last_modified=now)
        elif stored.file != file or stored.tags != tags:
            yield replace(stored, file=file, tags=tags)


def _following(stored: StoredMapping, mapping: EventSourceMapping) -> State:
    """Return the State while a change is taken up; a file, unlike a client, never has to wait."""
    if stored.state is State.DISABLED and mapping.enabled:
        return State.ENABLING
    if stored.state is State.ENABLED and not mapping.enabled:
        return State.DISABLING
    return State.CREATING if stored.state is State.CREATING else State.UPDATING


def _refuse_mass_removal(
    current: Sequence[StoredMapping], wanted: MappingSet, *, allow_removal: bool
) -> None:
    standing = [stored for stored in current if stored.state is not State.DELETING]
    gone = [stored for stored in standing if stored.uuid not in wanted.file_of]
    if len(gone) * 2 > len(standing) and not allow_removal:
        many = f"{len(gone)} of {len(standing)} mappings would be removed, which is more than half"
        raise InvalidFile([f"{many}; start with --allow-removal if that is meant"])
