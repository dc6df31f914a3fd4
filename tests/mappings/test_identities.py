"""Which mapping of a file is which, when functions of the file change."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mappings.errors import InvalidFile
from mappings.files import MappingSet
from mappings.identities import Known, identified, remembered
from mappings.validation import mapping_from_request

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"


def file_with(*functions: str, source: str = STREAM) -> MappingSet:
    """A file with mappings of one source."""
    starting = {"StartingPosition": "LATEST"} if source == STREAM else {}
    mappings = tuple(
        mapping_from_request({"EventSourceArn": source, "FunctionName": name, **starting}, now=0.0)
        for name in functions
    )
    return MappingSet(functions={}, mappings=mappings, file_of={m.uuid: "m.yaml" for m in mappings})


def after(*files: MappingSet) -> tuple[MappingSet, Sequence[Known]]:
    """The last file as it is taken up after those before it, and what is known then."""
    known: Sequence[Known] = ()
    for each in files:
        found = identified(each, known)
        known = remembered(found.mappings, known)
    return found, known


def uuid_of(function: str, source: str = STREAM) -> str:
    """The UUID that source and function give."""
    return file_with(function, source=source).mappings[0].uuid


def test_a_mapping_that_nobody_knows_has_the_uuid_of_source_and_function() -> None:
    """The key of states that were written before."""
    found, _ = after(file_with("audit"))

    assert found == file_with("audit")


@pytest.mark.parametrize("name", ["repaired", "audit:live"])
@pytest.mark.parametrize("source", [STREAM, QUEUE])
def test_another_function_or_alias_is_an_update(name: str, source: str) -> None:
    """The mapping keeps its UUID, and its file and tags with it."""
    found, _ = after(file_with("audit", source=source), file_with(name, source=source))

    (mapping,) = found.mappings
    assert (mapping.uuid, mapping.function_name) == (uuid_of("audit", source), name)
    assert found.file_of == {mapping.uuid: "m.yaml"}


def test_a_change_is_remembered_over_restarts() -> None:
    """The name it has is what it is known by, however often that changes."""
    found, known = after(*(file_with(name) for name in ("a", "b", "b", "c")))

    assert found.mappings[0].uuid == uuid_of("a")
    assert [(each.function.rpartition(":")[2], each.standing) for each in known] == [("c", True)]


def test_one_of_two_functions_may_change() -> None:
    """The other one tells which."""
    found, _ = after(file_with("a", "b"), file_with("c", "b"))

    assert [mapping.uuid for mapping in found.mappings] == [uuid_of("a"), uuid_of("b")]


def test_an_earlier_name_may_be_used_again_by_another_mapping() -> None:
    """It does not get the position of the one that had it; which UUID it gets is the same everywhere."""
    found, _ = after(file_with("a"), file_with("b"), file_with("b", "a"))
    again, _ = after(file_with("a"), file_with("b"), file_with("b", "a"))

    assert found.mappings[0].uuid == uuid_of("a")
    assert found.mappings[1].uuid not in {uuid_of("a"), uuid_of("b")}
    assert found == again


def test_a_mapping_that_left_its_file_finds_its_place_again() -> None:
    """Under the name it had last."""
    found, _ = after(file_with("a", "b"), file_with("c", "b"), file_with("b"), file_with("b", "c"))

    assert [mapping.uuid for mapping in found.mappings] == [uuid_of("b"), uuid_of("a")]


def test_a_mapping_that_left_its_file_is_not_what_a_new_one_was() -> None:
    """A function that comes after it begins at StartingPosition."""
    found, _ = after(file_with("a", "b"), file_with("b"), file_with("b", "c"))

    assert [mapping.uuid for mapping in found.mappings] == [uuid_of("b"), uuid_of("c")]


@pytest.mark.parametrize(
    ("before", "now", "pairings"),
    [
        ("ab", "cd", ("a becomes c, b becomes d", "a becomes d, b becomes c")),
        ("a", "cd", ("a becomes c, d is new", "a becomes d, c is new")),
        ("ab", "c", ("a becomes c, b is removed", "b becomes c, a is removed")),
    ],
)
def test_changes_that_can_be_read_in_two_ways_are_refused(
    before: str, now: str, pairings: tuple[str, str]
) -> None:
    """With file, source, both ways and the mend."""
    with pytest.raises(InvalidFile) as refused:
        after(file_with(*before), file_with(*now))

    (problem,) = refused.value.problems
    assert problem.startswith(f"m.yaml: of the mappings of {STREAM} ")
    assert "; or ".join(pairings) in problem
    assert "change one at a time" in problem


def test_of_a_queue_several_functions_may_change_at_once() -> None:
    """It has no position that could be lost."""
    found, _ = after(file_with("a", "b", source=QUEUE), file_with("c", "d", source=QUEUE))

    assert {mapping.uuid for mapping in found.mappings} == {uuid_of("a", QUEUE), uuid_of("b", QUEUE)}


def test_tags_stay_with_their_mapping() -> None:
    """They are found by UUID."""
    tagged = file_with("b")
    tagged = replace(tagged, tags_of={tagged.mappings[0].uuid: {"team": "x"}})

    found, _ = after(file_with("a"), tagged)

    assert found.tags_of == {uuid_of("a"): {"team": "x"}}
