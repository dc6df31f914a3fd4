"""Facts about every pattern and every event: the brute-force matcher agrees, and nothing ever raises."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mappings.patterns import InvalidPattern, Pattern
from tests.mappings.event_paths import paths_of
from tests.mappings.naive_patterns import naive_matches

NAMES = st.sampled_from("abc")
SCALARS = st.sampled_from(["", "x", "xy", "X", "yx", "10.0.0.1", 0, 1, 1.0, 2.5, -3, True, False, None])
ALTERNATIVES: list[Any] = [
    "", "x", "xy", 1, 0, 2.5, True, False, None,
    {"exists": True}, {"exists": False}, {"exactly": "x"}, {"cidr": "10.0.0.0/30"},
    {"prefix": "x"}, {"prefix": ""}, {"prefix": {"equals-ignore-case": "X"}},
    {"suffix": "y"}, {"suffix": {"equals-ignore-case": "Y"}}, {"equals-ignore-case": "XY"},
    {"wildcard": "*"}, {"wildcard": "x*"}, {"wildcard": "*y*"}, {"wildcard": "x*y"},
    {"numeric": ["=", 1]}, {"numeric": [">", 0]}, {"numeric": [">=", -3, "<", 1]},
    {"anything-but": "x"}, {"anything-but": 1}, {"anything-but": [0, 1]}, {"anything-but": ["x", ""]},
    {"anything-but": {"prefix": "x"}}, {"anything-but": {"suffix": ["y", "x"]}},
    {"anything-but": {"equals-ignore-case": "X"}}, {"anything-but": {"wildcard": ["*y", "x"]}},
]  # fmt: skip
# Leaves about absence are the hardest, and often the only ones that a random event meets.
LEAVES = st.lists(st.just({"exists": False}) | st.sampled_from(ALTERNATIVES), min_size=1, max_size=3)
EVENTS = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3),
        max_leaves=10,
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def questions(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw an event, and a pattern that mostly names fields of it; both may join names by dots."""
    event = draw(EVENTS)
    names = st.lists(NAMES, min_size=1, max_size=3)
    known = sorted({path for path in paths_of(event, ()) if path})
    paths = st.sampled_from(known) | names.map(tuple) if known else names.map(tuple)
    pattern = draw(_patterns(paths))
    if draw(st.booleans()):
        pattern["$or"] = [draw(_patterns(paths)), draw(_patterns(paths))]
    return pattern, _join(draw, event)


@st.composite
def _patterns(draw: st.DrawFn, paths: st.SearchStrategy[tuple[str, ...]]) -> dict[str, Any]:
    pattern: dict[str, Any] = {}
    for path in draw(st.lists(paths, min_size=1, max_size=3)):
        at: Any = pattern
        steps = list(path)
        while steps and isinstance(at, dict):
            joined = 2 if len(steps) > 1 and draw(st.booleans()) else 1
            name, steps = ".".join(steps[:joined]), steps[joined:]
            at = at.setdefault(name, {} if steps else draw(LEAVES))
    return pattern


def _join(draw: st.DrawFn, node: Any) -> Any:
    """Move some fields up to where they stand under a joined name; none gets a second place by it."""
    if isinstance(node, list):
        return [_join(draw, element) for element in node]
    if not isinstance(node, dict):
        return node
    joined: dict[str, Any] = {}
    for name, below in node.items():
        joined[name] = _join(draw, below)
        if isinstance(joined[name], dict) and draw(st.booleans()):
            moved = [inner for inner in joined[name] if draw(st.booleans())]
            joined |= {f"{name}.{inner}": joined[name].pop(inner) for inner in moved}
    return joined


@settings(max_examples=500, deadline=None)
@given(question=questions())
def test_the_naive_matcher_agrees(question: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Compiling a pattern changes how long it takes and nothing else."""
    pattern, event = question

    assert Pattern.parse(json.dumps(pattern)).matches(event) == naive_matches(pattern, event)


WORDS = st.sampled_from(
    [
        *(
            "a",
            "a.b",
            ".",
            "",
            "$or",
            "exists",
            "prefix",
            "suffix",
            "exactly",
            "equals-ignore-case",
            "wildcard",
        ),
        *(
            "anything-but",
            "numeric",
            "cidr",
            "=",
            "<",
            ">=",
            "x*",
            "**",
            "\\",
            "10.0.0.0/8",
            "::/0",
            "\ud800",
        ),
    ]
)
NUMBERS = st.integers() | st.floats() | st.just(10**400)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS | st.text(max_size=5),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(WORDS, below, max_size=3),
    max_leaves=12,
)


@settings(max_examples=1000, deadline=None)
@given(text=ANY_JSON.map(json.dumps) | st.text() | st.text(alphabet='{}[]",:$or.*\\0ae- \n'))
@example(text='{"a":' * 800 + "1" + "}" * 800)
@example(text="[" * 4096)
@example(text='{"a": [' + "9" * 4000 + "]}")
@example(text="\ufeff{}")
@example(text='{"a": ["\ud800"]}')
def test_any_text_is_a_pattern_or_invalid(text: str) -> None:
    """There is no third outcome, and a pattern that was accepted can be asked."""
    with contextlib.suppress(InvalidPattern):
        assert Pattern.parse(text).matches({}) in {True, False}


# One pattern per operator, on fields that the events below have, over objects, lists and joined names.
ASKED = [
    Pattern.parse(json.dumps(pattern))
    for leaf in ALTERNATIVES
    for pattern in ({"a": [leaf]}, {"a": {"b": [leaf], "": [1, {"exists": False}]}, "a.b.a": [leaf, None]})
]


@settings(max_examples=300, deadline=None)
@given(event=ANY_JSON | st.dictionaries(st.sampled_from(["a", "a.b", "a.b.a"]), ANY_JSON))
def test_any_json_can_be_asked(event: object) -> None:
    """No record makes a filter raise: not huge numbers, NaN, lone surrogates, or lists in lists."""
    for pattern in ASKED:
        assert pattern.matches(event) in {True, False}


def _nested(levels: int, name: str | None) -> Any:
    node: Any = 1
    for _ in range(levels):
        node = [node] if name is None else {name: node}
    return node


@pytest.mark.parametrize(
    "event", [_nested(5_000, "a"), {"a": _nested(20_000, None)}, {"a": _nested(9999, "b")}]
)
def test_depth_beyond_the_stack_can_be_asked(event: object) -> None:
    """Nesting far deeper than Python's stack is walked without recursion, or not at all."""
    for pattern in ASKED:
        assert pattern.matches(event) in {True, False}


def test_a_value_under_lists_beyond_the_stack_is_found() -> None:
    """A list directly inside a list is part of it, however often."""
    assert Pattern.parse('{"a": [1]}').matches({"a": _nested(5_000, None)})
    assert not Pattern.parse('{"a": [2]}').matches({"a": _nested(5_000, None)})


def test_the_deepest_pattern_fits_the_stack() -> None:
    """The recursion that is left follows the pattern, whose depth is limited; each step may be a list."""
    pattern = {"a": [{"anything-but": "x"}, {"exists": False}]}
    event: dict[str, Any] = {"a": ["y"]}
    for _ in range(99):
        pattern, event = {"a": pattern}, {"a": [{"b": 1}, event]}  # type: ignore[dict-item]  # a leaf, then objects

    assert Pattern.parse(json.dumps(pattern)).matches(event)
