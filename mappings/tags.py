"""Tags of a mapping: which may be set, and what a set of them becomes. AWS keeps them beside the mapping."""

from collections.abc import Iterable, Mapping

from mappings.errors import InvalidParameterValueException

MAXIMUM_TAGS = 50
MAXIMUM_VALUE_LENGTH = 256
# Marks a mapping that a file defines, and names the file.
FILE_TAG = "poller:file"
_RESERVED = ("aws:", "poller:")


def tag_problem(tags: Mapping[str, str]) -> str | None:
    """Return why these tags, whose declared constraints are kept, may not be set; None where they may."""
    for key in tags:
        if key.startswith(_RESERVED):
            return f"The tag key {key} is reserved: it begins with {' or '.join(_RESERVED)}"
    return "Number of tags exceeds resource tag limit." if len(tags) > MAXIMUM_TAGS else None


def with_tags(tags: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Return the tags with others set over them.

    Raises InvalidParameterValueException where AWS refuses that.
    """
    if not added:
        raise InvalidParameterValueException("An error occurred and the request cannot be processed.")
    merged = {**tags, **added}
    if problem := tag_problem(added) or tag_problem(merged):
        raise InvalidParameterValueException(problem)
    return merged


def without_tags(tags: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    """Return the tags without those of `keys`; a key that is not there is none to remove."""
    removed = set(keys)
    return {key: value for key, value in tags.items() if key not in removed}


def shown_tags(tags: Mapping[str, str], file: str | None) -> dict[str, str]:
    """Return the tags as they are listed; `file` is the mapping file that defines the mapping."""
    if file is None:
        return dict(tags)
    return {**tags, FILE_TAG: file[-MAXIMUM_VALUE_LENGTH:]}
