"""Random patterns, and events of which about half pass them: each pattern with ten events, as JSON texts."""

# ruff: noqa: RUF001  # letters that are easily mistaken for others are meant

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.mappings.event_paths import paths_of

EVENTS_OF_A_PATTERN = 10

STRINGS = [
    "", "x", "xy", "X", "yx", "XY", "abc", "aBc", "zabc", "a.b", "*", "\\", "a*b", "ﬁ", "FI", "fi", "zzFI",
    "ß", "SS",
    "ss", "Straße", "STRASSE", "é", "É", "İ", "i̇", "ı", "I", "ſ", "S", "Σ", "σ", "ς", "ŉ", "ʼN", "ǆ", "Ǆ",
    "ǰ", "J̌",
    "true", "null", "1", "1.0", "日本", "10.0.0.1", "10.0.0.01", "010.0.0.1", "10.0.0.2", "10.0.1.1",
    "10.0.0.256",
    "::1", "0:0:0:0:0:0:0:1", "2001:db8::1", "2001:DB8::1", "2001:db8:0::1", "::ffff:a00:1", "a00:1::",
    "::", ":",
    "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "10.0.0", "1::2::3", "0a000001", "0A000001", "255.255.255.255",
    "f:e",
]  # fmt: skip
NUMBERS = [
    "0", "-0", "0.0", "1", "1.0", "1e0", "1E0", "10", "2.5", "-3", "300", "3e2", "300.0", "0.1", "0.10",
    "1e-400", "1e999",
    "12345678901234567.5", "12345678901234568", "9007199254740992", "9007199254740993",
    "12345678901234567890",
    "123456789012345678901234567890", "1e22", "10000000000000000000000", "4.9e-324", "1.7976931348623157e308",
    "123456789012", "0.30000000000000004", "0.3",
]  # fmt: skip
BLOCKS = [
    "10.0.0.0/24", "10.0.0.77/31", "010.0.0.1/24", "0.0.0.0/0", "10.0.0.0/32", "::/0", "2001:db8::/32",
    "2000::/3",
    "2001:db8::/128", "::ffff:a00:0/24", "::ffff:10.0.0.0/104", "10.0.0.0/+8", "10.0.0/8", "a00::/16",
    "10.0.0.0/8",
]  # fmt: skip
WILDCARDS = [
    "*", "a*", "*a", "*a*", "a*b", "*a*b*", "*a*a*a", "*ab*ab*ab*", "a*b*c", "*é*è*", "x*y*x*y", "\\**",
    "*\\\\*", "",
    "*a*b*c*d*e*f", "*aa*aa*aa*aa*aa", "aaaa*aaaa*", "*x", "*xx", "*xxx", "**", "a\\b",
]  # fmt: skip
NAMES = ["a", "b", "c", "a.b"]


class Number(str):
    """A number as it is written."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Question:
    """A pattern and the events that it is asked about."""

    pattern: str
    events: tuple[str, ...]


def questions(seed: int, patterns: int) -> Iterator[Question]:
    """Yield as many patterns as asked for, the same for the same seed."""
    draw = random.Random(seed)
    for _ in range(patterns):
        events = [_object(draw, 3) for _ in range(EVENTS_OF_A_PATTERN)]
        pattern = _pattern(draw, events)
        met = [_meet(draw, event, pattern) if draw.random() < 0.5 else event for event in events]
        yield Question(dump(pattern), tuple(map(dump, met)))


def dump(value: Any) -> str:
    """Return JSON in which a `Number` stands as it is written."""
    match value:
        case Number():
            return str(value)
        case dict():
            return f"{{{','.join(f'{json.dumps(name)}:{dump(item)}' for name, item in value.items())}}}"
        case list():
            return f"[{','.join(map(dump, value))}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _scalar(draw: random.Random) -> Any:
    kind = draw.random()
    if kind < 0.6:
        return draw.choice(STRINGS)
    return Number(draw.choice(NUMBERS)) if kind < 0.9 else draw.choice([True, False, None])


def _object(draw: random.Random, depth: int) -> dict[str, Any]:
    return {draw.choice(NAMES): _value(draw, depth) for _ in range(draw.randint(1, 3))}


def _value(draw: random.Random, depth: int) -> Any:
    kind = draw.random()
    if depth and kind < 0.2:
        return _object(draw, depth - 1)
    if depth and kind < 0.35:
        return [_value(draw, depth - 1) for _ in range(draw.randint(0, 3))]
    return _scalar(draw)


def _pattern(draw: random.Random, events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    known = [path for event in events for path in paths_of(event, ())] or [("a",)]
    pattern: dict[str, Any] = {}
    for _ in range(draw.randint(1, 2)):
        at: Any = pattern
        *above, last = draw.choice(known)
        for name in above:
            at = at.setdefault(name, {})
            if not isinstance(at, dict):
                break
        if isinstance(at, dict):
            at[last] = _leaf(draw)
    if draw.random() < 0.2:
        pattern["$or"] = [{draw.choice("abc"): _leaf(draw)} for _ in range(draw.randint(2, 3))]
    return pattern


def _leaf(draw: random.Random) -> list[Any]:
    return [_alternative(draw) for _ in range(draw.choice([1, 1, 1, 2, 3]))]


def _alternative(draw: random.Random) -> Any:
    text = draw.choice(STRINGS)
    if draw.random() < 0.3:
        return _scalar(draw)
    numbers = [Number(draw.choice(NUMBERS)) for _ in range(2)]
    operators: list[Any] = [
        {"exists": True}, {"exists": False}, {"exactly": text}, {"prefix": text}, {"suffix": text},
        {"prefix": {"equals-ignore-case": text}}, {"suffix": {"equals-ignore-case": text}},
        {"equals-ignore-case": text}, {"wildcard": draw.choice(WILDCARDS)}, {"wildcard": f"*{text}*"},
        {"cidr": draw.choice(BLOCKS)}, {"cidr": draw.choice(BLOCKS)},
        {"numeric": [draw.choice(["=", "<", "<=", ">", ">="]), numbers[0]]},
        {"numeric": [draw.choice([">", ">="]), numbers[0], draw.choice(["<", "<="]), numbers[1]]},
        {"anything-but": text}, {"anything-but": [text, draw.choice(STRINGS)]}, {"anything-but": numbers[0]},
        {"anything-but": numbers}, {"anything-but": {"prefix": text}},
        {"anything-but": {"suffix": [text, "x"]}},
        {"anything-but": {"equals-ignore-case": [text, "ON"]}}, {"anything-but": {"wildcard": f"*{text}"}},
        {"anything-but": {"wildcard": draw.sample(WILDCARDS, 2)}},
    ]  # fmt: skip
    return draw.choice(operators)


def _meet(draw: random.Random, event: dict[str, Any], pattern: dict[str, Any]) -> dict[str, Any]:
    """Return the event with values that the pattern names put where it names them."""
    met = dict(event)
    for name, below in pattern.items():
        if isinstance(below, dict):
            inner = met.get(name)
            met[name] = _meet(draw, inner if isinstance(inner, dict) else {}, below)
        elif name != "$or":
            met[name] = _like(draw, draw.choice(below))
    return met


def _like(draw: random.Random, alternative: Any) -> Any:
    operand = alternative
    while isinstance(operand, dict):
        (operand,) = operand.values()
    if isinstance(operand, list):
        operand = draw.choice(operand)
    if isinstance(operand, Number) or not isinstance(operand, str):
        return operand
    return draw.choice(
        [operand, operand.upper(), operand.lower(), f"{operand}x", f"x{operand}", operand.replace("*", "ab")]
    )
