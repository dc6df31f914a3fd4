"""The string operators of event patterns, each compiled to a test of a single scalar."""

import re
from collections.abc import Callable, Iterable

Test = Callable[[object], bool]


class InvalidPattern(ValueError):
    """The text is not an event pattern; `str()` says what is wrong with it, and where."""


def one_of_strings(strings: Iterable[str]) -> Test:
    return frozenset(strings).__contains__


def only_member(value: dict[str, object]) -> tuple[str, object]:
    if len(value) != 1:
        raise InvalidPattern("an operator is an object with exactly one key")
    return next(iter(value.items()))


def string(operand: object, name: str) -> str:
    if not isinstance(operand, str):
        raise InvalidPattern(f"{name} needs a string")
    return operand


def prefix(operand: object) -> Test:
    if isinstance(operand, dict):
        begins = re.compile("".join(map(_either_case, _caseless_operand(operand, "prefix")))).match
        return lambda value: isinstance(value, str) and begins(value) is not None
    start = string(operand, "prefix")
    return lambda value: isinstance(value, str) and value.startswith(start)


def suffix(operand: object) -> Test:
    if isinstance(operand, dict):
        text = _caseless_operand(operand, "suffix")
        longest = sum(max(map(len, _spellings(letter))) for letter in text)
        # Backwards, so that only the end of a long value is looked at.
        ends = re.compile("".join(_either_case(letter, backwards=True) for letter in reversed(text))).match
        return lambda value: (
            isinstance(value, str) and ends(value[max(0, len(value) - longest) :][::-1]) is not None
        )
    end = string(operand, "suffix")
    return lambda value: isinstance(value, str) and value.endswith(end)


def _caseless_operand(operand: dict[str, object], name: str) -> str:
    nested, text = only_member(operand)
    if nested != "equals-ignore-case":
        raise InvalidPattern(f'{name} takes a string or equals-ignore-case, not "{nested}"')
    return string(text, f"{name} equals-ignore-case")


def equals_ignore_case(operand: object) -> Test:
    equals = re.compile("".join(map(_either_case, string(operand, "equals-ignore-case")))).fullmatch
    return lambda value: isinstance(value, str) and equals(value) is not None


def _either_case(letter: str, *, backwards: bool = False) -> str:
    """Return the expression for a letter in lower or upper case, which may be several letters (`ﬁ`, `FI`).

    The two never begin, nor end, with the same letter: at most one fits, and nothing is tried twice.
    """
    spellings = (spelling[::-1] if backwards else spelling for spelling in _spellings(letter))
    return f"(?:{'|'.join(map(re.escape, spellings))})"


def _spellings(letter: str) -> list[str]:
    return sorted({letter.lower(), letter.upper()})


def wildcard(operand: object) -> Test:
    """Find the pieces between the stars from left to right, each at its first place.

    The first place is always good enough, so nothing is tried twice, however many stars there are.
    """
    first, *rest = _pieces(string(operand, "wildcard"))
    if not rest:
        return one_of_strings([first])
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
