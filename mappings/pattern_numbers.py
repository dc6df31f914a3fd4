"""Numbers as event patterns compare them: by value where a double holds it, by their text where none does."""

import json
import math
import re
from dataclasses import dataclass
from decimal import Decimal

Number = int | float


@dataclass(frozen=True, slots=True)
class NumberText:
    """A number that no double holds exactly, such as 12345678901234567.5 or 1e999.

    It equals the same text and no other number, and is neither less nor greater than any.
    """

    text: str

    @property
    def is_whole(self) -> bool:
        return self.text.removeprefix("-").isdigit()


def read_number(text: str) -> Number | NumberText:
    """Return the number that a JSON number means to a pattern."""
    value = float(text)
    if not math.isfinite(value) or Decimal(repr(value)) != Decimal(text):
        return NumberText(text)
    return value


# A number of 16 digits or more, or with an exponent of three: every other one is exact as a double. It stands
# at the start of the text or behind what comes before a value; digits inside a string are mostly passed over.
_MAY_BE_INEXACT = re.compile(r"(?:^|[\[:,\s])-?[0-9](?:[0-9.]{15}|[0-9.]*[eE][+-]?[0-9]{3})")


def may_be_inexact(text: str) -> bool:
    """Tell whether JSON holds a number that a decoder of doubles could change."""
    return _MAY_BE_INEXACT.search(text) is not None


def decode_exactly(text: str) -> object:
    """Return what a JSON text holds, each number as `read_number` reads it.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return json.loads(
            text, parse_int=read_number, parse_float=read_number, parse_constant=_refuse_constant
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
