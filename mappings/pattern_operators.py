"""What one value must be: the list at the end of a pattern's path, compiled to a test of a single scalar.

Where in the event the value stands, and what lists and objects mean there, is decided in patterns.py.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeGuard, cast

from mappings.pattern_addresses import Block, address_digits
from mappings.pattern_numbers import Number, NumberText
from mappings.pattern_strings import (
    InvalidPattern,
    Test,
    equals_ignore_case,
    one_of_strings,
    only_member,
    prefix,
    string,
    suffix,
    wildcard,
)

# Exact types: true and false are not numbers, and this is twice as fast as isinstance.
_NUMBER_TYPES = frozenset({int, float})

_COMPARISONS: dict[object, Callable[[Number, Number], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leaf:
    """What a field accepts: certain scalars and, when `absent_too`, not being there at all."""

    accepts: Test
    absent_too: bool
    absent_only: bool
    wildcards: tuple[tuple[str, ...], ...] = ()
    """The wildcards of each alternative that has any, as they are written."""
    numbers: bool = False
    """Whether a number is compared by value."""
    negations: frozenset[str] = frozenset()
    """The operators that an anything-but negates."""


def parse_leaf(values: Sequence[object]) -> Leaf:
    """Compile the alternatives of one field, any of which is enough."""
    if not values:
        raise InvalidPattern("an empty list can match nothing; name at least one value")
    strings = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if _is_number(value) or isinstance(value, NumberText)]
    tests = [_one_of_strings_or_addresses(strings)] if strings else []
    tests += [_one_of_numbers(numbers)] if numbers else []
    for value in values:
        if value is None or isinstance(value, bool):
            tests.append(_identical(value))
        elif isinstance(value, dict):
            tests.append(_operator(value))
        elif isinstance(value, list):
            raise InvalidPattern("a list of values may not hold another list")
    operators = [value for value in values if isinstance(value, dict)]
    negated = [each["anything-but"] for each in operators if "anything-but" in each]
    return Leaf(
        accepts=_any(tests),
        absent_too=_absent in tests,
        absent_only=set(tests) == {_absent},
        wildcards=tuple(texts for each in (*operators, *negated) if (texts := _wildcards_of(each))),
        numbers=bool(numbers)
        or any("numeric" in each for each in operators)
        or any(map(_has_number, negated)),
        negations=frozenset(name for operand in negated if isinstance(operand, dict) for name in operand),
    )


def _wildcards_of(value: object) -> tuple[str, ...]:
    operand = value.get("wildcard", ()) if isinstance(value, dict) else ()
    return (operand,) if isinstance(operand, str) else tuple(operand)


def _has_number(operand: object) -> bool:
    return any(map(_is_number, operand if isinstance(operand, list) else [operand]))


def _any(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def accepts(value: object) -> bool:
        for test in tests:  # noqa: SIM110  # a generator would cost as much as the tests it runs
            if test(value):
                return True
        return False

    return accepts


def _none(tests: Sequence[Test]) -> Test:
    accepts = _any(tests)
    return lambda value: not accepts(value)


def _identical(constant: object) -> Test:
    return lambda value: value is constant


def _one_of_strings_or_addresses(strings: Iterable[str]) -> Test:
    """By text; what is written as an internet address, by the address that it means."""
    accepted = frozenset(strings)
    addresses = tuple(digits for text in accepted if (digits := address_digits(text)) is not None)
    if not addresses:
        return accepted.__contains__

    def accepts(value: object) -> bool:
        if value in accepted:
            return True
        digits = address_digits(value) if isinstance(value, str) else None
        return digits is not None and digits.startswith(addresses)

    return accepts


def _one_of_numbers(numbers: Sequence[Number | NumberText]) -> Test:
    """By value, so that 300 is 300.0; but 1 is not true."""
    whole = [int(each.text) for each in numbers if isinstance(each, NumberText) and each.is_whole]
    accepted = frozenset([*numbers, *whole])
    return lambda value: value in accepted and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[Number]:
    return type(value) in _NUMBER_TYPES


def _operator(value: dict[str, object]) -> Test:
    name, operand = only_member(value)
    if name not in _OPERATORS:
        raise InvalidPattern(f'"{name}" is not an operator')
    return _OPERATORS[name](operand)


def _exactly(operand: object) -> Test:
    return one_of_strings([string(operand, "exactly")])


def _exists(operand: object) -> Test:
    if not isinstance(operand, bool):
        raise InvalidPattern("exists needs true or false")
    return _present if operand else _absent


def _present(_value: object) -> bool:
    return True


def _absent(_value: object) -> bool:
    """Refuse every value: `{"exists": false}` is met by the field not being there, see `Leaf.absent_too`."""
    return False


def _anything_but(operand: object) -> Test:
    if isinstance(operand, dict):
        return _anything_but_operator(operand)
    members: list[object] = operand if isinstance(operand, list) else [operand]
    strings = [member for member in members if isinstance(member, str)]
    numbers = [member for member in members if _is_number(member)]
    if not members or len(members) not in {len(strings), len(numbers)}:
        raise InvalidPattern(
            "anything-but needs one string or number, or a list of only strings or only numbers; "
            "a number must be one that a double holds exactly"
        )
    return _none([one_of_strings(strings) if strings else _one_of_numbers(numbers)])


def _anything_but_operator(operand: dict[str, object]) -> Test:
    name, nested = only_member(operand)
    if name not in {"prefix", "suffix", "equals-ignore-case", "wildcard"}:
        raise InvalidPattern(f'anything-but cannot be combined with "{name}"')
    members = nested if isinstance(nested, list) else [nested]
    texts = [string(member, f"anything-but {name}") for member in members]
    if not texts or (name in {"prefix", "suffix"} and "" in texts):
        raise InvalidPattern(f"anything-but {name} with nothing to refuse would match nothing or everything")
    return _none([_OPERATORS[name](text) for text in texts])


def _numeric(operand: object) -> Test:
    match operand:
        case [name, bound]:
            return _comparison(name, bound)
        case [(">" | ">=") as low, bottom, ("<" | "<=") as high, top]:
            above, below = _comparison(low, bottom), _comparison(high, top)
            if cast("Number", bottom) >= cast("Number", top):
                raise InvalidPattern("numeric needs a lower bound below its upper bound")
            return lambda value: above(value) and below(value)
    raise InvalidPattern("numeric needs one comparison, or a lower bound (> or >=) and then an upper one")


def _comparison(name: object, bound: object) -> Test:
    compare = _COMPARISONS.get(name) if isinstance(name, str) else None
    if compare is None:
        raise InvalidPattern("numeric compares with =, <, <=, > or >=")
    if not _is_number(bound):
        raise InvalidPattern(f"numeric {name} needs a number that a double holds exactly")
    return lambda value: _is_number(value) and compare(value, bound)


def _cidr(operand: object) -> Test:
    block = Block.parse(string(operand, "cidr"))
    if block is None:
        raise InvalidPattern(
            "cidr needs an address block such as 10.0.0.0/24 or 2001:db8::/32, with at most 31 bits for IPv4 "
            "and 127 for IPv6; a single address is written as a string"
        )

    def accepts(value: object) -> bool:
        digits = address_digits(value) if isinstance(value, str) else None
        return digits is not None and block.holds(digits)

    return accepts


_OPERATORS: dict[str, Callable[[object], Test]] = {
    "exactly": _exactly,
    "prefix": prefix,
    "suffix": suffix,
    "equals-ignore-case": equals_ignore_case,
    "wildcard": wildcard,
    "anything-but": _anything_but,
    "exists": _exists,
    "numeric": _numeric,
    "cidr": _cidr,
}

# All words with a meaning of their own inside a leaf.
WORDS = frozenset({*_OPERATORS, *_COMPARISONS})
