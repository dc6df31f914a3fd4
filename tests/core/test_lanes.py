"""Order keys and lanes."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from poller.core.lanes import split
from tests.core.records import numbers, record


@given(st.lists(st.sampled_from("abcdefgh"), max_size=30), st.integers(1, 10))
def test_records_of_a_key_share_a_lane_and_keep_their_order(keys: list[str], lanes: int) -> None:
    """Lanes are a partition; each keeps the order of the shard; no key is in two."""
    records = [replace(record(n), order_key=key) for n, key in enumerate(keys)]

    dealt = split(records, lanes)

    assert len(dealt) == lanes
    assert sorted(number for lane in dealt for number in numbers(lane)) == list(range(len(keys)))
    assert all(numbers(lane) == sorted(numbers(lane)) for lane in dealt)
    homes = [(r.order_key, index) for index, lane in enumerate(dealt) for r in lane]
    assert len({key for key, _ in homes}) == len(set(homes))


def test_the_lane_of_a_key_is_the_same_in_every_process() -> None:
    """The hash is not seeded per process: a restart must not move a key."""
    records = [replace(record(n), order_key=key) for n, key in enumerate(["a", "b", "c", "d"])]

    assert [numbers(lane) for lane in split(records, 3)] == [[0, 2, 3], [], [1]]


def test_records_without_a_key_are_spread_over_all_lanes() -> None:
    """Kinesis promises them no order: one that fails holds only its own lane."""
    dealt = split([record(n) for n in range(400)], 4)

    assert all(60 < len(lane) < 140 for lane in dealt)
    assert [numbers(lane) for lane in split([record(n) for n in range(400)], 4)] == [*map(numbers, dealt)]
