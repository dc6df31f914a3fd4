"""Read filter patterns: which fields one names, how `$or` combines them, and which are too big to accept.

What a value must be is read by pattern_operators.py; pattern_fields.py looks the fields up in an event.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from mappings.pattern_fields import Field, Path, plant
from mappings.pattern_numbers import decode_exactly
from mappings.pattern_operators import WORDS, Leaf, parse_leaf
from mappings.pattern_strings import InvalidPattern
from mappings.pattern_wildcards import Written, complexity

__all__ = ["Alternative", "Constraint", "Filters", "InvalidPattern", "Pattern"]

# `Pattern` in botocore's Lambda model.
MAX_CHARACTERS = 4096
# Steps from the record to a value, and objects within objects. DynamoDB nests 32 levels, of two steps each.
MAX_DEPTH = 100
# EventBridge's limit on the product of all `$or`s.
MAX_COMBINATIONS = 1000
# event-ruler's limit on the fields of one combination.
MAX_FIELDS = 256
# Keys that one event may be asked for, all combinations together: bounds the time of a match and our memory.
MAX_KEYS = 50_000

# Names that no field inside `$or` may have: the operators, and what event-ruler keeps for later ones.
_RESERVED_WORDS = WORDS | {
    "regex", "not-wildcard", "not-equals-ignore-case",
    "date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range",
    "ip-address-in-range", "ip-address-not-in-range",
}  # fmt: skip

_Leaves = dict[Path, Leaf]


class Constraint(enum.Flag):
    """What a pattern says of one field of the record; false when it says nothing."""

    NONE = 0
    VALUES = enum.auto()
    """Its value is compared: `{"body": ["text"]}`."""
    FIELDS = enum.auto()
    """It is taken for an object whose fields are compared: `{"body": {"a": [1]}}`."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One combination of `$or` branches; the whole pattern where it has no `$or`."""

    _tree: Field
    _constraints: Mapping[str, Constraint]

    def matches(self, value: object) -> bool:
        """Tell whether the record, as the filter sees it, has every field; only an object can."""
        return isinstance(value, dict) and self._tree.meets(value)

    def constraint_on(self, name: str) -> Constraint:
        """Tell what is said of a field at the top of the record."""
        return self._constraints.get(name, Constraint.NONE)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One filter pattern, compiled."""

    text: str
    alternatives: tuple[Alternative, ...] = field(repr=False, compare=False)
    """A record passes by matching one of them."""
    compares_numbers: bool = field(repr=False, compare=False)
    """Whether the numbers of a record must be decoded exactly."""
    negations: frozenset[str] = field(repr=False, compare=False)
    """The operators that an anything-but negates."""
    _written: tuple[Written, ...] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Compile a pattern, or raise `InvalidPattern`."""
        combinations = _expand(_read(text), (), [{}], 1)
        _check_size(combinations)
        leaves = [leaf for combination in combinations for leaf in combination.values()]
        return cls(
            text=text,
            alternatives=tuple(map(Alternative, plant(combinations), map(_constraints, combinations))),
            compares_numbers=any(leaf.numbers for leaf in leaves),
            negations=frozenset[str]().union(*(leaf.negations for leaf in leaves)),
            _written=tuple(_written(combinations)),
        )

    @property
    def complexity(self) -> int | None:
        """Return how many wildcard prefixes one value can match; None where it takes too long to tell."""
        return complexity(self._written)

    def matches(self, value: object) -> bool:
        """Tell whether the record, as the filter sees it, passes; only an object can."""
        return any(each.matches(value) for each in self.alternatives)

    def constraint_on(self, name: str) -> Constraint:
        """Tell what the pattern says, in any of its `$or` branches, of a field at the top of the record."""
        said = Constraint.NONE
        for each in self.alternatives:
            said |= each.constraint_on(name)
        return said


@dataclass(frozen=True, slots=True)
class Filters:
    """The patterns of a mapping. A record passes by matching one of them, or because there are none."""

    patterns: tuple[Pattern, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "Filters":
        return cls(tuple(Pattern.parse(text) for text in texts))

    def matches(self, value: object) -> bool:
        return not self.patterns or any(pattern.matches(value) for pattern in self.patterns)


def _read(text: str) -> dict[str, object]:
    if len(text) > MAX_CHARACTERS:
        raise InvalidPattern(f"a pattern has at most {MAX_CHARACTERS} characters, not {len(text)}")
    try:
        pattern = decode_exactly(text)
    except ValueError as error:
        raise InvalidPattern(f"not JSON: {error}") from None
    if not isinstance(pattern, dict):
        raise InvalidPattern("a pattern is a JSON object")
    return pattern


def _constraints(leaves: _Leaves) -> Mapping[str, Constraint]:
    said: dict[str, Constraint] = {}
    for name, *below in leaves:
        shape = Constraint.FIELDS if below else Constraint.VALUES
        said[name] = said.get(name, Constraint.NONE) | shape
    return said


def _written(combinations: Iterable[_Leaves]) -> Iterable[Written]:
    """Return the wildcards that one value is compared with at once.

    Those are all of a field that stand behind the same alternatives of the fields before it. event-ruler does
    not count what stands behind a field that must be absent.
    """
    together: dict[tuple[object, ...], list[tuple[str, ...]]] = {}
    for leaves in combinations:
        before: tuple[object, ...] = ()
        for path in sorted(leaves, key=".".join):
            if leaves[path].wildcards:
                together.setdefault((path, *before), []).extend(leaves[path].wildcards)
            if leaves[path].absent_only:
                break
            before = (*before, path, id(leaves[path]))
    return map(tuple, together.values())


def _expand(wanted: dict[str, object], above: Path, combinations: list[_Leaves], depth: int) -> list[_Leaves]:
    """Add an object's wishes to every combination so far. A path that is named twice keeps the last one."""
    if depth > MAX_DEPTH or len(above) > MAX_DEPTH:
        raise InvalidPattern("nested too deeply")
    if not wanted:
        raise InvalidPattern(f"{_place(above)} is an empty object, which can match nothing")
    for name, below in wanted.items():
        path = (*above, *name.split("."))
        if name == "$or" and _is_alternation(below):
            combinations = _expand_each(below, above, combinations, depth + 1)
        elif isinstance(below, dict):
            combinations = _expand(below, path, combinations, depth + 1)
        elif isinstance(below, list):
            leaf = _leaf(below, path)
            for leaves in combinations:
                leaves[path] = leaf
        else:
            raise InvalidPattern(f"{_place(path)} must be an object or a list of values")
    return combinations


def _is_alternation(below: object) -> TypeGuard[list[dict[str, object]]]:
    """Tell the operator `$or` from a field of that name, as event-ruler does."""
    return isinstance(below, list) and len(below) > 1 and all(map(_has_only_fields, below))


def _has_only_fields(branch: object) -> bool:
    return isinstance(branch, dict) and all(
        name not in _RESERVED_WORDS and (not isinstance(below, dict) or _has_only_fields(below))
        for name, below in branch.items()
    )


def _expand_each(
    branches: list[dict[str, object]], above: Path, combinations: list[_Leaves], depth: int
) -> list[_Leaves]:
    expanded: list[_Leaves] = []
    for branch in branches:
        expanded += _expand(branch, above, [leaves.copy() for leaves in combinations], depth)
        if len(expanded) > MAX_COMBINATIONS:
            raise InvalidPattern(f"$or makes more than {MAX_COMBINATIONS} combinations")
    return expanded


def _leaf(values: list[object], path: Path) -> Leaf:
    if len(path) > MAX_DEPTH:
        raise InvalidPattern("nested too deeply")
    try:
        return parse_leaf(values)
    except InvalidPattern as reason:
        raise InvalidPattern(f"{_place(path)}: {reason}") from None


def _place(path: Path) -> str:
    return f'"{".".join(path)}"' if path else "the pattern"


def _check_size(combinations: list[_Leaves]) -> None:
    if any(len(leaves) > MAX_FIELDS for leaves in combinations):
        raise InvalidPattern(f"a pattern names at most {MAX_FIELDS} fields")
    # An event may join the steps of a path by dots: every part of the path is a key to look for.
    keys = sum(len(path) * (len(path) + 1) // 2 for leaves in combinations for path in leaves)
    if keys > MAX_KEYS:
        raise InvalidPattern("too complex: name fewer fields, nest them less or use fewer $or branches")
