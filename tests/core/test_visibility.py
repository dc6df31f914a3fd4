"""How long messages stay hidden, and whether a queue suits a function."""

import pytest

from poller.core.visibility import Visibility, hidden_since, long_poll_s


@pytest.mark.parametrize(
    ("queue_s", "window_s", "timeout_s", "expected"),
    [
        (30, 0, 30, None),
        (30, 0, 20, None),
        (60, 20, 40, None),
        (60, 20, 41, 91.0),
        (30, 300, 900, 1230.0),
        (30, 300, None, 360.0),
        (300, 300, None, 630.0),
        (30, 0, None, None),
    ],
)
def test_only_a_window_that_does_not_fit_asks_for_more(
    queue_s: float, window_s: float, timeout_s: float | None, expected: float | None
) -> None:
    """Window and function timeout and 30 s, where the queue's own is too short (semantics 2.2.2)."""
    visibility = Visibility(queue_s=queue_s, window_s=window_s, timeout_s=timeout_s)

    assert visibility.asked_s == expected
    assert visibility.effective_s == (expected or queue_s)


def test_a_queue_shorter_than_the_function_is_refused_in_aws_words() -> None:
    """With both values."""
    text = "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds"

    assert Visibility(queue_s=30, timeout_s=60).problem == text


@pytest.mark.parametrize("timeout_s", [30.0, 10.0, None])
def test_a_queue_that_is_long_enough_or_a_function_nobody_knows_is_accepted(timeout_s: float | None) -> None:
    """Equal is enough."""
    assert Visibility(queue_s=30, timeout_s=timeout_s).problem is None


@pytest.mark.parametrize(
    ("queue_s", "window_s", "timeout_s", "run_s", "renewed_s"),
    [
        (30, 0, 10, 10, 30),
        (30, 0, 30, 30, 35),
        (60, 20, 41, 41, 91),
        (30, 0, None, 30, 35),
        (30, 300, None, 30, 360),
        (43_200, 0, 43_200, 43_200, 43_200),
    ],
)
def test_a_late_start_is_renewed_to_what_a_run_needs(
    queue_s: float, window_s: float, timeout_s: float | None, run_s: float, renewed_s: float
) -> None:
    """Faults 6: the larger of the effective visibility and the timeout with 5 s, at most 12 hours.

    Where the timeout is not known the queue's own visibility stands for it.
    """
    visibility = Visibility(queue_s=queue_s, window_s=window_s, timeout_s=timeout_s)

    assert (visibility.run_s, visibility.renewed_s) == (run_s, renewed_s)


@pytest.mark.parametrize("timeout_s", [1, 10, 30, 300, 900, None])
@pytest.mark.parametrize("queue_s", [30, 60, 900, 5400])
def test_half_of_what_waits_is_enough_for_a_run(queue_s: float, timeout_s: float | None) -> None:
    """Faults 9: a message that waits is renewed at half of its time, and may start all the while."""
    visibility = Visibility(queue_s=queue_s, timeout_s=timeout_s)

    assert visibility.waiting_s / 2 >= visibility.start_s


@pytest.mark.parametrize(
    ("longest_s", "grace_s", "expected"),
    [
        (20, None, 20),
        (20, 60, 20),
        (20, 20, 10),
        (20, 19, 9),
        (20, 3, 1),
        (20, 2, 1),
        (20, 1, 0),
        (1, 3, 1),
    ],
)
def test_a_short_grace_means_short_polls(longest_s: float, grace_s: float | None, expected: float) -> None:
    """Faults 10: at most half of it, 0 below 2 s; an open poll ends before the drain does."""
    assert long_poll_s(longest_s, grace_s=grace_s) == expected


def test_an_answer_that_lay_here_while_the_process_was_suspended_hides_since_it_was_due() -> None:
    """I15: no answer comes later than its longest wait, so what is read later was there before."""
    assert hidden_since(asked_at=100, answered_at=112, longest_s=30) == 112
    assert hidden_since(asked_at=100, answered_at=900, longest_s=30) == 130
