"""The file of access keys that may sign requests, and what each of them may do.

A YAML or JSON list, one entry a key, every member required:

    - access_key_id: AKIAEXAMPLE
      secret_access_key: "40 random characters"     # at least 32
      role: read-write                              # or read-only
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import cast

from mappings.documents import read_document
from mappings.errors import InvalidFile, InvalidSecretFile

# A signature that is overheard lets a short secret be guessed at leisure; AWS's own have 40 characters.
SHORTEST_SECRET = 32
_MEMBERS = ("access_key_id", "secret_access_key", "role")
_KEY_ID = re.compile(r"[A-Za-z0-9._+=@-]{3,128}")
_SECRET = re.compile(rf"[\x21-\x7e]{{{SHORTEST_SECRET},256}}")
_PLACE = re.compile(r"line [0-9]+, column [0-9]+")


class Role(StrEnum):
    READ_WRITE = "read-write"
    READ_ONLY = "read-only"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """One key that may sign; its repr shows the role alone."""

    id: str = field(repr=False)
    secret: str = field(repr=False)
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKeys:
    """The keys of one file."""

    by_id: Mapping[str, AccessKey] = field(repr=False)


def read_access_keys(path: Path) -> AccessKeys:
    """Return the keys of a file; raise InvalidSecretFile without a word of its content."""
    try:
        entries = read_document(path)
    except InvalidFile as error:
        # Its sentences quote the text.
        place = _PLACE.match(error.problems[0])
        where = f", {place.group()}" if place else ""
        raise InvalidSecretFile(f"{path}{where}: not readable as YAML or JSON") from None
    if not isinstance(entries, list) or not entries:
        raise InvalidSecretFile(f"{path} must hold a list of keys, each with {', '.join(_MEMBERS)}")
    keys: dict[str, AccessKey] = {}
    for index, entry in enumerate(entries):
        for problem in _problems(entry, keys):
            raise InvalidSecretFile(f"{path}: key [{index}]: {problem}")
        keys[entry["access_key_id"]] = AccessKey(
            id=entry["access_key_id"], secret=entry["secret_access_key"], role=Role(entry["role"])
        )
    return AccessKeys(by_id=keys)


def _problems(entry: object, keys: Mapping[str, AccessKey]) -> Iterator[str]:
    if not isinstance(entry, dict) or set(entry) != set(_MEMBERS):
        yield f"it must have exactly {', '.join(_MEMBERS)}"
        return
    members = cast("dict[str, object]", entry)
    key_id, secret, role = (members[name] for name in _MEMBERS)
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        yield "access_key_id must be a string of 3 to 128 characters out of A-Z a-z 0-9 . _ + = @ -"
    elif key_id in keys:
        yield "access_key_id is that of an earlier key"
    if not isinstance(secret, str) or not _SECRET.fullmatch(secret):
        yield f"secret_access_key must be a string of {SHORTEST_SECRET} to 256 characters without spaces"
    if role not in set(Role):
        yield f"role must be {' or '.join(Role)}"
