"""Which records a filter pattern lets through: the fields it names, where an event keeps them, and how they combine.

A pattern is compiled to trees of the fields it names, one tree for each way its `$or`s can be taken. A record is read
by walking such a tree, so that only named fields are visited, each once. Three rules shape the walk (they are
EventBridge's, read from aws/event-ruler):

- A dot in a name is a step: `{"a.b": ..}` and `{"a": {"b": ..}}` are the same field, in patterns and in events.
- What a pattern wants at or below a list must be found in one and the same element. A list directly inside a list
  counts as part of it.
- Fields are settled in the order of their dotted names. "Is not there" looks at the element that an earlier field has
  chosen, and at every element where none has.
"""

import enum
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mappings.pattern_operators import RESERVED_WORDS, InvalidPattern, Leaf, Test, parse_leaf

__all__ = ["Constraint", "Filters", "InvalidPattern", "Pattern"]

# The length botocore's Lambda model allows (`Pattern` of `Filter`).
MAX_CHARACTERS = 4096
# Steps from the record to a value. DynamoDB nests 32 levels, two steps each; deeper is a mistake or an attack.
MAX_DEPTH = 100
# The guide's limit on the product of all `$or`s.
MAX_COMBINATIONS = 1000
# event-ruler's limit on the fields of one combination.
MAX_FIELDS = 256
# Keys to look up for one event, over all combinations: what keeps a match below 5 ms and a compiled pattern small.
MAX_LOOKUPS = 50_000

_Path = tuple[str, ...]
_Fields = dict[_Path, Leaf]


class Constraint(enum.Flag):
    """What a pattern says of a top-level field of the record; false when it says nothing."""

    NONE = 0
    VALUES = enum.auto()
    """Its value is compared: `{"body": ["text"]}`."""
    FIELDS = enum.auto()
    """It is taken for an object, whose fields are compared: `{"body": {"a": [1]}}`."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One filter pattern, compiled."""

    text: str
    _alternatives: tuple["_Field", ...] = field(repr=False, compare=False)
    _constraints: Mapping[str, Constraint] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Compile a pattern, or raise `InvalidPattern`."""
        combinations = _expand(_read(text), (), [{}], depth=1)
        _check_size(combinations)
        constraints: dict[str, Constraint] = {}
        for name, *below in {path for fields in combinations for path in fields}:
            constraints[name] = constraints.get(name, Constraint.NONE) | _shape(below)
        return cls(text, tuple(_plant(fields) for fields in combinations), constraints)

    def matches(self, value: object) -> bool:
        """Tell whether the record, as the filter sees it, passes. Anything but an object does not."""
        return isinstance(value, dict) and any(tree.meets(value) for tree in self._alternatives)

    def constraint_on(self, name: str) -> Constraint:
        """Tell what the pattern says of a top-level field of the record, in any of its alternatives."""
        return self._constraints.get(name, Constraint.NONE)


@dataclass(frozen=True, slots=True)
class Filters:
    """The patterns of one mapping: a record passes if it matches any of them, or if there are none."""

    patterns: tuple[Pattern, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "Filters":
        return cls(tuple(Pattern.parse(text) for text in texts))

    def matches(self, value: object) -> bool:
        return not self.patterns or any(pattern.matches(value) for pattern in self.patterns)


def _shape(below: Sequence[str]) -> Constraint:
    return Constraint.FIELDS if below else Constraint.VALUES


def _read(text: str) -> dict[str, object]:
    if len(text) > MAX_CHARACTERS:
        raise InvalidPattern(f"a pattern has at most {MAX_CHARACTERS} characters, this one has {len(text)}")
    try:
        pattern = json.loads(text, parse_constant=_refuse_number, parse_float=_finite)
    except InvalidPattern:
        raise
    except ValueError as error:
        raise InvalidPattern(f"not JSON: {error}") from None
    except RecursionError:
        raise InvalidPattern("nested too deeply") from None
    if not isinstance(pattern, dict):
        raise InvalidPattern("a pattern is a JSON object")
    return pattern


def _refuse_number(text: str) -> float:
    raise InvalidPattern(f"{text} is not a number that JSON can carry")


def _finite(text: str) -> float:
    number = float(text)
    return number if abs(number) != float("inf") else _refuse_number(text)


def _expand(pattern: dict[str, object], above: _Path, combinations: list[_Fields], depth: int) -> list[_Fields]:
    """Add what an object of the pattern asks for to each combination; a path named twice keeps its last values."""
    if depth > MAX_DEPTH:
        raise InvalidPattern("nested too deeply")
    if not pattern:
        raise InvalidPattern(f"{_place(above)} is an empty object, which can match nothing")
    for name, wanted in pattern.items():
        path = (*above, *name.split("."))
        match wanted:
            case list() if name == "$or" and _is_alternation(wanted):
                combinations = _expand_each(wanted, above, combinations, depth)
            case dict():
                combinations = _expand(wanted, path, combinations, depth + 1)
            case list():
                leaf = _leaf(wanted, path)
                for fields in combinations:
                    fields[path] = leaf
            case _:
                raise InvalidPattern(f"{_place(path)} must be an object or a list of values")
    return combinations


def _is_alternation(branches: list[object]) -> bool:
    """Tell the operator `$or` from a field of that name, which a list of values makes it."""
    return len(branches) > 1 and all(isinstance(branch, dict) and _is_plain(branch) for branch in branches)


def _is_plain(branch: dict[str, object]) -> bool:
    return all(
        name not in RESERVED_WORDS and (not isinstance(wanted, dict) or _is_plain(wanted))
        for name, wanted in branch.items()
    )


def _expand_each(
    branches: list[dict[str, object]], above: _Path, combinations: list[_Fields], depth: int
) -> list[_Fields]:
    taken: list[_Fields] = []
    for branch in branches:
        taken += _expand(branch, above, [dict(fields) for fields in combinations], depth + 1)
        if len(taken) > MAX_COMBINATIONS:
            raise InvalidPattern(f"$or combines to more than {MAX_COMBINATIONS} alternatives")
    return taken


def _leaf(values: list[object], path: _Path) -> Leaf:
    if len(path) > MAX_DEPTH:
        raise InvalidPattern("nested too deeply")
    try:
        return parse_leaf(values)
    except InvalidPattern as error:
        raise InvalidPattern(f"{_place(path)}: {error}") from None


def _place(path: _Path) -> str:
    return f'"{".".join(path)}"' if path else "the pattern"


def _check_size(combinations: list[_Fields]) -> None:
    if any(len(fields) > MAX_FIELDS for fields in combinations):
        raise InvalidPattern(f"a pattern names at most {MAX_FIELDS} fields")
    # A field of n steps may stand under as many keys as there are ways to join neighbouring steps by dots.
    lookups = sum(len(path) * (len(path) + 1) // 2 for fields in combinations for path in fields)
    if lookups > MAX_LOOKUPS:
        raise InvalidPattern("too complex: fewer, or less deeply nested, fields are needed")


class _Field:
    """A place in the event that a pattern names, and what is wanted there and below.

    Each wanted leaf is one bit, numbered in the order of the dotted names. In the methods `need` holds the leaves
    still to be settled and `must`, a part of it, those that only a value can settle; the others may also be absent.
    """

    __slots__ = ("bit", "children", "leaf", "required", "routes", "test", "wanted")

    def __init__(self) -> None:
        self.children: dict[str, _Field] = {}
        self.leaf: Leaf | None = None
        self.bit = 0
        self.wanted = 0
        self.required = 0
        self.routes: tuple[tuple[str, _Field], ...] = ()
        self.test: Test = self.meets

    def close(self) -> None:
        """Derive, from the children up, what the walk needs to know."""
        if self.leaf is not None:
            self.wanted, self.required = self.bit, 0 if self.leaf.absent_too else self.bit
        for child in self.children.values():
            child.close()
            self.wanted |= child.wanted
            self.required |= child.required
        # Longer keys first: what they hold is settled before a shorter key that leads the same way is asked for it.
        self.routes = tuple(self._dotted())
        if self.wanted == self.required and self.leaf is None:
            self.test = _object_test(self)
        elif self.wanted == self.bit == self.required and self.leaf is not None:
            self.test = _value_test(self.leaf.accepts)

    def _dotted(self) -> Iterable[tuple[str, "_Field"]]:
        for name, child in self.children.items():
            for key, place in (*child.routes, *child.children.items()):
                yield f"{name}.{key}", place

    def meets(self, value: object) -> bool:
        return self._settles(value, self.wanted, self.required)

    def _settles(self, value: object, need: int, must: int) -> bool:
        if must == self.wanted:
            return self.test(value)
        if isinstance(value, dict):
            return self.object_settles(value, need, must)
        if isinstance(value, list):
            return self._list_settles(_flat(value), need, must)
        if must & ~self.bit:
            return False
        return not need & self.bit or self._accepts(value)
