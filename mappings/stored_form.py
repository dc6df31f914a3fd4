"""A stored mapping as text: JSON that an earlier or later version of this program still reads."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from mappings.arns import EventSource
from mappings.model import EventSourceMapping, StartingPosition
from mappings.states import State
from mappings.store import StoredMapping

# What is kept beside the text, because it changes without it.
_BESIDE = ("version", "last_processing_result")


def to_text(stored: StoredMapping) -> str:
    """Return everything but the version and the last processing result."""
    document = asdict(replace(stored, tags=dict(stored.tags)))
    document["mapping"]["event_source"] = stored.mapping.event_source.arn
    for name in _BESIDE:
        del document[name]
    return json.dumps(document)


def from_text(text: str, *, version: int, last_processing_result: str) -> StoredMapping:
    """Return what `to_text` wrote; a member that it did not write has its default."""
    document = json.loads(text)
    return StoredMapping(
        **_known(StoredMapping, document)
        | {
            "mapping": _mapping(document["mapping"]),
            "state": State(document["state"]),
            "version": version,
            "last_processing_result": last_processing_result,
        }
    )


def _mapping(document: Mapping[str, object]) -> EventSourceMapping:
    members = _known(EventSourceMapping, document)
    position = members.get("starting_position")
    lists = {name: tuple(value) for name, value in members.items() if isinstance(value, list)}
    return EventSourceMapping(
        **members
        | lists
        | {
            "event_source": EventSource.parse(str(document["event_source"])),
            "starting_position": StartingPosition(str(position)) if position else None,
        }
    )


def _known(kind: type, document: Mapping[str, object]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in document.items() if name in names}
