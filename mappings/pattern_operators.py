"""What one value must be: the list at the end of a pattern's path, compiled to a test of a single scalar.

Where in the event the value stands, and what lists and objects mean there, is decided in patterns.py.
"""

import ipaddress
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeGuard

Test = Callable[[object], bool]
Number = int | float

# Exact types: true and false are not numbers, and this is twice as fast as isinstance.
_NUMBER_TYPES = frozenset({int, float})

# The longest spelling of an IPv6 address; a longer string is not worth parsing.
_LONGEST_ADDRESS = 39

_COMPARISONS: dict[object, Callable[[Number, Number], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class InvalidPattern(ValueError):
    """The text is not an event pattern; `str()` says what is wrong with it, and where."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leaf:
    """What a field accepts: certain scalars and, when `absent_too`, not being there at all."""

    accepts: Test
    absent_too: bool


def parse_leaf(values: Sequence[object]) -> Leaf:
    """Compile the alternatives of one field, any of which is enough."""
    if not values:
        raise InvalidPattern("an empty list can match nothing; name at least one value")
    strings = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if _is_number(value)]
    tests = [_one_of_strings(strings)] if strings else []
    tests += [_one_of_numbers(numbers)] if numbers else []
    for value in values:
        if value is None or isinstance(value, bool):
            tests.append(_identical(value))
        elif isinstance(value, dict):
            tests.append(_operator(value))
        elif isinstance(value, list):
            raise InvalidPattern("a list of values may not hold another list")
    return Leaf(accepts=_any(tests), absent_too=_absent in tests)


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


def _one_of_strings(strings: Iterable[str]) -> Test:
    return frozenset(strings).__contains__


def _one_of_numbers(numbers: Iterable[Number]) -> Test:
    """By value, so that 300 is 300.0; but 1 is not true."""
    accepted = frozenset(numbers)
    return lambda value: value in accepted and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[Number]:
    return type(value) in _NUMBER_TYPES


def _operator(value: dict[str, object]) -> Test:
    name, operand = _only_member(value)
    if name not in _OPERATORS:
        raise InvalidPattern(f'"{name}" is not an operator')
    return _OPERATORS[name](operand)


def _only_member(value: dict[str, object]) -> tuple[str, object]:
    if len(value) != 1:
        raise InvalidPattern("an operator is an object with exactly one key")
    return next(iter(value.items()))


def _string(operand: object, name: str) -> str:
    if not isinstance(operand, str):
        raise InvalidPattern(f"{name} needs a string")
    return operand


def _exactly(operand: object) -> Test:
    return _one_of_strings([_string(operand, "exactly")])


def _exists(operand: object) -> Test:
    if not isinstance(operand, bool):
        raise InvalidPattern("exists needs true or false")
    return _present if operand else _absent


def _present(_value: object) -> bool:
    return True


def _absent(_value: object) -> bool:
    """Refuse every value: `{"exists": false}` is met by the field not being there, see `Leaf.absent_too`."""
    return False


def _prefix(operand: object) -> Test:
    if isinstance(operand, dict):
        text = _caseless_operand(operand, "prefix")
        equals, length = _caseless(text), len(text)
        return lambda value: isinstance(value, str) and equals(value[:length])
    prefix = _string(operand, "prefix")
    return lambda value: isinstance(value, str) and value.startswith(prefix)


def _suffix(operand: object) -> Test:
    if isinstance(operand, dict):
        text = _caseless_operand(operand, "suffix")
        equals, length = _caseless(text), len(text)
        return lambda value: isinstance(value, str) and equals(value[len(value) - length :])
    suffix = _string(operand, "suffix")
    return lambda value: isinstance(value, str) and value.endswith(suffix)


def _caseless_operand(operand: dict[str, object], name: str) -> str:
    nested, text = _only_member(operand)
    if nested != "equals-ignore-case":
        raise InvalidPattern(f'{name} takes a string or equals-ignore-case, not "{nested}"')
    return _string(text, f"{name} equals-ignore-case")


def _equals_ignore_case(operand: object) -> Test:
    equals = _caseless(_string(operand, "equals-ignore-case"))
    return lambda value: isinstance(value, str) and equals(value)


def _caseless(text: str) -> Callable[[str], bool]:
    """Equal letter by letter, each in either case.

    A letter whose other case takes two letters (German sharp s) equals itself only. Lengths therefore agree,
    and a prefix or suffix can be cut out of a long value before it is compared.
    """
    spellings = [frozenset({letter, letter.lower(), letter.upper()}) for letter in text]
    return lambda value: len(value) == len(spellings) and all(map(operator.contains, spellings, value))


def _wildcard(operand: object) -> Test:
    """Find the pieces between the stars from left to right, each at its first place.

    The first place is always good enough, so nothing is tried twice, however many stars there are.
    """
    first, *rest = _pieces(_string(operand, "wildcard"))
    if not rest:
        return _one_of_strings([first])
    *middle, last = rest
    shortest = len(first) + len(last)

    def matches(value: object) -> bool:
        if not isinstance(value, str) or len(value) < shortest:
            return False
        if not (value.startswith(first) and value.endswith(last)):
            return False
        start, end = len(first), len(value) - len(last)
        for piece in middle:
            found = value.find(piece, start, end)
            if found < 0:
                return False
            start = found + len(piece)
        return True

    return matches


def _pieces(text: str) -> list[str]:
    pieces = [""]
    letters = iter(text)
    for letter in letters:
        if letter == "*":
            if len(pieces) > 1 and not pieces[-1]:
                raise InvalidPattern("wildcard has two stars in a row")
            pieces.append("")
        elif letter == "\\":
            escaped = next(letters, "")
            if escaped not in {"*", "\\"}:
                raise InvalidPattern("wildcard has a backslash that escapes neither * nor \\")
            pieces[-1] += escaped
        else:
            pieces[-1] += letter
    return pieces


def _anything_but(operand: object) -> Test:
    if isinstance(operand, dict):
        return _anything_but_operator(operand)
    members: list[object] = operand if isinstance(operand, list) else [operand]
    strings = [member for member in members if isinstance(member, str)]
    numbers = [member for member in members if _is_number(member)]
    if not members or len(members) not in {len(strings), len(numbers)}:
        raise InvalidPattern(
            "anything-but needs one string or number, or a list of only strings or only numbers"
        )
    return _none([_one_of_strings(strings) if strings else _one_of_numbers(numbers)])


def _anything_but_operator(operand: dict[str, object]) -> Test:
    name, nested = _only_member(operand)
    if name not in {"prefix", "suffix", "equals-ignore-case", "wildcard"}:
        raise InvalidPattern(f'anything-but cannot be combined with "{name}"')
    members = nested if isinstance(nested, list) else [nested]
    texts = [_string(member, f"anything-but {name}") for member in members]
    if not texts or (name in {"prefix", "suffix"} and "" in texts):
        raise InvalidPattern(f"anything-but {name} with nothing to refuse would match nothing or everything")
    return _none([_OPERATORS[name](text) for text in texts])


def _numeric(operand: object) -> Test:
    match operand:
        case [name, bound]:
            return _comparison(name, bound)
        case [(">" | ">=") as low, int() | float() as bottom, ("<" | "<=") as high, int() | float() as top]:
            above, below = _comparison(low, bottom), _comparison(high, top)
            if bottom >= top:
                raise InvalidPattern("numeric needs a lower bound below its upper bound")
            return lambda value: above(value) and below(value)
    raise InvalidPattern("numeric needs one comparison, or a lower bound (> or >=) and then an upper one")


def _comparison(name: object, bound: object) -> Test:
    compare = _COMPARISONS.get(name) if isinstance(name, str) else None
    if compare is None:
        raise InvalidPattern("numeric compares with =, <, <=, > or >=")
    if not _is_number(bound):
        raise InvalidPattern(f"numeric {name} needs a number")
    return lambda value: _is_number(value) and compare(value, bound)


def _cidr(operand: object) -> Test:
    address, _, bits = _string(operand, "cidr").partition("/")
    try:
        # Python would also take a netmask after the slash and a zone in the address; AWS takes neither.
        if "%" in address or not (bits.isascii() and bits.isdigit()):
            raise ValueError(operand)  # noqa: TRY301  # joins the other ways of not being a block
        block = ipaddress.ip_network(f"{address}/{bits}", strict=False)
    except ValueError:
        raise InvalidPattern("cidr needs an address block such as 10.0.0.0/24 or 2001:db8::/32") from None
    return lambda value: isinstance(value, str) and _is_address_in(value, block)


def _is_address_in(value: str, block: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    if len(value) > _LONGEST_ADDRESS or "%" in value:
        return False
    try:
        return ipaddress.ip_address(value) in block
    except ValueError:
        return False


_OPERATORS: dict[str, Callable[[object], Test]] = {
    "exactly": _exactly,
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "exists": _exists,
    "numeric": _numeric,
    "cidr": _cidr,
}

# All words with a meaning of their own inside a leaf.
WORDS = frozenset({*_OPERATORS, *_COMPARISONS})
