"""Back-off, pace, and reactions to a source's errors."""

import pytest

from poller.core.backoff import Backoff, spread
from poller.core.pacing import Pace
from poller.core.records import Page, Position, PositionKind
from poller.core.recovery import Patience, react
from poller.errors import (
    IteratorExpired,
    PositionExpired,
    SourceDenied,
    SourceError,
    SourceGone,
    SourceThrottled,
    SourceUnavailable,
)
from tests.core.records import record

PATIENCE = Patience()


def test_backoff_doubles_up_to_its_cap_and_survives_any_count() -> None:
    """The number of failures is not bounded; the wait is."""
    backoff = Backoff(0.5, 60.0)

    assert [backoff.delay(n) for n in (0, 1, 2, 3, 8, 10_000)] == [0.0, 0.5, 1.0, 2.0, 60.0, 60.0]


def test_spreading_shortens_by_up_to_a_quarter() -> None:
    """It never makes a wait longer than it says."""
    assert spread(8.0, 0.0) == 8.0
    assert 6.0 <= spread(8.0, 0.999) < 6.1


def test_a_busy_shard_is_read_at_the_busy_pace() -> None:
    """Records, or knowing of more, mean no idle wait; the time of the read itself counts."""
    pace = Pace(busy_s=0.2, idle_s=1.0)

    assert pace.pause(Page(records=[record(1)]), elapsed_s=0.05) == pytest.approx(0.15)
    assert pace.pause(Page(behind=True), elapsed_s=0.5) == 0.0
    assert pace.pause(Page(), elapsed_s=0.25) == 0.75


def test_a_large_page_is_followed_by_a_pause_for_the_throughput_of_the_shard() -> None:
    """10 MiB at 2 MiB/s: the next read would fail for five seconds anyway."""
    pace = Pace(busy_s=0.2, idle_s=1.0, bytes_per_s=2.0)

    assert pace.pause(Page(records=[record(1)], source_bytes=10), elapsed_s=1.0) == 4.0


@pytest.mark.parametrize("error", [SourceUnavailable("x"), SourceThrottled("x")], ids=repr)
def test_passing_errors_back_off_and_keep_the_reader(error: SourceError) -> None:
    """Later and later, up to half a minute."""
    delays = [react(error, n, PATIENCE).delay_s for n in (1, 2, 20)]

    assert delays == [0.2, 0.4, 30.0]
    assert not react(error, 1, PATIENCE).reopen


@pytest.mark.parametrize("error", [SourceGone("q"), SourceDenied("q")], ids=repr)
def test_lasting_errors_are_reported_and_asked_again_each_minute(error: SourceError) -> None:
    """Somebody has to do something about them."""
    reaction = react(error, 30, PATIENCE)

    assert (reaction.delay_s, reaction.problem, reaction.reopen) == (60.0, "PROBLEM: q", True)


def test_an_expired_iterator_is_mended_at_once_and_is_no_problem() -> None:
    """It is a matter of age; the place to go on from is known."""
    reaction = react(IteratorExpired("s"), 1, PATIENCE)

    assert (reaction.delay_s, reaction.problem, reaction.reopen, reaction.trimmed) == (0.0, None, True, False)


def test_a_trimmed_position_is_a_reported_gap() -> None:
    """Never silent."""
    reaction = react(PositionExpired("s"), 1, PATIENCE)

    assert (reaction.reopen, reaction.trimmed) == (True, True)
    assert reaction.problem is not None


@pytest.mark.parametrize(
    "position",
    [
        Position.trim_horizon(),
        Position.at_timestamp(1700000000.25),
        Position.after("49590338271490256608559692538361571095921575989136588898"),
        Position.shard_end(),
    ],
    ids=str,
)
def test_a_position_is_read_as_it_was_written(position: Position) -> None:
    """What a checkpoint stores is found again."""
    assert Position.parse(str(position)) == position


def test_latest_is_stored_as_the_time_it_was_asked_for() -> None:
    """So it is never resolved a second time."""
    pinned = Position.latest(12.5).pinned()

    assert (pinned.kind, pinned.timestamp) == (PositionKind.AT_TIMESTAMP, 12.5)
