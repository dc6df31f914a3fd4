"""What becomes of asynchronous events: schedules, limits and ends, as tables."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.core.async_events import (
    CRASHED_AGAIN_S,
    INTERRUPTIONS,
    Condition,
    EventRules,
    Notice,
    QueuedEvent,
    Response,
    Role,
    begin,
    crashed,
    delivered,
    judge,
    undelivered,
)
from poller.core.event_time import Age, Moment
from poller.core.outcomes import (
    FunctionError,
    LostReply,
    Outcome,
    Succeeded,
    Throttled,
    TooLarge,
    Unreachable,
)
from poller.core.telling import REFUSED_S

ACCEPTED = 1_800_000_000.0
DEAD = Notice(role=Role.DEAD_LETTER, arn="arn:aws:sqs:eu-west-1:123456789012:dead")
BAD = Notice(role=Role.ON_FAILURE, arn="arn:aws:sqs:eu-west-1:123456789012:bad")
GOOD = Notice(role=Role.ON_SUCCESS, arn="arn:aws:sqs:eu-west-1:123456789012:good")
FAILURE = (DEAD, BAD)
RULES = EventRules(
    told={
        Condition.SUCCESS: (GOOD,),
        Condition.RETRIES_EXHAUSTED: FAILURE,
        Condition.EVENT_AGE_EXCEEDED: FAILURE,
        Condition.ZERO_RESERVED_CONCURRENCY: FAILURE,
    }
)
FAILED = FunctionError(error_type="ValueError", payload=b'{"errorMessage":"no"}')
REFUSED = Unreachable(reason="ServiceException", status_code=500)


def at(now: float, clock: str = "wall/1") -> Moment:
    """A reading of a clock."""
    return Moment(at=now, clock=clock, wall=now)


def event(**fields: object) -> QueuedEvent:
    """An event that was just accepted."""
    whole = QueuedEvent(
        request_id="id-1",
        function="audit",
        qualifier=None,
        function_arn="arn:aws:lambda:us-east-1:000000000000:function:audit",
        payload=b"{}",
        accepted_at=ACCEPTED,
        due_at=ACCEPTED,
        age=Age(until=at(ACCEPTED)),
    )
    return replace(whole, **fields)  # type: ignore[arg-type]


def lived(
    outcome: Outcome, rules: EventRules = RULES, *, most: int = 10_000
) -> list[tuple[float, QueuedEvent]]:
    """Let one outcome come of every invocation until the end; when each began, and what it left."""
    history: list[tuple[float, QueuedEvent]] = []
    current, now = event(), ACCEPTED
    for _ in range(most):
        current = begin(current, rules, at(now))
        if current.running:
            current = judge(current, outcome, rules, now=at(now), chance=0.0)
        history.append((now - ACCEPTED, current))
        if current.ending is not None:
            return history
        now = current.due_at
    raise AssertionError("it never ended")


def test_a_function_that_fails_is_run_again_after_one_minute_and_two_more() -> None:
    """Three attempts at 0, 60 and 180 s; then the retries are exhausted."""
    history = lived(FAILED)

    assert [at for at, _ in history] == [0.0, 60.0, 180.0]
    last = history[-1][1]
    assert last.ending is not None
    assert last.ending.condition is Condition.RETRIES_EXHAUSTED
    assert last.ending.pending == FAILURE
    assert last.delivered == 3
    assert last.response == Response(
        status_code=200, executed_version="$LATEST", function_error="Unhandled", payload=FAILED.payload
    )


@pytest.mark.parametrize(("attempts", "times"), [(0, [0.0]), (1, [0.0, 60.0])])
def test_fewer_retries_may_be_asked_for(attempts: int, times: list[float]) -> None:
    """MaximumRetryAttempts 0 to 2."""
    assert [at for at, _ in lived(FAILED, replace(RULES, maximum_retry_attempts=attempts))] == times


def test_success_ends_an_event_at_once() -> None:
    """Whoever waits for successes is told."""
    ((at, ended),) = lived(Succeeded(payload=b"1", executed_version="3"))

    assert at == 0.0
    assert ended.ending is not None
    assert ended.ending.condition is Condition.SUCCESS
    assert ended.ending.pending == (GOOD,)
    assert ended.response == Response(status_code=200, executed_version="3", payload=b"1")


@pytest.mark.parametrize("outcome", [Throttled(), REFUSED])
def test_refusals_are_retried_for_six_hours_and_use_no_attempt(outcome: Outcome) -> None:
    """1 s, then twice as long each time up to 5 minutes; the last try comes before the event is too old."""
    history = lived(outcome)

    times = [at for at, _ in history]
    assert times[:5] == [0.0, 1.0, 3.0, 7.0, 15.0]
    assert max(later - earlier for earlier, later in pairwise(times)) == 300.0
    assert times[-1] == 6 * 3600
    last = history[-1][1]
    assert last.ending is not None
    assert last.ending.condition is Condition.EVENT_AGE_EXCEEDED
    assert (last.failed, last.delivered) == (0, 0)


def test_a_refusal_waits_at_least_as_long_as_it_says() -> None:
    """Retry-After is honoured."""
    judged = judge(
        begin(event(), RULES, at(ACCEPTED)), Throttled(retry_after_s=30), RULES, now=at(ACCEPTED), chance=0.0
    )

    assert judged.due_at == ACCEPTED + 30


def test_refusals_are_spread() -> None:
    """Many events that were refused together do not come back together."""
    running = begin(event(), RULES, at(ACCEPTED))
    waits = {judge(running, REFUSED, RULES, now=at(ACCEPTED), chance=c).due_at for c in (0.0, 0.5)}

    assert len(waits) == 2


@pytest.mark.parametrize("outcome", [LostReply(reason="reset"), TooLarge(size=7_000_000)])
def test_what_may_have_run_uses_an_attempt(outcome: Outcome) -> None:
    """A lost answer is a failure; so is a payload that can never be handed over."""
    assert len(lived(outcome)) == 3


def test_an_event_that_waited_too_long_is_not_run_any_more() -> None:
    """MaximumEventAgeInSeconds is looked at before each invocation."""
    begun = begin(event(), replace(RULES, maximum_event_age_s=60.0), at(ACCEPTED + 60))

    assert not begun.running
    assert begun.ending is not None
    assert begun.ending.condition is Condition.EVENT_AGE_EXCEEDED


def test_a_retry_never_comes_after_the_end_of_the_event() -> None:
    """A retry that would come too late is the end, in its time."""
    history = lived(FAILED, replace(RULES, maximum_event_age_s=100.0))

    assert [at for at, _ in history] == [0.0, 60.0, 100.0]
    ending = history[-1][1].ending
    assert ending is not None
    assert ending.condition is Condition.EVENT_AGE_EXCEEDED


def test_a_concurrency_of_zero_ends_an_event_without_an_attempt() -> None:
    """It goes to where failures are told of (semantics 6.4.7)."""
    begun = begin(event(), replace(RULES, throttled=True), at(ACCEPTED))

    assert begun.delivered == 0
    assert begun.ending is not None
    assert begun.ending.condition is Condition.ZERO_RESERVED_CONCURRENCY


def test_an_invocation_that_was_cut_off_uses_no_attempt() -> None:
    """The poller died with it: it is run at once, as often as it may fail."""
    cut_off = begin(event(), RULES, at(ACCEPTED))
    again = begin(cut_off, RULES, at(ACCEPTED + 5))

    assert again.running
    assert (again.failed, again.interrupted, again.delivered) == (0, 1, 2)


def test_an_event_that_ends_the_poller_each_time_comes_to_an_end() -> None:
    """After three times each further one counts as a failure."""
    current, now, begun = event(), ACCEPTED, 0
    while current.ending is None:
        current = begin(current, RULES, at(now))
        begun += current.running
        now = max(now, current.due_at)

    assert current.ending.condition is Condition.RETRIES_EXHAUSTED
    assert begun == INTERRUPTIONS + 1 + RULES.maximum_retry_attempts


def test_destinations_are_told_one_after_the_other() -> None:
    """One that fails is told again later, one that was told is not."""
    ended = lived(FAILED)[-1][1]
    told = delivered(ended, DEAD)
    held = undelivered(told, now=at(ACCEPTED + 200), delay_s=5.0)

    assert held.ending is not None
    assert held.ending.pending == (BAD,)
    assert (held.ending.failures, held.due_at) == (1, ACCEPTED + 205)
    assert begin(held, RULES, at(ACCEPTED + 205)) == held


@given(
    outcomes=st.lists(
        st.sampled_from([FAILED, Throttled(), REFUSED, LostReply(reason="x"), None]), max_size=60
    ),
    attempts=st.integers(0, 2),
)
def test_attempts_stay_within_their_bound(outcomes: list[Outcome | None], attempts: int) -> None:
    """However failures, refusals and deaths of the poller (None) mix."""
    rules = replace(RULES, maximum_retry_attempts=attempts)
    current, now, deaths = event(), ACCEPTED, 0
    for outcome in outcomes:
        current = begin(current, rules, at(now))
        if current.ending is not None:
            break
        if current.running and outcome is not None:
            current = judge(current, outcome, rules, now=at(now), chance=0.0)
        deaths += outcome is None
        now = max(now, current.due_at)

    assert current.failed <= attempts + 1
    assert current.delivered <= attempts + 1 + deaths
    assert current.request_id == "id-1"


def test_a_destination_that_fails_lets_the_next_one_go_first() -> None:
    """A dead-letter queue that does not answer holds up no record; after a round both wait."""
    ended = lived(FAILED)[-1][1]
    once = undelivered(ended, now=at(ACCEPTED + 200), delay_s=5.0)
    twice = undelivered(once, now=at(ACCEPTED + 200), delay_s=5.0)

    assert once.ending is not None
    assert (once.ending.pending, once.due_at) == ((BAD, DEAD), ACCEPTED + 200)
    assert twice.ending is not None
    assert (twice.ending.pending, twice.due_at) == ((DEAD, BAD), ACCEPTED + 205)


# ----- ages


def test_a_span_of_another_clock_ends_no_event_before_one_more_attempt() -> None:
    """A worker whose clock is seven hours ahead runs what it finds; a failure then confirms the age."""
    ahead = at(ACCEPTED + 7 * 3600, "wall/2")
    begun = begin(event(), RULES, ahead)
    assert begun.running
    assert begun.age == Age(doubted_s=7 * 3600, until=ahead)

    failed = judge(begun, FAILED, RULES, now=ahead, chance=0.0)
    assert (failed.ending, failed.due_at) == (None, ahead.at)
    ended = begin(failed, RULES, ahead)
    assert ended.ending is not None
    assert ended.ending.condition is Condition.EVENT_AGE_EXCEEDED


def test_a_refusal_confirms_no_doubted_span() -> None:
    """The function has had no attempt."""
    ahead = at(ACCEPTED + 7 * 3600, "wall/2")
    refused = judge(begin(event(), RULES, ahead), Throttled(), RULES, now=ahead, chance=0.0)

    assert begin(refused, RULES, at(refused.due_at, "wall/2")).running


def test_spans_between_readings_of_the_stores_clock_are_certain() -> None:
    """Whichever worker reads it: the event is as old as that says."""
    accepted = event(age=Age(until=at(ACCEPTED, "store/1")))
    ended = begin(accepted, RULES, at(ACCEPTED + 6 * 3600, "store/2"))

    assert ended.ending is not None
    assert ended.ending.condition is Condition.EVENT_AGE_EXCEEDED


def test_a_clock_that_is_behind_makes_no_event_younger() -> None:
    """What was measured before stays measured."""
    old = event(age=Age(certain_s=100.0, until=at(ACCEPTED)))

    assert begin(old, RULES, at(ACCEPTED - 50, "wall/2")).age.certain_s == 100.0


# ----- errors of ours


def test_an_error_of_ours_repeats_a_run_a_few_times() -> None:
    """What was running counts as cut off: it ends, and what was being sent is only sent again."""
    current, now, begun = event(), ACCEPTED, 0
    while current.ending is None:
        current = begin(current, RULES, at(now))
        begun += current.running
        if current.ending is None:
            current = crashed(current, at(now))
        now = current.due_at
    assert begun <= INTERRUPTIONS + 1 + RULES.maximum_retry_attempts

    held = crashed(current, at(now))
    assert (held.ending, held.due_at) == (current.ending, now + CRASHED_AGAIN_S)


def test_an_event_that_can_never_be_begun_ends_when_it_is_too_old() -> None:
    """And goes to the dead-letter queue that it was accepted with."""
    current, now = event(dead_letter=DEAD.arn), ACCEPTED
    while current.ending is None:
        current = crashed(current, at(now))
        now = max(current.due_at, now)

    assert now - ACCEPTED == pytest.approx(6 * 3600, abs=120)
    assert current.ending.condition is Condition.EVENT_AGE_EXCEEDED
    assert current.ending.pending == (DEAD,)


def test_what_can_never_be_sent_for_an_error_of_ours_is_given_up() -> None:
    """As long as a refusal would be held."""
    ended = lived(FAILED)[-1][1]
    late = at(ended.age.until.at + REFUSED_S)

    assert crashed(ended, late).ending == replace(ended.ending, pending=())  # type: ignore[type-var]
