"""Whether a request keeps what the Lambda service model declares: type, enum, range, length and pattern.

This is AWS's front end: it knows shapes and nothing about event sources. The texts are AWS's. Where AWS
would ignore a member that it does not know, we refuse it: what is not obeyed must not be accepted.
"""

import difflib
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from mappings.arns import Arn, FunctionName
from mappings.errors import InvalidArn, Violation
from mappings.service_model import CREATE_REQUEST, Shape, members, shape

Path = tuple[str | int, ...]

# AWS prints the values in this recorded order, which is not the model's.
_RECORDED_ENUM_ORDER = {"EventSourcePosition": ("LATEST", "AT_TIMESTAMP", "TRIM_HORIZON")}


def request_violations(
    request: Mapping[str, object], request_shape: str = CREATE_REQUEST
) -> tuple[Violation, ...]:
    """Return all that a request breaks; a null member counts as absent.

    `request_shape` names the structure in the service model that the request must have.
    """
    return tuple(_check(request_shape, request, ()))


def _check(name: str, value: object, path: Path) -> Iterator[Violation]:
    declared = shape(name)
    kind = declared["type"]
    if not _TYPES[kind](value):
        yield Violation(path=path, value=value, constraint=f"Member must be of type {kind}")
        return
    match value:
        case Mapping() if kind == "structure":
            yield from _check_structure(name, value, path)
        case Mapping():
            yield from _check_map(declared, value, path)
        case list() | tuple():
            yield from _check_length(declared, value, path)
            for index, item in enumerate(value):
                yield from _check(declared["member"]["shape"], item, (*path, index))
        case str():
            yield from _check_string(name, value, path)
        case int() if kind == "integer":
            yield from _check_range(declared, value, path)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def _is_text(value: object) -> bool:
    """Whether a value can be written again: JSON can escape half of a surrogate pair, UTF-8 cannot."""
    try:
        return isinstance(value, str) and bool(value.encode() or True)
    except UnicodeEncodeError:
        return False


_TYPES: dict[str, Callable[[object], bool]] = {
    "structure": lambda value: isinstance(value, Mapping),
    "map": lambda value: isinstance(value, Mapping),
    "list": lambda value: isinstance(value, list | tuple),
    "string": _is_text,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "long": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "timestamp": _is_number,  # epoch seconds
}


def _check_structure(name: str, value: Mapping[str, object], path: Path) -> Iterator[Violation]:
    known = members(name)
    for member, item in value.items():
        if member not in known:
            where = ".".join(map(str, path)) or name.removesuffix("Request")
            yield _unknown_member(member, item, (*path, member), where=where, known=list(known))
        elif item is not None:
            yield from _check(known[member], item, (*path, member))
    for member in shape(name).get("required", ()):
        if value.get(member) is None:
            yield Violation(
                path=(*path, member),
                value=None,
                constraint="Member must not be null",
                explanation=f"{member} is missing",
            )


def _unknown_member(member: str, value: object, path: Path, *, where: str, known: list[str]) -> Violation:
    near = difflib.get_close_matches(member, known, n=1)
    hint = f", did you mean {near[0]}?" if near else ""
    return Violation(
        path=path,
        value=value,
        constraint="Member must be defined",
        explanation=f"{member} is not a parameter of {where}{hint}",
    )


def _check_map(declared: Shape, value: Mapping[str, object], path: Path) -> Iterator[Violation]:
    yield from _check_length(declared, value, path)
    for key, item in value.items():
        yield from _check(declared["key"]["shape"], key, (*path, key))
        yield from _check(declared["value"]["shape"], item, (*path, key))


def _check_length(
    declared: Shape, value: str | Mapping[str, object] | list[object] | tuple[object, ...], path: Path
) -> Iterator[Violation]:
    if "max" in declared and len(value) > declared["max"]:
        constraint = f"Member must have length less than or equal to {declared['max']}"
        yield Violation(path=path, value=value, constraint=constraint)
    if len(value) < declared.get("min", 0):
        constraint = f"Member must have length greater than or equal to {declared['min']}"
        yield Violation(path=path, value=value, constraint=constraint)


def _check_range(declared: Shape, value: int, path: Path) -> Iterator[Violation]:
    if "max" in declared and value > declared["max"]:
        constraint = f"Member must have value less than or equal to {declared['max']}"
        yield Violation(path=path, value=value, constraint=constraint)
    if "min" in declared and value < declared["min"]:
        constraint = f"Member must have value greater than or equal to {declared['min']}"
        yield Violation(path=path, value=value, constraint=constraint)


def _check_string(name: str, value: str, path: Path) -> Iterator[Violation]:
    declared = shape(name)
    yield from _check_length(declared, value, path)
    if "enum" in declared and value not in declared["enum"]:
        values = ", ".join(_RECORDED_ENUM_ORDER.get(name, declared["enum"]))
        yield Violation(path=path, value=value, constraint=f"Member must satisfy enum value set: [{values}]")
    if "pattern" in declared:
        yield from _check_pattern(name, declared["pattern"], value, path)


def _check_pattern(name: str, pattern: str, value: str, path: Path) -> Iterator[Violation]:
    explanation = None
    if name in _READERS:
        try:
            _READERS[name](value)
        except InvalidArn as error:
            explanation = str(error)
        else:
            return
    elif _compiled(pattern).fullmatch(_folded(value)):
        return
    constraint = f"Member must satisfy regular expression pattern: {pattern}"
    yield Violation(path=path, value=value, constraint=constraint, explanation=explanation)


def _read_destination(value: str) -> None:
    if value and not value.startswith("kafka://"):
        Arn.parse(value)


# The model's patterns for these shapes know AWS's regions only. These take an emulator's too, and say
# what is wrong.
_READERS: dict[str, Callable[[str], object]] = {
    "Arn": Arn.parse,
    "NamespacedFunctionName": FunctionName.parse,
    "DestinationArn": _read_destination,
    "TaggableResource": Arn.parse,
}

# Tags use Unicode classes, which `re` does not have. Each is tried as its ASCII part, on a value whose other
# characters are replaced by an ASCII one of the same class.
_CLASSES = {"L": ("a-zA-Z", "a"), "N": ("0-9", "0"), "Z": (" ", " ")}


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\p\{([LNZ])\}", lambda found: _CLASSES[found[1]][0], pattern))


def _folded(value: str) -> str:
    if value.isascii():
        return value
    return "".join(
        char if char.isascii() else _CLASSES.get(unicodedata.category(char)[0], ("", char))[1]
        for char in value
    )
