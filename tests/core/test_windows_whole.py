"""Tumbling windows as a whole: every record is counted once, with failures and restarts at every step."""

import json
from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

import poller.core.windows
from poller.core.batching import Batch, BatchLimits
from poller.core.frontier import Frontier
from poller.core.leasing import Lease, checkpointed, taken
from poller.core.outcomes import FunctionError, Outcome, Succeeded
from poller.core.payload import encode_records
from poller.core.records import Position, Record
from poller.core.retrying import Now, StreamRetry
from poller.core.timewindow import TimeWindow
from poller.core.windows import TumblingWindows, WindowedBatcher, WindowRules
from tests.core.records import numbers, record

RULES = WindowRules(size_s=60, grace_s=5.0, shard="shard-0", source_arn="arn:s", scope="m/shard-0")
NOW = Now(monotonic=0.0, wall=0.0)


def _at(*moments: float) -> list[Record]:
    """Records numbered from 1 that arrived at these times."""
    return [record(n, arrived_at=moment) for n, moment in enumerate(moments, start=1)]


class _Died(Exception):
    """The process ends here."""


class _Shard:
    """A shard, its durable lease, and processes that read it one after the other.

    Steps: 0 succeeds, 1 fails, 2 reports the last record, 3 to 5 die before the invocation, after it, and
    after the write.
    """

    def __init__(
        self, records: list[Record], steps: list[int], *, page: int, size: int, bisect: bool
    ) -> None:
        self._records = records
        self._steps = iter(steps)
        self._page = page
        self._size = size
        free = Lease(mapping="m", shard="s", incarnation="i", checkpoint=Position.trim_horizon())
        self._lease = taken(free, free, "w")
        self._policy = StreamRetry(report_batch_item_failures=True, bisect=bisect, scope=RULES.scope)
        self.finals: dict[str, tuple[str, list[int]]] = {}

    def run(self) -> None:
        """Live as often as it takes."""
        while not self._lease.checkpoint.ended:
            try:
                self._live()
            except _Died:
                continue

    def _live(self) -> None:
        windows = TumblingWindows(RULES, self._lease.window)
        batcher = WindowedBatcher(BatchLimits(size=self._size), windows=windows, scope=RULES.scope)
        frontier = Frontier()
        done = int(self._lease.checkpoint.sequence_number or 0)
        for begin in range(done, len(self._records), self._page):
            page = self._records[begin : begin + self._page]
            frontier.admit(page)
            batcher.add(page, now=0.0)
            self._work_off(windows, batcher, frontier)
        windows.end()
        self._work_off(windows, batcher, frontier)
        self._save(windows, Position.shard_end())

    def _work_off(self, windows: TumblingWindows, batcher: WindowedBatcher, frontier: Frontier) -> None:
        while (batch := batcher.take(0.0)) is not None:
            work = deque((batch,))
            while work:
                self._deliver(windows, work, frontier)

    def _deliver(self, windows: TumblingWindows, work: deque[Batch], frontier: Frontier) -> None:
        batch = windows.next(work)
        step = next(self._steps, 0)
        outcome = self._invoke(batch, step)
        verdict = self._policy.judge(batch, outcome, NOW)
        windows.judged(batch, verdict.state)
        frontier.resolve(verdict.done)
        reached = frontier.advance()
        if reached is not None or windows.unsaved:
            self._save(windows, self._lease.checkpoint if reached is None else Position.after(reached))
        if step == 5:
            raise _Died
        work.extendleft(reversed(verdict.retry))

    def _save(self, windows: TumblingWindows, position: Position) -> None:
        self._lease = checkpointed(self._lease, self._lease, position, windows.stored)
        windows.saved()

    def _invoke(self, batch: Batch, step: int) -> Outcome:
        if step == 3:
            raise _Died
        event = json.loads(encode_records((), batch.members))
        report = step == 2 and len(batch.records) > 0
        counted = batch.records[:-1] if report else batch.records
        ids = event["state"].get("ids", []) + numbers(counted)
        if event["isFinalInvokeForWindow"] and step != 1:
            self.finals[batch.id] = (event["window"]["end"], ids)
        if step == 4:
            raise _Died
        if step == 1:
            return FunctionError(error_type="E")
        failures = [{"itemIdentifier": batch.records[-1].item_identifier}] if report else []
        return Succeeded(payload=json.dumps({"state": {"ids": ids}, "batchItemFailures": failures}).encode())


@settings(deadline=None, max_examples=300)
@given(
    moments=st.lists(st.integers(0, 400), max_size=12),
    steps=st.lists(st.integers(0, 5), max_size=40),
    page=st.integers(1, 5),
    size=st.integers(1, 4),
    bisect=st.booleans(),
    limit=st.sampled_from([20, 1_000]),
)
def test_every_record_is_counted_once_in_one_window(
    *,
    moments: list[int],
    steps: list[int],
    page: int,
    size: int,
    bisect: bool,
    limit: int,
) -> None:
    """Whatever the order of arrival, the failures and the deaths; a repeated final invocation has its id."""
    records = _at(*moments)
    shard = _Shard(records, steps, page=page, size=size, bisect=bisect)
    original = poller.core.windows.MAX_STATE_BYTES
    poller.core.windows.MAX_STATE_BYTES = limit
    try:
        shard.run()
    finally:
        poller.core.windows.MAX_STATE_BYTES = original

    counted = [number for _, ids in shard.finals.values() for number in ids]
    assert sorted(counted) == [int(r.item_identifier) for r in records]


@settings(deadline=None)
@given(moments=st.lists(st.integers(0, 400), max_size=12), page=st.integers(1, 5), size=st.integers(1, 4))
def test_a_record_is_counted_in_its_own_window_or_late_in_the_open_one(
    moments: list[int], page: int, size: int
) -> None:
    """The open window is the one of the latest record before it."""
    shard = _Shard(_at(*moments), [], page=page, size=size, bisect=False)
    shard.run()

    ends = {number: end for end, ids in shard.finals.values() for number in ids}
    latest = 0
    for number, moment in enumerate(moments, start=1):
        latest = max(latest, TimeWindow.containing(moment, size_s=60).end)
        expected = TimeWindow(start=latest - 60, end=latest)
        assert ends[number] == expected.members()["end"]
