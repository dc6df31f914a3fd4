"""Which records share a window's state, when it is handed over, and that nothing is counted twice."""

import json
from collections import deque
from typing import Any

import pytest

import poller.core.windows
from poller.core.batching import Batch, BatchLimits, Trigger
from poller.core.discards import Condition, Discard
from poller.core.outcomes import FunctionError, Succeeded, TooLarge
from poller.core.payload import encode_records
from poller.core.records import Page, Record
from poller.core.retrying import Now, StreamRetry
from poller.core.timewindow import TimeWindow, WindowState
from poller.core.windows import NoWindows, TumblingWindows, WindowedBatcher, WindowRules
from tests.core.records import numbers, record

RULES = WindowRules(size_s=60, grace_s=5.0, shard="shard-0", source_arn="arn:s", scope="m/shard-0")
FIRST = TimeWindow(start=60, end=120)
NOW = Now(monotonic=0.0, wall=0.0)


def _at(*moments: float, size: int = 10) -> list[Record]:
    """Records numbered from 1 that arrived at these times."""
    return [record(n, arrived_at=moment, size=size) for n, moment in enumerate(moments, start=1)]


def _windows(state: bytes | None = None) -> TumblingWindows:
    """Windows of a shard; with a state, the first one is open."""
    return TumblingWindows(RULES, None if state is None else WindowState(window=FIRST, state=state))


def _batcher(windows: TumblingWindows, *, size: int = 10, window_s: float = 0.0) -> WindowedBatcher:
    return WindowedBatcher(BatchLimits(size=size, window_s=window_s), windows=windows, scope=RULES.scope)


def _event(batch: Batch) -> dict[str, Any]:
    """The event of a batch; the records' own bytes are no JSON here."""
    parsed: dict[str, Any] = json.loads(encode_records((), batch.members))
    return parsed


def _succeed(windows: TumblingWindows, batch: Batch, state: bytes = b'{"n":1}') -> None:
    windows.next(deque((batch,)))
    windows.judged(batch, state)


# ----- windows and what is stored of them


@pytest.mark.parametrize(
    ("moment", "size_s", "start"),
    [(0.0, 60, 0), (59.999, 60, 0), (60.0, 60, 60), (1_607_497_500.5, 120, 1_607_497_440), (7.0, 7, 7)],
)
def test_windows_begin_at_multiples_of_their_size_since_the_epoch(
    moment: float, size_s: int, start: int
) -> None:
    """The end belongs to the next window (semantics 3.10.1)."""
    assert TimeWindow.containing(moment, size_s=size_s) == TimeWindow(start=start, end=start + size_s)


@pytest.mark.parametrize("state", [None, b"{}", b'{"a:b":"c:d","n":1.0}', '{"\u00e9":"\\ud800"}'.encode()])
def test_what_is_stored_comes_back_to_the_byte(state: bytes | None) -> None:
    """Whatever the function wrote."""
    stored = WindowState(window=FIRST, state=state)

    assert WindowState.parse(str(stored)) == stored


def test_the_event_has_the_documented_members() -> None:
    """Names, order and formats of semantics 3.13.4; the state as the function wrote it."""
    stored = WindowState(
        window=TimeWindow(start=1_607_497_440, end=1_607_497_560),
        state=b'{"1":282,"big":36893488147419103232}',
    )
    batch = TumblingWindows(RULES, stored).frame(Batch(records=(record(1),), trigger=Trigger.SIZE, id="b"))

    assert encode_records(batch.records, batch.members) == (
        b'{"Records":[xxxxxxxxxx],"window":{"start":"2020-12-09T07:04:00Z","end":"2020-12-09T07:06:00Z"},'
        b'"state":{"1":282,"big":36893488147419103232},"shardId":"shard-0","eventSourceARN":"arn:s",'
        b'"isFinalInvokeForWindow":false,"isWindowTerminatedEarly":false}'
    )


def test_without_windows_nothing_is_added_kept_or_closed() -> None:
    """The null variant."""
    windows = NoWindows("m/shard-0")
    batch = Batch(records=(record(1),), trigger=Trigger.SIZE, id="b")

    assert windows.next(deque((batch,))) is batch
    windows.judged(batch, b"{}")
    windows.read(Page(), 1e9)
    windows.end()
    assert (windows.stored, windows.unsaved, windows.over) == (None, False, False)


# ----- batches


def test_a_batch_ends_where_its_window_ends() -> None:
    """A record of a later window flushes the batch, though it is neither full nor old (semantics 3.10.4)."""
    batcher = _batcher(_windows(), window_s=300)
    batcher.add(_at(60, 119, 120), now=0.0)

    batch = batcher.take(0.0)

    assert batch is not None
    assert (numbers(batch.records), batch.trigger) == ([1, 2], Trigger.TUMBLING_WINDOW)


def test_the_final_invocation_comes_between_two_windows() -> None:
    """Without records, with the state, before the first record of the next window."""
    windows = _windows()
    batcher = _batcher(windows)
    batcher.add(_at(60, 120), now=0.0)
    first = batcher.take(0.0)
    assert first is not None
    _succeed(windows, first, b'{"n":7}')

    final = batcher.take(0.0)

    assert final is not None
    assert final.records == ()
    event = _event(final)
    assert (event["state"], event["isFinalInvokeForWindow"], event["isWindowTerminatedEarly"]) == (
        {"n": 7},
        True,
        False,
    )
    _succeed(windows, final)
    then = batcher.take(0.0)
    assert then is not None
    assert numbers(then.records) == [2]
    assert _event(windows.frame(then))["state"] == {}


def test_windows_without_records_are_passed_over() -> None:
    """Nobody is told of a window in which nothing was counted."""
    windows = _windows(b"{}")
    windows.judged(windows.final(), b"{}")
    batcher = _batcher(windows)
    batcher.add(_at(700), now=0.0)

    batch = batcher.take(0.0)

    assert batch is not None
    assert windows.stored == WindowState(window=TimeWindow(start=660, end=720), state=None)


def test_a_record_that_is_late_belongs_to_the_open_window() -> None:
    """A window is closed once; also where nothing was counted in the next one yet."""
    windows = _windows(b"{}")
    windows.judged(windows.final(), b"{}")
    batcher = _batcher(windows)
    batcher.add(_at(119), now=0.0)

    batch = batcher.take(0.0)

    assert batch is not None
    assert windows.frame(batch).window == TimeWindow(start=120, end=180)


def test_a_late_record_behind_one_of_a_later_window_keeps_its_place() -> None:
    """The order of the shard is the order of delivery."""
    windows = _windows()
    batcher = _batcher(windows)
    batcher.add(_at(60, 120, 119), now=0.0)
    order = []
    while (batch := batcher.take(0.0)) is not None:
        order.append(numbers(batch.records))
        _succeed(windows, batch)

    assert order == [[1], [], [2, 3]]


def test_the_state_takes_its_part_of_the_payload_limit() -> None:
    """Six megabytes are the whole event (semantics 3.4.1)."""
    windows = _windows(b'{"s":"' + b"x" * 1_000 + b'"}')
    limits = BatchLimits(size=10, payload_bytes=2_000)
    batcher = WindowedBatcher(limits, windows=windows, scope="s")
    batcher.add(_at(60, 61, 62, 63, size=300), now=0.0)

    batch = batcher.take(0.0)

    assert batch is not None
    assert numbers(batch.records) == [1, 2]
    assert len(encode_records(batch.records, windows.frame(batch).members)) <= 2_000


def test_what_was_not_cut_is_given_back() -> None:
    """Of all windows."""
    batcher = _batcher(_windows())
    batcher.add(_at(60, 120, 180), now=0.0)

    assert numbers(batcher.drop_all()) == [1, 2, 3]
    assert batcher.take(0.0, flush=True) is None
    assert batcher.room == 10


# ----- the end of a window


@pytest.mark.parametrize(
    ("reads", "closes"),
    [
        ([119.0, 125.0], False),
        ([119.0, 125.1], True),
        ([200.0], False),
        ([200.0, 205.0], False),
        ([200.0, 205.1], True),
        ([125.1, 60.0], False),
    ],
    ids=str,
)
def test_an_idle_window_is_closed_when_its_shard_was_quiet_after_its_end(
    reads: list[float],
    closes: bool,  # noqa: FBT001  # a column of the table
) -> None:
    """One empty page proves nothing; the wall clock may go back (semantics 3.10.6)."""
    windows = _windows(b"{}")
    for wall in reads:
        windows.read(Page(), wall)

    assert (_batcher(windows).take(0.0) is not None) == closes


@pytest.mark.parametrize("page", [Page(behind=True), Page(records=(record(1),))], ids=["behind", "records"])
def test_a_shard_with_more_to_read_is_not_idle(page: Page) -> None:
    """Records of the window may still lie in it."""
    windows = _windows(b"{}")
    windows.read(Page(), 200.0)
    windows.read(page, 204.0)
    windows.read(Page(), 206.0)

    assert not windows.over


def test_the_end_of_the_shard_closes_each_window_it_still_holds() -> None:
    """At once, whatever the time (semantics 3.10.8)."""
    windows = _windows()
    batcher = _batcher(windows, window_s=300)
    batcher.add(_at(60, 120), now=0.0)
    windows.end()
    order = []
    while (batch := batcher.take(0.0, flush=True)) is not None:
        order.append(numbers(batch.records))
        _succeed(windows, batch)

    assert order == [[1], [], [2], []]


def test_a_state_over_one_megabyte_ends_its_window_early() -> None:
    """Both flags are set; the window goes on with a fresh state (semantics 3.10.7)."""
    windows = _windows(b'{"s":"' + b"x" * poller.core.windows.MAX_STATE_BYTES + b'"}')
    batcher = _batcher(windows)
    batcher.add(_at(61), now=0.0)

    final = batcher.take(0.0)

    assert final is not None
    event = _event(final)
    assert (final.records, event["isFinalInvokeForWindow"], event["isWindowTerminatedEarly"]) == (
        (),
        True,
        True,
    )
    windows.judged(final, b"{}")
    assert windows.stored == WindowState(window=FIRST, state=None)
    batch = batcher.take(0.0)
    assert batch is not None
    assert _event(windows.frame(batch))["state"] == {}


def test_the_rest_of_a_batch_waits_for_the_early_end_its_first_part_made_due() -> None:
    """Bisected parts go on in order."""
    windows = _windows(b'{"s":"' + b"x" * poller.core.windows.MAX_STATE_BYTES + b'"}')
    rest = Batch(records=(record(2, arrived_at=61),), trigger=Trigger.RETRY, id="rest")
    work = deque((rest,))

    final = windows.next(work)
    work.appendleft(final)
    again = windows.next(work)
    windows.judged(again, b"{}")

    assert (final.records, again) == ((), final)
    assert numbers(windows.next(work).records) == [2]


def test_a_discarded_final_invocation_closes_its_window() -> None:
    """Discarded records leave the state as it was."""
    windows = _windows(b'{"n":1}')

    def discard(*records: Record) -> Discard:
        return Discard(
            records=records,
            condition=Condition.RETRY_ATTEMPTS_EXHAUSTED,
            invoke_count=1,
            request_id="r",
            response=None,
            window=FIRST,
        )

    windows.given_up(discard(record(1)))
    assert windows.stored == WindowState(window=FIRST, state=b'{"n":1}')
    windows.given_up(discard())
    assert windows.stored == WindowState(window=TimeWindow(start=120, end=180), state=None)
    assert windows.unsaved


def test_the_final_invocation_has_the_same_id_after_a_restart() -> None:
    """And another one for each window and state."""
    ids = [_windows(state).final().id for state in (b'{"n":1}', b'{"n":1}', b'{"n":2}')]

    assert ids[0] == ids[1] != ids[2]


# ----- what a response means


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"{}", b'"x"', b"[]", b"nonsense", b'{"state":null}', b'{"state":[]}', b'{"state":NaN}'],
)
def test_a_response_without_state_is_a_failed_invocation(payload: bytes) -> None:
    """Also of the final one (semantics 3.10.3)."""
    windows = _windows(b"{}")
    for batch in (windows.frame(Batch(records=(record(1),), trigger=Trigger.SIZE, id="b")), windows.final()):
        verdict = StreamRetry().judge(batch, Succeeded(payload=payload), NOW)

        assert verdict.state is None
        assert verdict.problem is not None
        assert verdict.retry[0].tries == 1


def test_the_state_comes_with_what_a_partial_failure_left_done() -> None:
    """The rest is delivered with it (semantics 3.10.3)."""
    windows = _windows()
    windows.open(record(1, arrived_at=60))
    batch = windows.frame(Batch(records=(record(1), record(2)), trigger=Trigger.SIZE, id="b"))
    answer = Succeeded(payload=b'{"state":{"n":1},"batchItemFailures":[{"itemIdentifier":"2"}]}')

    verdict = StreamRetry(report_batch_item_failures=True).judge(batch, answer, NOW)
    windows.judged(batch, verdict.state)

    assert numbers(verdict.done) == [1]
    assert _event(windows.next(deque(verdict.retry)))["state"] == {"n": 1}


def test_the_state_of_a_batch_that_failed_from_its_first_record_on_is_not_kept() -> None:
    """Nothing of it was counted."""
    windows = _windows()
    batch = windows.frame(Batch(records=(record(1), record(2)), trigger=Trigger.SIZE, id="b"))
    answer = Succeeded(payload=b'{"state":{"n":1},"batchItemFailures":[{"itemIdentifier":"1"}]}')

    assert StreamRetry(report_batch_item_failures=True).judge(batch, answer, NOW).state is None


def test_numbers_beyond_64_bits_keep_their_value() -> None:
    """A window adds up what it is given."""
    batch = _windows(b"{}").final()

    verdict = StreamRetry().judge(batch, Succeeded(payload=b'{"state":{"n":36893488147419103233}}'), NOW)

    assert verdict.state == b'{"n":36893488147419103233}'


def test_parts_that_no_longer_fit_beside_a_grown_state_are_halved() -> None:
    """They were cut to fit; it costs no attempt."""
    windows = _windows(b"{}")
    batch = windows.frame(Batch(records=(record(1), record(2)), trigger=Trigger.RETRY, id="b"))

    verdict = StreamRetry(maximum_retry_attempts=0).judge(batch, TooLarge(size=7_000_000), NOW)

    assert [numbers(part.records) for part in verdict.retry] == [[1], [2]]
    assert {part.window for part in verdict.retry} == {FIRST}


def test_a_final_invocation_is_given_up_by_age_once_it_was_tried() -> None:
    """Its window's end is the age of its youngest record (semantics 3.10.9)."""
    policy = StreamRetry(maximum_record_age_s=60)
    final = _windows(b"{}").final()
    (tried,) = policy.judge(final, FunctionError(error_type="E"), NOW).retry

    assert policy.admit(final, Now(monotonic=0.0, wall=1e6)).deliver is final
    assert policy.admit(tried, Now(monotonic=0.0, wall=180.0)).deliver is tried
    admission = policy.admit(tried, Now(monotonic=0.0, wall=180.1))
    assert admission.deliver is None
    assert admission.discard is not None
    assert (admission.discard.condition, admission.discard.window) == (Condition.RECORD_AGE_EXCEEDED, FIRST)
