"""The tags of a mapping file are those of its mappings, whenever it is read."""

from pathlib import Path

import yaml

from mappings.file_layer import file_changes
from mappings.files import MappingSet, read_mapping_files

NOW = 1_800_000_000.0
ORDERS = {"EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:orders", "FunctionName": "audit"}


def set_of(folder: Path, **fields: object) -> MappingSet:
    path = folder / "mappings.yaml"
    path.write_text(yaml.safe_dump({"mappings": [{**ORDERS, **fields}]}))
    return read_mapping_files([path], now=NOW)


def test_the_tags_of_a_file_are_those_of_its_mapping(tmp_path: Path) -> None:
    """As if the request had been sent to the API."""
    found = file_changes([], set_of(tmp_path, Tags={"team": "orders"}), now=NOW, allow_removal=False)

    assert [stored.tags for stored in found.added] == [{"team": "orders"}]


def test_other_tags_change_nothing_but_tags(tmp_path: Path) -> None:
    """The mapping goes on polling, and was not modified; tags that are gone go."""
    before = file_changes([], set_of(tmp_path, Tags={"team": "orders"}), now=NOW, allow_removal=False).added

    other = file_changes(before, set_of(tmp_path, Tags={"env": "qa"}), now=NOW + 1, allow_removal=False)
    none = file_changes(before, set_of(tmp_path), now=NOW + 1, allow_removal=False)

    assert [(each.tags, each.last_modified, each.state) for each in (*other.changed, *none.changed)] == [
        ({"env": "qa"}, NOW, before[0].state),
        ({}, NOW, before[0].state),
    ]
    assert not file_changes(before, set_of(tmp_path, Tags={"team": "orders"}), now=NOW, allow_removal=False)
