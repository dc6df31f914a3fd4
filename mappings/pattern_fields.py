"""Where in an event the fields of a pattern are looked for, and when together they are found.

Only named fields are visited. Three rules shape the walk; they are EventBridge's, read from aws/event-ruler:

- A dot in a name is a step: `{"a.b": ..}` and `{"a": {"b": ..}}` hold the same field.
- What is wanted below a list must be found in one and the same element. A list inside a list is part of it.
- Fields are settled in the order of their dotted names. "Is not there" looks only at the element in which an
  earlier field was found, and at all elements where there is none.
"""

from collections.abc import Iterable, Iterator, Mapping

from mappings.pattern_numbers import NumberText
from mappings.pattern_operators import Leaf
from mappings.pattern_strings import Test

Path = tuple[str, ...]
_SCALAR_TYPES = frozenset({str, int, float, bool, type(None), NumberText})
# What is wanted below a field: the rest of the path, the leaf there, and the leaf's bit.
_Wishes = tuple[tuple[Path, Leaf, int], ...]


def plant(combinations: Iterable[Mapping[Path, Leaf]]) -> tuple["Field", ...]:
    """Grow, for each combination of leaves, the tree whose `meets` says whether an event has them all.

    Equal branches of the trees are one: what `$or` multiplies is mostly the same.
    """
    grown: dict[_Wishes, Field] = {}
    return tuple(
        _grow(tuple((path, leaves[path], 1 << position) for position, path in enumerate(ordered)), grown)
        for leaves in combinations
        for ordered in [sorted(leaves, key=".".join)]
    )


def _grow(wishes: _Wishes, grown: dict[_Wishes, "Field"]) -> "Field":
    if wishes not in grown:
        here: tuple[Leaf | None, int] = (None, 0)
        below: dict[str, _Wishes] = {}
        for path, leaf, bit in wishes:
            if path:
                below[path[0]] = (*below.get(path[0], ()), (path[1:], leaf, bit))
            else:
                here = (leaf, bit)
        grown[wishes] = Field({name: _grow(rest, grown) for name, rest in below.items()}, *here)
    return grown[wishes]


class Field:
    """A place that the pattern names, with all it wants there and below.

    Every leaf is one bit, numbered in the order of the dotted names. During the walk `need` holds the leaves
    to settle, and `must`, a part of it, those that only a value settles; the rest may also be absent.
    """

    __slots__ = ("_compiled", "_keys", "_leaf", "bit", "children", "meets", "required", "routes", "wanted")

    def __init__(self, children: dict[str, "Field"], leaf: Leaf | None, bit: int) -> None:
        self.children = children
        self.bit = self.wanted = bit
        self.required = 0 if leaf is None or leaf.absent_too else bit
        for child in children.values():
            self.wanted |= child.wanted
            self.required |= child.required
        self.routes = tuple(self._dotted_routes())
        self._keys = (*self.routes, *children.items())
        self._leaf = leaf
        compiled = self._compile()
        self._compiled = compiled is not None
        self.meets: Test = compiled or (lambda value: self.settles(value, self.wanted, self.required))

    def _dotted_routes(self) -> Iterator[tuple[str, "Field"]]:
        """Yield the keys that lead more than one step down, the longer and so more specific ones first."""
        for name, child in self.children.items():
            for key, place in child._keys:  # noqa: SLF001  # a field of the same tree
                yield f"{name}.{key}", place

    def _compile(self) -> Test | None:
        """Make a quicker `settles` for a place below which everything must have a value."""
        if self.required != self.wanted or (self._leaf and self.children):
            return None
        return _value_test(self._leaf.accepts) if self._leaf else _object_test(self)

    def settles(self, value: object, need: int, must: int) -> bool:
        """Tell whether the value at this place settles all of `need`."""
        if self._compiled and need == self.wanted:
            return self.meets(value)
        if isinstance(value, dict):
            return self.object_settles(value, need, must)
        if isinstance(value, list):
            return self._list_settles(_flat(value), need, must)
        return not must & ~self.bit and self._value_settles([value], need, must)

    def object_settles(self, value: Mapping[str, object], need: int, must: int) -> bool:
        if must & self.bit:
            return False
        for key, place in self.routes:
            if key in value:
                found = place.present(value[key], need & place.wanted)
                if found and place.settles(value[key], found, must & found):
                    need, must = need & ~found, must & ~found
                else:
                    must |= found
        for name, child in self.children.items():
            if need & child.wanted and name in value:
                if not child.settles(value[name], need & child.wanted, must & child.wanted):
                    return False
            elif must & child.wanted:
                return False
        return True

    def _list_settles(self, elements: list[object], need: int, must: int) -> bool:
        if not self._value_settles(_scalars(elements), need, must):
            return False
        need, must = need & ~self.bit, must & ~self.bit
        # Before the first leaf that must be found no element is chosen: absence is judged over all of them.
        unchosen = need & ~must & ((must & -must) - 1)
        found = self._present_in(elements, unchosen)
        first = found & -found
        need &= ~(unchosen & (first - 1))
        must |= first
        return not need or any(
            self.object_settles(element, need, must) for element in elements if isinstance(element, dict)
        )

    def _value_settles(self, scalars: list[object], need: int, must: int) -> bool:
        """Tell whether the scalars at this very place settle its own leaf, if that is needed."""
        if not need & self.bit or self._leaf is None:
            return True
        return any(map(self._leaf.accepts, scalars)) or not (scalars or must & self.bit)

    def present(self, value: object, leaves: int) -> int:
        """Tell which of these leaves have a value, whatever it is."""
        if isinstance(value, list):
            return self._present_in(_flat(value), leaves)
        if not isinstance(value, dict):
            return leaves & self.bit
        found = 0
        for key, place in self._keys:
            sought = leaves & place.wanted & ~found
            if sought and key in value:
                found |= place.present(value[key], sought)
        return found

    def _present_in(self, elements: list[object], leaves: int) -> int:
        found = 0
        for element in elements:
            if found == leaves:
                break
            found |= self.present(element, leaves & ~found)
        return found


def _value_test(accepts: Test) -> Test:
    def meets(value: object) -> bool:
        if isinstance(value, list):
            return any(map(accepts, _scalars(value)))
        return not isinstance(value, dict) and accepts(value)

    return meets


def _object_test(field: Field) -> Test:
    members = tuple((name, child.meets) for name, child in field.children.items())
    dotted = frozenset(key for key, _ in field.routes)
    wanted = field.wanted

    def object_meets(value: dict[str, object]) -> bool:
        if dotted and not value.keys().isdisjoint(dotted):
            return field.object_settles(value, wanted, wanted)
        for name, meets in members:  # noqa: SIM110  # a generator would double the time of a list's element
            if name not in value or not meets(value[name]):
                return False
        return True

    def meets(value: object) -> bool:
        if isinstance(value, dict):
            return object_meets(value)
        if isinstance(value, list):
            for element in _flat(value):
                if isinstance(element, dict) and object_meets(element):
                    return True
        return False

    return meets


def _scalars(items: list[object]) -> list[object]:
    if _SCALAR_TYPES.issuperset(map(type, items)):
        return items
    return [element for element in _flat(items) if not isinstance(element, dict)]


def _flat(items: list[object]) -> list[object]:
    """Take lists out of lists, without recursion: an event may nest them deeper than Python's stack."""
    if list not in map(type, items):
        return items
    flat: list[object] = []
    pending = [iter(items)]
    while pending:
        for item in pending[-1]:
            if isinstance(item, list):
                pending.append(iter(item))
                break
            flat.append(item)
        else:
            pending.pop()
    return flat
