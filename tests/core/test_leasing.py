"""The transitions of a lease."""

import pytest

from poller.core.leasing import Lease, ahead, checkpointed, released, renewed, taken
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


def test_a_renewed_lease_is_not_taken_by_who_saw_it_before() -> None:
    """Its owner has shown that it lives."""
    held = taken(FREE, FREE, "w1")

    with pytest.raises(LeaseLost):
        taken(renewed(held, held), held, "w2")


def test_a_stale_epoch_writes_nothing() -> None:
    """An earlier owner is refused, whatever it writes, and so is the owner of a deleted lease."""
    old = taken(FREE, FREE, "w1")
    new = taken(old, old, "w2")

    for stored in (new, None):
        with pytest.raises(LeaseLost):
            checkpointed(stored, old, Position.after("5"))
        with pytest.raises(LeaseLost):
            renewed(stored, old)
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
