"""What becomes of the mappings of files when the files change."""

from dataclasses import replace
from typing import Any

import pytest

from mappings.errors import InvalidFile
from mappings.file_layer import file_changes, without_taken, write_changes
from mappings.files import MappingSet
from mappings.states import State
from mappings.store import StoredMapping
from mappings.stores.layered import LayeredStore
from mappings.stores.memory import MemoryMappingStore
from mappings.validation import mapping_from_request

NOW = 1_800_000_000.0
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


def files_with(*requests: dict[str, Any], file: str = "a.yaml") -> MappingSet:
    """What a file says."""
    mappings = tuple(
        mapping_from_request({"EventSourceArn": f"{QUEUE}{n}", "FunctionName": "f", **request}, now=NOW)
        for n, request in enumerate(requests)
    )
    return MappingSet(functions={}, mappings=mappings, file_of={m.uuid: file for m in mappings})


async def taken_up(
    layer: MemoryMappingStore, found: MappingSet, *, now: float = NOW, allow_removal: bool = False
) -> list[StoredMapping]:
    """Take up what a file says; what then stands in the layer."""
    store = LayeredStore(files=layer, api=MemoryMappingStore())
    changes = file_changes(await layer.list(), found, now=now, allow_removal=allow_removal)
    await write_changes(store, changes)
    return list(await layer.list())


async def at_rest(layer: MemoryMappingStore) -> None:
    """Bring every State to rest."""
    for stored in await layer.list():
        state = State.ENABLED if stored.mapping.enabled else State.DISABLED
        await layer.replace(replace(stored, state=state))


async def test_the_first_reading_makes_every_mapping_in_the_order_of_the_file() -> None:
    """Each is Creating and knows its file."""
    found = files_with({}, {}, {})
    made = await taken_up(MemoryMappingStore(), found)

    assert [stored.mapping for stored in made] == list(found.mappings)
    assert {(stored.state, stored.file) for stored in made} == {(State.CREATING, "a.yaml")}


async def test_reading_the_same_again_changes_nothing() -> None:
    """Neither State nor version nor LastModified."""
    layer, found = MemoryMappingStore(), files_with({}, {"Enabled": False})
    await taken_up(layer, found)
    await at_rest(layer)
    before = list(await layer.list())

    assert await taken_up(layer, found, now=NOW + 60) == before


@pytest.mark.parametrize(
    ("before", "after", "state"),
    [
        ({}, {"BatchSize": 5}, State.UPDATING),
        ({}, {"Enabled": False}, State.DISABLING),
        ({"Enabled": False}, {}, State.ENABLING),
        ({"Enabled": False}, {"Enabled": False, "BatchSize": 5}, State.UPDATING),
    ],
)
async def test_a_changed_mapping_is_in_transition(
    before: dict[str, Any], after: dict[str, Any], state: State
) -> None:
    """With its settings of now, and it keeps its UUID."""
    layer = MemoryMappingStore()
    (first,) = await taken_up(layer, files_with(before))
    await at_rest(layer)

    (changed,) = await taken_up(layer, files_with(after), now=NOW + 60)

    assert (changed.uuid, changed.state, changed.last_modified) == (first.uuid, state, NOW + 60)
    assert changed.mapping == files_with(after).mappings[0]


async def test_a_change_does_not_wait_for_the_one_before() -> None:
    """A file cannot be asked to try again."""
    layer = MemoryMappingStore()
    await taken_up(layer, files_with({}))

    (changed,) = await taken_up(layer, files_with({"Enabled": False}))

    assert (changed.state, changed.mapping.enabled) == (State.CREATING, False)


async def test_a_mapping_that_left_the_file_is_deleted_and_may_come_back() -> None:
    """Deleting, and if it comes back before it is gone, Updating."""
    layer = MemoryMappingStore()
    await taken_up(layer, files_with({}, {}, {}))
    await at_rest(layer)

    left = await taken_up(layer, files_with({}, {}))
    back = await taken_up(layer, files_with({}, {}, {}))

    assert [stored.state for stored in left] == [State.ENABLED, State.ENABLED, State.DELETING]
    assert [stored.state for stored in back] == [State.ENABLED, State.ENABLED, State.UPDATING]


@pytest.mark.parametrize(("left", "refused"), [(2, False), (1, True), (0, True)])
async def test_most_mappings_are_not_removed_by_mistake(left: int, refused: bool) -> None:  # noqa: FBT001
    """More than half at once needs a flag, which the sentence names; the old state stays."""
    layer = MemoryMappingStore()
    await taken_up(layer, files_with({}, {}, {}, {}))
    before = list(await layer.list())
    fewer = files_with(*([{}] * left))

    if refused:
        with pytest.raises(InvalidFile, match=f"{4 - left} of 4 mappings would be removed.*--allow-removal"):
            await taken_up(layer, fewer)
        assert list(await layer.list()) == before
    after = await taken_up(layer, fewer, allow_removal=True)

    assert [stored.state for stored in after].count(State.DELETING) == 4 - left


async def test_a_mapping_of_the_api_is_not_taken_over_by_a_file() -> None:
    """It waits, and the others are written; a sentence names file, mapping and UUID."""
    files, api = MemoryMappingStore(), MemoryMappingStore()
    found = files_with({}, {})
    made = StoredMapping(
        mapping=replace(found.mappings[1], uuid="made"),
        state=State.ENABLED,
        created_at=NOW,
        last_modified=NOW,
    )
    await api.add(made)
    store = LayeredStore(files=files, api=api)

    changes = file_changes([], found, now=NOW, allow_removal=False)
    free, (waiting,) = await without_taken(store, changes)
    late = await write_changes(store, changes)

    assert [stored.mapping for stored in free.added] == [found.mappings[0]]
    assert list(late) == [waiting]
    assert (waiting.entry.mapping, waiting.taken_by) == (found.mappings[1], "made")
    assert waiting.problem.startswith(f"a.yaml: {QUEUE}1 -> ")
    assert "made through the API with UUID made" in waiting.problem
