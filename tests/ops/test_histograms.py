"""Buckets as Prometheus defines them."""

from hypothesis import given
from hypothesis import strategies as st

from poller.counts import Histogram

BOUNDS = (1.0, 2.0, 5.0)


def test_a_value_counts_up_to_and_including_its_bound() -> None:
    """`le` is less or equal; the last bucket holds everything."""
    histogram = Histogram(BOUNDS)

    for value in (0.5, 1.0, 1.1, 5.0, 6.0):
        histogram.observe(value)

    assert histogram.buckets == [("1.0", 2), ("2.0", 3), ("5.0", 4), ("+Inf", 5)]
    assert histogram.sum == 13.6


@given(st.lists(st.integers(-10, 60), min_size=1))
def test_many_at_once_are_counted_as_one_by_one(tenths: list[int]) -> None:
    """Whether they lie in one bucket or not."""
    values = [number / 8 for number in tenths]
    together, alone = Histogram(BOUNDS), Histogram(BOUNDS)

    together.observe_all(values)
    for value in values:
        alone.observe(value)

    assert (together.buckets, together.sum) == (alone.buckets, alone.sum)
