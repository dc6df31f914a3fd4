"""How many pollers a queue has, over simulated minutes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.validation import mapping_from_request
from poller.core.scaling import Load, QueueScaler, ScalingRules, scaling_rules


def _load(
    pollers: int,
    *,
    busy: int = 0,
    received: int = 0,
    invocations: int = 0,
    failures: int = 0,
    throttles: int = 0,
) -> Load:
    return Load(
        elapsed_s=1.0,
        pollers=pollers,
        busy=busy,
        reads=10,
        asked=100,
        received=received,
        invocations=max(invocations, failures),
        failures=failures,
        throttles=throttles,
    )


def _all_busy(scaler: QueueScaler) -> int:
    return scaler.follow(_load(scaler.wanted, busy=scaler.wanted, received=100))


def _quiet(scaler: QueueScaler) -> int:
    return scaler.follow(_load(scaler.wanted))


def test_it_starts_with_five() -> None:
    """As AWS does."""
    assert QueueScaler(ScalingRules()).wanted == 5


def test_a_lasting_backlog_raises_it_by_300_a_minute_up_to_1250() -> None:
    """The curve of semantics 2.6.1, minute by minute."""
    scaler = QueueScaler(ScalingRules())
    curve = []
    for _ in range(6):
        for _ in range(60):
            _all_busy(scaler)
        curve.append(scaler.wanted)

    assert curve == [305, 605, 905, 1205, 1250, 1250]


def test_when_the_backlog_ends_it_comes_back_to_five_and_to_two_after_long() -> None:
    """Within a minute to five; two only where nothing has come for minutes."""
    scaler = QueueScaler(ScalingRules())
    for _ in range(120):
        _all_busy(scaler)

    for _ in range(60):
        _quiet(scaler)
    after_a_minute = scaler.wanted
    for _ in range(400):
        _quiet(scaler)

    assert (after_a_minute, scaler.wanted) == (5, 2)


def test_it_stays_where_the_load_is() -> None:
    """Half the pollers busy and reads that find little: no surplus is kept, nothing that works is ended."""
    scaler = QueueScaler(ScalingRules())
    for _ in range(60):
        _all_busy(scaler)

    for _ in range(120):
        scaler.follow(_load(scaler.wanted, busy=40, received=20))

    assert 40 <= scaler.wanted <= 42


def test_full_reads_are_a_backlog_even_while_batches_are_gathered() -> None:
    """With a long window the pollers are not busy, yet more is waiting."""
    scaler = QueueScaler(ScalingRules())

    scaler.follow(_load(5, busy=0, received=90))

    assert scaler.wanted == 10


def test_failures_bring_it_down_gradually_and_keep_it_from_growing() -> None:
    """Never below two, and growth resumes only after a calm while."""
    scaler = QueueScaler(ScalingRules())
    for _ in range(60):
        _all_busy(scaler)
    high = scaler.wanted
    scaler.follow(_load(high, busy=high, received=100, failures=1))
    once = scaler.wanted
    for _ in range(9):
        _all_busy(scaler)
    still = scaler.wanted
    for _ in range(200):
        scaler.follow(_load(scaler.wanted, busy=scaler.wanted, received=100, failures=3))

    assert once == int(high * 0.9)
    assert still == once
    assert scaler.wanted == 2


def test_single_failures_among_many_successes_change_nothing() -> None:
    """A poison message, or one failing group, does not slow the others."""
    scaler = QueueScaler(ScalingRules())

    scaler.follow(_load(5, busy=5, received=100, invocations=50, failures=1))

    assert scaler.wanted == 10


def test_throttles_bring_it_down_faster_than_failures() -> None:
    """The function says that it is too much."""
    failing, throttled = QueueScaler(ScalingRules(start=100)), QueueScaler(ScalingRules(start=100))

    failing.follow(_load(100, busy=100, failures=1))
    throttled.follow(_load(100, busy=100, throttles=1))

    assert throttled.wanted < failing.wanted < 100


def _rules(**fields: object) -> ScalingRules:
    arn = fields.pop("arn", "arn:aws:sqs:us-east-1:000000000000:orders")
    request = {"EventSourceArn": arn, "FunctionName": "f", **fields}
    return scaling_rules(mapping_from_request(request, now=0.0))


def test_maximum_concurrency_is_never_passed() -> None:
    """However long the backlog lasts."""
    scaler = QueueScaler(_rules(ScalingConfig={"MaximumConcurrency": 7}))
    seen = [scaler.wanted] + [_all_busy(scaler) for _ in range(100)]

    assert max(seen) == 7


def test_a_small_maximum_concurrency_starts_at_itself() -> None:
    """Two is less than five."""
    assert QueueScaler(_rules(ScalingConfig={"MaximumConcurrency": 2})).wanted == 2


def test_with_a_maximum_it_does_not_come_down_to_two_in_quiet_times() -> None:
    """The optimisation is off then (semantics 2.6.2)."""
    scaler = QueueScaler(_rules(ScalingConfig={"MaximumConcurrency": 10}))
    for _ in range(2000):
        _quiet(scaler)

    assert scaler.wanted == 5


def test_a_fifo_queue_has_no_ramp() -> None:
    """Its groups bound it (semantics 2.6.4)."""
    scaler = QueueScaler(_rules(arn="arn:aws:sqs:us-east-1:000000000000:orders.fifo"))

    seconds = next(n for n in range(1, 60) if _all_busy(scaler) >= 640)

    assert seconds <= 7


def test_provisioned_pollers_are_always_on_and_grow_faster() -> None:
    """Ten invocations for each event poller, 1,000 more a minute (semantics 2.6.5)."""
    rules = _rules(ProvisionedPollerConfig={"MinimumPollers": 3, "MaximumPollers": 90})
    scaler = QueueScaler(rules)
    for _ in range(1000):
        _quiet(scaler)
    low = scaler.wanted
    for _ in range(30):
        _all_busy(scaler)
    grown = scaler.wanted
    for _ in range(60):
        _all_busy(scaler)

    assert (low, scaler.wanted) == (30, 900)
    assert grown == pytest.approx(530, abs=2)


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 100), st.integers(0, 2), st.integers(0, 2)), max_size=200
    ),
    st.integers(2, 40),
)
def test_whatever_the_load_it_stays_within_its_bounds(
    loads: list[tuple[float, int, int, int]], maximum: int
) -> None:
    """At least two, at most the maximum, always a number of pollers."""
    scaler = QueueScaler(_rules(ScalingConfig={"MaximumConcurrency": maximum}))
    for busy_share, received, failures, throttles in loads:
        pollers = scaler.wanted
        wanted = scaler.follow(
            _load(
                pollers,
                busy=int(pollers * busy_share),
                received=received,
                failures=failures,
                throttles=throttles,
            )
        )

        assert 2 <= wanted <= maximum
