"""Facts about every pattern and every event: agreement with the brute-force matcher, and no surprise of any kind."""

import contextlib
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mappings.patterns import Filters, InvalidPattern, Pattern
from tests.mappings.naive_patterns import naive_matches

SCALARS = st.sampled_from(["", "x", "xy", "X", "yx", "10.0.0.1", 0, 1, 1.0, 2.5, -3, True, False, None])
NAMES = st.sampled_from("abc")
ALTERNATIVES = st.sampled_from(
    [
        *("", "x", "xy", 1, 0, 2.5, True, False, None),
        *({"exists": True}, {"exists": False}, {"exists": False}, {"exactly": "x"}),
        *({"prefix": "x"}, {"prefix": ""}, {"suffix": "y"}, {"prefix": {"equals-ignore-case": "X"}}),
        *({"suffix": {"equals-ignore-case": "Y"}}, {"equals-ignore-case": "XY"}),
        *({"wildcard": "*"}, {"wildcard": "x*"}, {"wildcard": "*y*"}, {"cidr": "10.0.0.0/30"}),
        *({"numeric": ["=", 1]}, {"numeric": [">", 0]}, {"numeric": [">=", -3, "<", 1]}),
        *({"anything-but": "x"}, {"anything-but": [0, 1]}, {"anything-but": ["x", ""]}),
        *({"anything-but": {"prefix": "x"}}, {"anything-but": {"suffix": ["y", "x"]}}),
        *({"anything-but": {"equals-ignore-case": "X"}}, {"anything-but": {"wildcard": ["*y", "x"]}}),
    ]
)
LEAVES = st.lists(ALTERNATIVES, min_size=1, max_size=3)


def _objects(below: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["a", "b", "c", "a.b", "b.c"])
    fields = st.dictionaries(names, below, min_size=1, max_size=3)
    branches = st.lists(st.dictionaries(names, below, min_size=1, max_size=2), min_size=2, max_size=3)
    return fields | st.builds(lambda some, others: {**some, "$or": others}, fields, branches)


PATTERNS = _objects(st.recursive(LEAVES, _objects, max_leaves=4))
NESTED_EVENTS = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3),
        max_leaves=8,
    ),
    max_size=3,
)


@st.composite
def dotted_events(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an event in which some fields stand under joined names, as in `{"a.b": 1}`; no path has two places."""

    def join(node: Any) -> Any:
        if isinstance(node, list):
            return [join(element) for element in node]
        if not isinstance(node, dict):
            return node
        joined: dict[str, Any] = {}
        for name, below in node.items():
            inner = join(below)
            if isinstance(inner, dict):
                moved = {key for key in inner if draw(st.booleans())}
                joined |= {f"{name}.{key}": inner.pop(key) for key in moved}
            joined[name] = inner
        return joined

    event: dict[str, Any] = join(draw(NESTED_EVENTS))
    return event


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pattern=PATTERNS, event=dotted_events())
def test_agrees_with_the_naive_matcher(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    """Compiling changes the speed of a pattern and nothing else."""
    assert Pattern.parse(json.dumps(pattern)).matches(event) == naive_matches(pattern, event)
