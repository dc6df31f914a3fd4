"""How complex wildcards are, counted as event-ruler counts (the numbers are its answers)."""

import json
import time
from typing import Any

import pytest

from mappings.pattern_wildcards import BOUND
from mappings.patterns import Pattern


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ({"a": ["x", {"prefix": "y"}]}, 0),
        ({"a": [{"wildcard": "ab"}]}, 1),
        ({"a": [{"wildcard": "*a"}]}, 2),
        ({"a": [{"wildcard": "*xx"}]}, 3),
        ({"a": [{"wildcard": "*a*"}]}, 3),
        ({"a": [{"anything-but": {"wildcard": ["*x", "a*"]}}]}, 3),
        ({"a": [{"anything-but": {"wildcard": ["*xxx", "*a*b*"]}}]}, 6),
        ({"a": [{"wildcard": "*a"}], "b": [{"wildcard": "*xx"}]}, 3),
        ({"a": [{"exists": False}], "b": [{"wildcard": "*xx"}]}, 0),
    ],
    ids=repr,
)
def test_the_most_prefixes_that_one_text_matches_are_counted(pattern: dict[str, Any], count: int) -> None:
    """The greatest count of any field; alternatives of one field add up."""
    assert Pattern.parse(json.dumps(pattern)).complexity == count


def test_counting_ends_above_the_bound() -> None:
    """What is above is above, however far."""
    complexity = Pattern.parse(json.dumps({"a": [{"wildcard": "*a" * 40}]})).complexity

    assert complexity is not None
    assert complexity > BOUND


@pytest.mark.parametrize(
    "text", ["a" * 4050 + "*", "*" + "ab" * 2000, "*".join("abcdefgh") * 5, "*a*b" * 900]
)
def test_counting_takes_a_bounded_time(text: str) -> None:
    """The API counts while a client waits."""
    pattern = Pattern.parse(json.dumps({"a": [{"wildcard": text}]}))

    begun = time.process_time()
    _ = pattern.complexity

    assert time.process_time() - begun < 2.0
