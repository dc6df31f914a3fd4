"""How long messages stay hidden, and whether a queue suits a function."""

import pytest

from poller.core.visibility import receive_visibility_s, visibility_problem


@pytest.mark.parametrize(
    ("queue_s", "window_s", "timeout_s", "expected"),
    [
        (30, 0, 30, None),
        (30, 0, 20, None),
        (60, 20, 40, None),
        (60, 20, 41, 91.0),
        (30, 300, 900, 1230.0),
        (30, 300, None, 330.0),
        (300, 300, None, None),
        (30, 0, None, None),
    ],
)
def test_only_a_window_that_does_not_fit_asks_for_more(
    queue_s: float, window_s: float, timeout_s: float | None, expected: float | None
) -> None:
    """Window and function timeout and 30 s, where the queue's own is too short (semantics 2.2.2)."""
    assert receive_visibility_s(queue_s=queue_s, window_s=window_s, timeout_s=timeout_s) == expected


def test_a_queue_shorter_than_the_function_is_refused_in_aws_words() -> None:
    """With both values."""
    text = "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds"

    assert visibility_problem(queue_s=30, timeout_s=60) == text


@pytest.mark.parametrize("timeout_s", [30.0, 10.0, None])
def test_a_queue_that_is_long_enough_or_a_function_nobody_knows_is_accepted(timeout_s: float | None) -> None:
    """Equal is enough."""
    assert visibility_problem(queue_s=30, timeout_s=timeout_s) is None
