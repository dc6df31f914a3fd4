"""What may become of a message that was received."""

from collections.abc import Sequence
from itertools import product

import pytest
from msgspec import structs

from poller.core.receipts import (
    DENIED_REST_S,
    MOST_REMEMBERED,
    REMEMBERED_S,
    Receipts,
    Settled,
    groups_of,
)
from poller.core.records import Record
from poller.core.visibility import LATE_S, Visibility


def _message(name: str, handle: str = "1", *, group: str | None = None) -> Record:
    return Record(
        item_identifier=name,
        event=b'{"body":"x"}',
        arrived_at=0.0,
        order_key=group,
        position=None,
        receipt=f"{name}#{handle}",
    )


def _receipts(
    *, queue_s: float = 30, window_s: float = 0, timeout_s: float | None = 10, fifo: bool = False
) -> Receipts:
    visibility = Visibility(queue_s=queue_s, window_s=window_s, timeout_s=timeout_s)
    return Receipts(visibility, Settled(), fifo=fifo)


def _held(receipts: Receipts, *records: Record, at: float = 0.0, until: float = 30.0) -> Sequence[Record]:
    return receipts.received(records, since=at, until=until).held


def _names(records: Sequence[Record]) -> list[str]:
    return [record.item_identifier for record in records]


# ----- receiving


def test_a_message_received_again_keeps_its_place_and_takes_the_later_handle() -> None:
    """Faults 8: within a receive, and across receives, whatever became of it meanwhile."""
    receipts = _receipts()
    first, second = _message("a"), _message("a", "2")

    intake = receipts.received([first, _message("b"), second], since=0, until=30)

    assert _names(intake.held) == ["a", "b"]
    assert intake.repeated == 1
    assert [record.receipt for record in receipts.current(intake.held)] == ["a#2", "b#1"]


def test_an_earlier_receive_that_is_read_later_does_not_replace_the_handle() -> None:
    """Faults 8: a process that was suspended reads its answers in any order."""
    receipts = _receipts()
    later = structs.replace(_message("a", "2"), receives=2)
    records = _held(receipts, later, at=20, until=50)

    receipts.received([structs.replace(_message("a"), receives=1)], since=20, until=50)

    assert [record.receipt for record in receipts.current(records)] == ["a#2"]


def test_what_was_read_after_a_standstill_starts_once_the_queue_has_renewed_it() -> None:
    """Faults 6: an answer may have waited here for as long as the process was suspended."""
    receipts = _receipts()
    before = _held(receipts, _message("a"), at=9.0, until=39.0)
    unread = _held(receipts, _message("b"), at=20.0, until=50.0)

    receipts.stood_still(10.0, 20.0)

    read_next = _held(receipts, _message("c"), at=20.5, until=50.5)
    asked_later = _held(receipts, _message("d"), at=22.0, until=52.0)
    check = receipts.check([*unread, *read_next, *asked_later], 22.0)
    assert (_names(check.renew), _names(check.start)) == (["b", "c"], ["d"])
    assert _names(receipts.check(before, 9.5).start) == ["a"]
    receipts.renewed(check.renew, since=22.0, until=52.0)
    assert _names(receipts.check(unread, 22.5).start) == ["b"]


@pytest.mark.parametrize("now", [31.0, 50.0])
def test_a_doubtful_receipt_lapses_when_the_queue_says_so(now: float) -> None:
    """Faults 6: to drop it unasked would spend a receive."""
    receipts = _receipts()
    records = receipts.received([_message("a")], since=0, until=30, doubtful=True).held

    assert _names(receipts.check(records, now).renew) == ["a"]
    receipts.ended(records)
    assert _names(receipts.check(records, now).lapsed) == ["a"]


def test_a_doubtful_receipt_starts_while_it_is_hidden_where_renewals_are_denied() -> None:
    """Semantics 2.10.3."""
    receipts = _receipts()
    records = receipts.received([_message("a")], since=0, until=30, doubtful=True).held
    receipts.denied(1.0)

    assert _names(receipts.check(records, 2.0).start) == ["a"]
    assert _names(receipts.check(records, 30.5).lapsed) == ["a"]


@pytest.mark.parametrize("stage", ["held", "running", "settling"])
def test_a_message_that_is_here_is_not_delivered_beside_itself(stage: str) -> None:
    """Faults 8: its deadline is that of the later receive."""
    receipts = _receipts()
    records = _held(receipts, _message("a"))
    if stage != "held":
        receipts.started(records)
    if stage == "settling":
        receipts.finished(records, now=1.0)

    intake = receipts.received([_message("a", "2")], since=20, until=50)

    assert (intake.held, intake.settled, intake.repeated) == ([], [], 1)
    assert receipts.expired(records, 49) == []
    assert receipts.expired(records, 50) == records
    assert [record.receipt for record in receipts.current(records)] == ["a#2"]


def test_a_message_that_was_handled_is_deleted_when_it_comes_back() -> None:
    """Faults 8: with its new handle, and not run; for as long as its old receipt, a minute at least."""
    receipts = _receipts()
    records = _held(receipts, _message("a"), until=500)
    receipts.finished(records, now=10.0)
    receipts.forget(records)

    again = receipts.received([_message("a", "2")], since=499, until=999)

    assert (_names(again.held), _names(again.settled)) == ([], ["a"])
    receipts.forget(again.settled)
    assert _names(receipts.received([_message("a", "3")], since=501, until=1000).held) == ["a"]


def test_handled_messages_are_remembered_for_a_minute_at_least_and_a_hundred_thousand_at_most() -> None:
    """Memory is bounded; the oldest go first."""
    settled = Settled()
    settled.add("a", now=0, until=5)

    assert settled.knows("a", REMEMBERED_S - 1)
    assert not settled.knows("a", REMEMBERED_S)
    for number in range(MOST_REMEMBERED):
        settled.add(str(number), now=1, until=100)
    assert len(settled) == MOST_REMEMBERED
    assert not settled.knows("a", 2)


def test_a_message_that_was_handled_again_is_remembered_anew() -> None:
    """It is no longer the first to be forgotten."""
    settled = Settled()
    for message in ("a", "b", "a"):
        settled.add(message, now=0, until=500)
    for number in range(MOST_REMEMBERED - 1):
        settled.add(str(number), now=0, until=500)

    assert settled.knows("a", 100)
    assert not settled.knows("b", 100)


def test_what_is_no_longer_remembered_leaves_no_memory() -> None:
    """Each addition drops what is over."""
    settled = Settled()
    for number in range(1000):
        settled.add(str(number), now=number * 100.0, until=0)

    assert len(settled) <= 2


# ----- may it start?


@pytest.mark.parametrize(
    ("waited_s", "left_s", "window_s", "timeout_s"),
    list(product((0, 0.9, 1.1, 5, 20.9, 21.1, 40), (0.5, 9, 14.9, 15.1, 34, 36), (0, 20), (10, None))),
)
def test_a_start_is_at_once_or_with_enough_time_or_after_a_renewal(
    waited_s: float, left_s: float, window_s: float, timeout_s: float | None
) -> None:
    """Faults 6: at once within the window and a second; else the timeout and 5 s have to be left."""
    receipts = _receipts(window_s=window_s, timeout_s=timeout_s)
    records = _held(receipts, _message("a"), until=waited_s + left_s)

    check = receipts.check(records, waited_s)

    needed_s = (30 if timeout_s is None else timeout_s) + 5
    starts = waited_s <= window_s + LATE_S or left_s >= needed_s
    assert (_names(check.start), _names(check.renew)) == ((["a"], []) if starts else ([], ["a"]))


def test_what_others_may_have_does_not_start() -> None:
    """Semantics 2.10.3: at its deadline, and not before, however short it waited."""
    receipts = _receipts()
    records = _held(receipts, _message("a"), until=0.5)

    assert _names(receipts.check(records, 0.49).start) == ["a"]
    assert _names(receipts.check(records, 0.5).lapsed) == ["a"]


def test_a_renewal_that_was_refused_for_the_receipt_ends_the_message_here() -> None:
    """Faults 4: expired, or 12 hours; a later receive brings it back."""
    receipts = _receipts()
    records = _held(receipts, _message("a"))

    receipts.ended(receipts.current(records))

    assert _names(receipts.check(records, 1.0).lapsed) == ["a"]
    receipts.received([_message("a", "2")], since=2, until=32)
    assert _names(receipts.check(records, 3.0).start) == ["a"]


def test_a_refusal_of_an_older_handle_ends_nothing() -> None:
    """The message was received again while the renewal was under way."""
    receipts = _receipts()
    records = _held(receipts, _message("a"))
    receipts.received([_message("a", "2")], since=2, until=32)

    receipts.ended(records)

    assert _names(receipts.check(records, 3.0).start) == ["a"]


def test_a_renewal_counts_from_when_it_was_asked_for() -> None:
    """Faults 6: fresh again for a second, and hidden until the end of what was asked."""
    receipts = _receipts()
    records = _held(receipts, _message("a"))
    assert _names(receipts.check(records, 20.0).renew) == ["a"]

    receipts.renewed(records, since=20.0, until=50.0)

    assert _names(receipts.check(records, 21.0).start) == ["a"]
    assert _names(receipts.check(records, 40.0).renew) == ["a"]


def test_where_renewals_are_denied_a_message_starts_while_it_is_hidden() -> None:
    """Semantics 2.10.3: for a while no renewal is waited for."""
    receipts = _receipts(queue_s=100)
    records = _held(receipts, _message("a"), until=60)

    receipts.denied(50.0)

    assert _names(receipts.check(records, 55.0).start) == ["a"]
    assert _names(receipts.check(records, 60.0).lapsed) == ["a"]
    assert receipts.due(55.0, ahead_s=5) == ()
    assert _names(receipts.due(50.0 + DENIED_REST_S, ahead_s=5)) == ["a"]


def test_a_batch_is_sorted_message_by_message() -> None:
    """Each of its messages is in exactly one part."""
    receipts = _receipts(fifo=True)
    fresh, late, lapsed, behind = (
        _message(name, group=name[0]) for name in ("fresh", "late", "xlapsed", "behind")
    )
    failed = _message("before", group="b")
    _held(receipts, late, until=25.0)
    _held(receipts, lapsed, until=20.0)
    _held(receipts, failed, behind, at=19.5, until=49.5)
    _held(receipts, fresh, at=19.5, until=49.5)
    receipts.started([failed])
    receipts.failed([failed])

    check = receipts.check([fresh, late, lapsed, behind], 20.0)

    assert check.start == [fresh]
    assert check.renew == [late]
    assert check.lapsed == [lapsed]
    assert check.behind == [behind]


# ----- groups


def test_what_is_held_behind_a_failed_message_of_its_group_goes_back() -> None:
    """Faults 16: other groups go on, and so does what runs or is settled."""
    receipts = _receipts(fifo=True)
    first, held, running, other = (
        _message("1", group="g"),
        _message("2", group="g"),
        _message("3", group="g"),
        _message("4", group="h"),
    )
    _held(receipts, first, held, running, other)
    receipts.started([first, running])

    receipts.failed([first])

    assert receipts.check([held], 0.5).behind == [held]
    assert receipts.check([running, other], 0.5).start == [running, other]


def test_in_a_standard_queue_groups_have_no_order() -> None:
    """A fair queue's MessageGroupId names a tenant."""
    receipts = _receipts()
    first, held = _message("1", group="g"), _message("2", group="g")
    _held(receipts, first, held)

    receipts.failed([first])

    assert receipts.check([held], 0.5).start == [held]


def test_the_groups_of_a_batch_are_those_that_are_named() -> None:
    """Messages without a group have none."""
    assert groups_of([_message("1", group="g"), _message("2", group="h"), _message("3")]) == {"g", "h"}


# ----- must it be renewed?


@pytest.mark.parametrize(("now", "due"), [(9.0, False), (10.0, True), (14.0, True)])
def test_what_waits_is_renewed_before_half_of_its_time_is_gone(now: float, *, due: bool) -> None:
    """Faults 9: at the last look before that."""
    receipts = _receipts()
    _held(receipts, _message("a"))

    assert bool(receipts.due(now, ahead_s=5.0)) is due


def test_what_runs_or_was_handled_is_not_renewed() -> None:
    """Faults 5: only what waits is."""
    receipts = _receipts()
    running, done = _message("a"), _message("b")
    _held(receipts, running, done)
    receipts.started([running, done])
    receipts.finished([done], now=1.0)

    assert receipts.due(29.0, ahead_s=5.0) == []
    receipts.refused([running])
    assert receipts.due(29.0, ahead_s=5.0) == [running]


def test_a_window_alone_renews_nothing() -> None:
    """The receive hides its messages for the window as well."""
    receipts = _receipts(window_s=25, timeout_s=None)
    records = _held(receipts, _message("a"))

    assert receipts.due(25.9, ahead_s=5.0) == []
    assert receipts.due(26.1, ahead_s=5.0) == records


def test_a_renewal_under_way_is_not_begun_again() -> None:
    """Until it is over."""
    receipts = _receipts()
    records = _held(receipts, _message("a"))
    receipts.renewing(records, under_way=True)
    assert receipts.due(29.0, ahead_s=5.0) == []

    receipts.renewing(records, under_way=False)

    assert receipts.due(29.0, ahead_s=5.0) == records


# ----- what is in flight


def test_what_is_in_flight_is_forgotten_at_its_end() -> None:
    """Held, running and settling count; deleted, failed and given back do not."""
    receipts = _receipts()
    records = _held(receipts, *(_message(str(number)) for number in range(4)))
    receipts.started(records[:2])
    receipts.finished(records[:1], now=1.0)
    assert len(receipts) == 4

    receipts.failed(records[1:2])
    receipts.forget(records[2:3])
    assert len(receipts) == 2
    receipts.forget(records)

    assert len(receipts) == 0


def test_what_waits_is_told_with_its_age() -> None:
    """Since the receive, whatever was renewed."""
    receipts = _receipts()
    first = _held(receipts, _message("a"), at=10)
    _held(receipts, _message("b"), at=20)
    receipts.renewed(first, since=50, until=80)

    assert receipts.waiting(70.0) == (2, 60.0)
    receipts.started(first)
    assert receipts.waiting(70.0) == (1, 50.0)


def test_a_delete_that_is_tried_again_keeps_no_body() -> None:
    """I9: only handles are needed."""
    receipts = _receipts()
    records = _held(receipts, _message("a"), _message("b"))
    receipts.received([_message("b", "2")], since=1, until=31)
    receipts.finished(records, now=2.0)

    light = receipts.lighten(records)

    assert [record.event for record in light] == [b"", b""]
    assert [(record.receipt, record.event) for record in receipts.current(light)] == [
        ("a#1", b""),
        ("b#2", b""),
    ]


def test_a_batch_waits_for_what_came_before_it_in_its_groups() -> None:
    """I3: a message that came again stays where it was held; what came behind it waits for that."""
    receipts = _receipts(fifo=True)
    first, second, other = _message("1", group="g"), _message("2", group="g"), _message("3", group="h")
    _held(receipts, first)
    receipts.received([_message("1", "2", group="g"), second, other], since=1, until=31)

    assert receipts.leads([first])
    assert receipts.leads([other])
    assert not receipts.leads([second])
    assert receipts.leads([first, second])
    receipts.finished([first], now=2.0)
    assert receipts.leads([second])
