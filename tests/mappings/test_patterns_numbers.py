"""Numbers that a double does not hold: compared by their text, as event-ruler compares them."""

import json

import pytest

from mappings.pattern_numbers import NumberText, decode_exactly, may_be_inexact, read_number
from mappings.patterns import Pattern


@pytest.mark.parametrize(
    "text", ["0", "-0", "1", "1.0", "0.1", "3e2", "9007199254740992", "1e22", "123456789012"]
)
def test_a_number_that_a_double_holds_is_that_double(text: str) -> None:
    """However it is written."""
    assert read_number(text) == float(text)


@pytest.mark.parametrize(
    "text", ["9007199254740993", "12345678901234567.5", "1e400", "-1e400", "1e-400", "0.30000000000000001"]
)
def test_any_other_number_is_its_text(text: str) -> None:
    """Rounding it would make different numbers equal."""
    assert read_number(text) == NumberText(text)


@pytest.mark.parametrize(
    ("wanted", "event", "expected"),
    [
        ("12345678901234567.5", "12345678901234567.5", True),
        ("12345678901234567.5", "12345678901234568", False),
        ("9007199254740993", "9007199254740993", True),
        ("9007199254740993", "9007199254740992", False),
        ("1e-400", "0", False),
        ("1e-400", "1e-400", True),
        ("0", "1e-400", False),
        ("1e999", "1e999", True),
        ("1e999", "1e998", False),
        ("300", "300.0", True),
        ('{"numeric": [">", 0]}', "1e999", False),
        ('{"anything-but": 0}', "1e-400", True),
        ('{"exists": true}', "1e-400", True),
    ],
)
def test_numbers_are_compared_by_value_where_both_have_one(wanted: str, event: str, expected: bool) -> None:  # noqa: FBT001  # a table
    """A text equals the same text only, and no range holds it."""
    pattern = Pattern.parse(f'{{"a": [{wanted}]}}')

    assert pattern.matches(decode_exactly(f'{{"a": {event}}}')) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 12345678901234567.5}', True),
        ("[1, 1e400]", True),
        ("12345678901234567.5", True),
        ('{"a":-1234567890123456}', True),
        ('{"a": 123456789012345}', False),
        ('{"id": "5e1234567890123456789", "b": 1.5e10}', False),
    ],
)
def test_only_text_with_a_long_number_is_decoded_the_slow_way(text: str, expected: bool) -> None:  # noqa: FBT001  # a table
    """Fifteen digits are always exact."""
    assert may_be_inexact(text) is expected


def test_a_pattern_says_whether_it_compares_numbers() -> None:
    """Only then must the numbers of a record be read exactly."""
    leaves = (
        [1],
        [{"numeric": ["<", 1]}],
        [{"anything-but": [1, 2]}],
        ["1"],
        [{"anything-but": "x"}],
        [None],
    )

    compared = [Pattern.parse(json.dumps({"a": leaf})).compares_numbers for leaf in leaves]

    assert compared == [True, True, True, False, False, False]
