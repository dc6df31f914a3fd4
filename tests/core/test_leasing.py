"""The transitions of a lease."""

import pytest

from poller.core.leasing import Lease, ahead, checkpointed, declined, order, released, requested, taken
from poller.core.records import Position
from poller.core.timewindow import TimeWindow, WindowState
from poller.errors import LeaseLost

FREE = Lease(mapping="m", shard="s", incarnation="i", checkpoint=Position.trim_horizon())


def test_taking_makes_a_new_epoch() -> None:
    """Every owner writes under an epoch of its own."""
    first = taken(FREE, FREE, "w1")
    second = taken(first, first, "w2")

    assert (first.owner, first.epoch) == ("w1", 1)
    assert (second.owner, second.epoch) == ("w2", 2)


def test_a_lease_that_moved_since_it_was_seen_is_not_taken() -> None:
    """Of two takers one wins."""
    won = taken(FREE, FREE, "w1")

    with pytest.raises(LeaseLost):
        taken(won, FREE, "w2")


def test_a_lease_that_was_released_is_another_one() -> None:
    """Who saw it before decides anew."""
    held = taken(FREE, FREE, "w1")

    with pytest.raises(LeaseLost):
        taken(released(held, held), held, "w2")


def test_a_request_is_kept_until_the_lease_changes_hands() -> None:
    """The owner goes on writing meanwhile; what it gives up is kept for the claimant."""
    held = taken(FREE, FREE, "w1")
    asked = requested(held, held, "w2")
    moved = checkpointed(asked, held, Position.after("5"))
    free = released(moved, held)

    assert (moved.owner, moved.claimant) == ("w1", "w2")
    assert (free.owner, free.claimant, free.epoch) == (None, "w2", 1)
    assert taken(free, free, "w2").claimant is None


def test_a_request_may_be_declined() -> None:
    """Then others may ask again."""
    held = taken(FREE, FREE, "w1")

    assert declined(requested(held, held, "w2"), held).claimant is None


def test_of_two_that_ask_one_is_noted() -> None:
    """The other looks again."""
    held = taken(FREE, FREE, "w1")

    with pytest.raises(LeaseLost):
        requested(requested(held, held, "w2"), held, "w3")


@pytest.mark.parametrize("lease", [FREE, taken(FREE, FREE, "w1")])
def test_nobody_asks_nobody_or_oneself(lease: Lease) -> None:
    """A free lease is taken, an own one is had."""
    with pytest.raises(LeaseLost):
        requested(lease, lease, "w1")


def test_a_stale_epoch_writes_nothing() -> None:
    """An earlier owner is refused, whatever it writes, and so is the owner of a deleted lease."""
    old = taken(FREE, FREE, "w1")
    new = taken(old, old, "w2")

    for stored in (new, None):
        with pytest.raises(LeaseLost):
            checkpointed(stored, old, Position.after("5"))
        with pytest.raises(LeaseLost):
            declined(stored, old)
        with pytest.raises(LeaseLost):
            released(stored, old)


def test_a_checkpoint_never_moves_backwards() -> None:
    """Sequence numbers are compared as numbers: 10 is after 9."""
    held = taken(FREE, FREE, "w1")
    at_10 = checkpointed(held, held, Position.after("10"))

    assert checkpointed(at_10, held, Position.after("9")).checkpoint == Position.after("10")
    assert ahead(Position.after("10"), Position.after("9"))


def test_a_window_moves_only_with_a_checkpoint_that_is_not_behind() -> None:
    """At the same position it may be closed; an earlier write does not open it again."""
    window = WindowState(window=TimeWindow(start=0, end=60), state=b"{}")
    held = taken(FREE, FREE, "w1")
    counted = checkpointed(held, held, Position.after("10"), window)
    closed = checkpointed(counted, held, Position.after("10"), None)

    assert counted.window == window
    assert closed.window is None
    assert checkpointed(closed, held, Position.after("9"), window) == closed


def test_the_end_of_a_shard_is_ahead_of_everything_in_it() -> None:
    """And nothing is ahead of it."""
    assert ahead(Position.shard_end(), Position.after("10"))
    assert not ahead(Position.after("10"), Position.shard_end())


def test_positions_sort_as_texts_in_the_order_of_the_shard() -> None:
    """Whatever the number of digits, of which there are up to 56; leading zeros mean nothing."""
    horizon, end = Position.trim_horizon(), Position.shard_end()
    numbers = [1, 9, 10, 99, 100, 10**20 - 1, 10**20, 10**55, 10**56 - 1]
    positions = [horizon, *(Position.after(str(n)) for n in numbers), end]

    assert sorted(positions, key=order) == positions
    assert order(Position.after("0042")) == order(Position.after("42"))
    assert order(Position.at_timestamp(5.0)) == order(horizon)


def test_a_start_is_not_ahead_of_anything() -> None:
    """A checkpoint never goes back to where the shard was begun."""
    assert not ahead(Position.trim_horizon(), Position.after("1"))
    assert not ahead(Position.trim_horizon(), Position.at_timestamp(5.0))
