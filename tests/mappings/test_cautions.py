"""What is accepted here and perhaps not by AWS."""

import json
from typing import Any

import pytest

from mappings.cautions import cautions_of
from mappings.validation import mapping_from_request

PLAIN = {"body": {"a": [1]}}


def cautions(*patterns: Any) -> list[str]:
    filters = [{"Pattern": json.dumps(pattern)} for pattern in patterns]
    request = {
        "EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:orders",
        "FunctionName": "f",
        "FilterCriteria": {"Filters": filters},
    }
    return list(cautions_of(mapping_from_request(request, now=0.0)))


def test_more_than_five_filters_need_a_quota_at_aws() -> None:
    """Ten are accepted."""
    assert cautions(*[PLAIN] * 5) == []
    (caution,) = cautions(*[PLAIN] * 10)
    assert caution.startswith("FilterCriteria.Filters: 10 filters; at AWS a mapping may have 5 until")


def test_wildcards_that_aws_may_find_too_complex_are_told_with_their_place() -> None:
    """The second filter, here."""
    assert cautions({"body": {"a": [{"wildcard": "*x*"}]}}) == []
    (caution,) = cautions(PLAIN, {"body": {"a": [{"wildcard": "*a" * 40}]}})
    assert caution.startswith("FilterCriteria.Filters[1].Pattern: ")


@pytest.mark.parametrize("operator", ["prefix", "suffix", "wildcard", "equals-ignore-case"])
def test_an_operator_inside_anything_but_is_told(operator: str) -> None:
    """A plain anything-but is not."""
    assert cautions({"body": {"a": [{"anything-but": ["x"]}]}}) == []
    (caution,) = cautions({"body": {"a": [{"anything-but": {operator: "x"}}]}})
    assert f"accept {operator} inside anything-but" in caution
