"""Twelve patterns on which event-ruler was asked; `make ruler` asks it about 200,000 random pairs."""

import json
from pathlib import Path
from typing import Any

import pytest

from mappings.pattern_numbers import decode_exactly
from mappings.patterns import InvalidPattern, Pattern

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("event_ruler.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["pattern"] for case in CASES])
def test_we_decide_as_event_ruler_decides(case: dict[str, Any]) -> None:
    """Case folding to other lengths, addresses by value, bounds of masks, numbers beyond doubles."""
    if case.get("refused"):
        with pytest.raises(InvalidPattern):
            Pattern.parse(case["pattern"])
        return
    pattern = Pattern.parse(case["pattern"])

    decided = [pattern.matches(decode_exactly(each["event"])) for each in case["events"]]

    assert decided == [each["matches"] for each in case["events"]]
