"""How a stream is read and delivered, over in-memory seams and in virtual time."""

import io
import json
from functools import partial
from typing import Any

import anyio
import pytest
import structlog

from poller.core.leasing import Lease
from poller.core.outcomes import FunctionError, Outcome, Succeeded, Throttled
from poller.core.records import Page, Position, Shard
from poller.errors import IteratorExpired, PositionExpired, SourceError, SourceThrottled, StateUnavailable
from poller.interfaces import Reader
from poller.leases.memory import MemoryLeaseStore
from poller.logs import configure
from poller.settings import LogFormat
from poller.sources.memory import MemoryStream
from tests.loop.stage import CLOCK, Function, eventually, in_virtual_time, playing, stream_mapping

FAILED = FunctionError(error_type="ValueError")


def _has_seen(function: Function, count: int) -> bool:
    return len(function.seen) == count


class Troubled(MemoryStream):
    """A stream whose reads raise what the test says, once each."""

    def __init__(self, *errors: SourceError) -> None:
        super().__init__(CLOCK)
        self.errors = list(errors)
        self.opened: list[Position] = []

    async def open(self, shard: Shard, after: Position) -> "Reader":  # type: ignore[override]
        self.opened.append(after)
        return _TroubledReader(self, await super().open(shard, after))


class _TroubledReader:
    def __init__(self, stream: Troubled, reader: Reader) -> None:
        self._stream = stream
        self._reader = reader

    async def receive(self, limit: int, wait_s: float) -> Page:
        if self._stream.errors:
            raise self._stream.errors.pop(0)
        return await self._reader.receive(limit, wait_s)


def test_batches_of_a_shard_are_delivered_one_after_the_other_in_order() -> None:
    """The next one goes only when the one before is resolved, though records are read ahead."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        for number in range(25):
            stream.put("shard-0", str(number))
        function = Function(takes_s=1.0)
        async with playing(stream_mapping(BatchSize=10), stream, function.target):
            await eventually(lambda: len(function.seen) == 25)

        assert [len(batch) for batch in function.batches] == [10, 10, 5]
        assert function.seen == [str(n) for n in range(25)]
        assert function.most_at_once == 1

    in_virtual_time(play)


def test_shards_are_delivered_side_by_side() -> None:
    """A slow shard does not hold another."""

    async def play() -> None:
        stream = MemoryStream(CLOCK, shards=3)
        for shard in range(3):
            stream.put(f"shard-{shard}", str(shard))
        function = Function(takes_s=5.0)
        async with playing(stream_mapping(), stream, function.target):
            await eventually(lambda: len(function.seen) == 3, within_s=4)

        assert function.most_at_once == 3

    in_virtual_time(play)


def test_a_thousand_shards_are_all_read_within_a_minute_of_the_start() -> None:
    """Opened a few at a time: never more than sixteen at once."""

    class Slow(MemoryStream):
        opening = most = 0

        async def open(self, shard: Shard, after: Position) -> Reader:  # type: ignore[override]
            self.opening += 1
            self.most = max(self.most, self.opening)
            await anyio.sleep(0.2)
            self.opening -= 1
            return await super().open(shard, after)

    async def play() -> None:
        stream = Slow(CLOCK, shards=1000)
        for shard in range(1000):
            stream.put(f"shard-{shard}", str(shard))
        function = Function()
        async with playing(stream_mapping(), stream, function.target):
            await eventually(lambda: len(function.seen) == 1000, within_s=60)

        assert stream.most == 16

    in_virtual_time(play)


def test_a_failing_batch_blocks_its_shard_and_is_retried_with_growing_waits() -> None:
    """Nothing behind it overtakes; when it succeeds the shard goes on."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        for number in range(4):
            stream.put("shard-0", str(number))
        outcomes: list[Outcome] = [FAILED, FAILED, FAILED]
        function = Function(lambda _: outcomes.pop(0) if outcomes else Succeeded(payload=b""))
        async with playing(stream_mapping(BatchSize=2), stream, function.target):
            await eventually(lambda: "3" in function.seen)

        assert function.seen == ["0", "1"] * 4 + ["2", "3"]
        gaps = [round(b - a, 2) for a, b in zip(function.times, function.times[1:], strict=False)]
        assert gaps[:3] == [0.5, 1.0, 2.0]

    in_virtual_time(play)


def test_a_throttled_batch_waits_as_long_as_it_is_told() -> None:
    """And is then delivered unchanged."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        stream.put("shard-0", "x")
        outcomes: list[Outcome] = [Throttled(retry_after_s=30.0)]
        function = Function(lambda _: outcomes.pop(0) if outcomes else Succeeded(payload=b""))
        async with playing(stream_mapping(), stream, function.target):
            await eventually(lambda: len(function.seen) == 2)

        assert function.times[1] - function.times[0] == pytest.approx(30.0)

    in_virtual_time(play)


def test_with_a_factor_keys_run_side_by_side_and_each_keeps_its_order() -> None:
    """A failing key holds its own lane, and the checkpoint stays before it."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        for number in range(40):
            stream.put("shard-0", f"{number}", key=f"k{number % 8}")

        def react(records: list[dict[str, object]]) -> Outcome:
            return FAILED if any(r["partitionKey"] == "k1" for r in records) else Succeeded(payload=b"")

        function = Function(react, takes_s=0.1)
        store = MemoryLeaseStore()
        mapping = stream_mapping(ParallelizationFactor=4, BatchSize=1)
        async with playing(mapping, stream, function.target, leases=store):
            await eventually(lambda: "38" in function.seen)

        first_of_failing = 2  # record "1" of key k1 has sequence number 2
        (lease,) = await store.list(mapping.uuid)
        assert function.most_at_once > 1
        assert int(lease.checkpoint.sequence_number or 0) < first_of_failing
        for key in range(8):
            of_key = [int(n) for n in function.seen if int(n) % 8 == key]
            assert of_key == sorted(of_key)

    in_virtual_time(play)


def test_children_are_read_after_their_parent_is_finished() -> None:
    """Not merely read to its end: every batch of it resolved, durably."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        for number in range(3):
            stream.put("shard-0", f"parent {number}")
        stream.split("shard-0", "left", "right")
        stream.put("left", "left child")
        stream.put("right", "right child")
        outcomes: list[Outcome] = [FAILED] * 5
        function = Function(lambda _: outcomes.pop(0) if outcomes else Succeeded(payload=b""), takes_s=1)
        store = MemoryLeaseStore()
        mapping = stream_mapping(BatchSize=3)
        async with playing(mapping, stream, function.target, leases=store):
            await eventually(lambda: len(set(function.seen)) == 5)

        assert set(function.seen[-2:]) == {"left child", "right child"}
        checkpoints = {lease.shard: lease.checkpoint for lease in await store.list(mapping.uuid)}
        assert checkpoints["shard-0"] == Position.shard_end()

    in_virtual_time(play)


def test_a_split_while_running_under_latest_loses_nothing() -> None:
    """The child starts at its horizon, whatever StartingPosition says."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        stream.put("shard-0", "before")
        function = Function()
        async with playing(stream_mapping(StartingPosition="LATEST"), stream, function.target) as stage:
            await stage.polling.wait()
            stream.put("shard-0", "last of parent")
            stream.split("shard-0", "child")
            stream.put("child", "first of child")
            await eventually(lambda: len(function.seen) == 2)

        assert function.seen == ["last of parent", "first of child"]

    in_virtual_time(play)


def test_a_restart_goes_on_after_the_checkpoint() -> None:
    """Nothing twice, nothing left out."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        store = MemoryLeaseStore()
        function = Function()
        for begin in (0, 5):
            end = begin + 5
            for number in range(begin, end):
                stream.put("shard-0", str(number))
            async with playing(stream_mapping(), stream, function.target, leases=store):
                await eventually(partial(_has_seen, function, end))

        assert function.seen == [str(n) for n in range(10)]

    in_virtual_time(play)


def test_an_expired_iterator_is_replaced_after_the_last_record_read() -> None:
    """Not at the checkpoint, not at StartingPosition."""

    async def play() -> None:
        stream = Troubled()
        stream.put("shard-0", "0")
        function = Function()
        async with playing(stream_mapping(), stream, function.target):
            await eventually(lambda: len(function.seen) == 1)
            stream.errors.append(IteratorExpired("old"))
            stream.put("shard-0", "1")
            await eventually(lambda: len(function.seen) == 2)

        assert function.seen == ["0", "1"]
        assert stream.opened[-1] == Position.after("1")

    in_virtual_time(play)


def test_an_iterator_that_expires_before_the_first_record_goes_back_to_the_pinned_time() -> None:
    """LATEST is asked for once: a second one would be another place."""

    async def play() -> None:
        stream = Troubled(IteratorExpired("old"))
        function = Function()
        async with playing(stream_mapping(StartingPosition="LATEST"), stream, function.target) as stage:
            await stage.polling.wait()
            stream.put("shard-0", "x")
            await eventually(lambda: len(function.seen) == 1)

        first, second = stream.opened
        assert second == first.pinned()

    in_virtual_time(play)


def test_trimmed_records_are_reported_and_reading_goes_on() -> None:
    """At the horizon; both ends of the gap are told."""

    async def play() -> None:
        stream = Troubled(PositionExpired("trimmed"))
        stream.put("shard-0", "x")
        function = Function()
        logged = io.StringIO()
        configure(LogFormat.JSON, "error", logged)
        async with playing(stream_mapping(), stream, function.target):
            await eventually(lambda: len(function.seen) == 1)
        structlog.reset_defaults()

        assert stream.opened[-1] == Position.trim_horizon()
        begin, end = [json.loads(line) for line in logged.getvalue().splitlines()]
        assert (begin["event"], begin["after"]) == ("records_trimmed", "TRIM_HORIZON")
        assert (end["event"], end["before"]) == ("trim_bounded", "1")

    in_virtual_time(play)


def test_a_closed_shard_that_was_trimmed_whole_is_passed_over_for_its_children() -> None:
    """Its horizon is trimmed too: it is reported once, and nobody waits for it."""

    async def play() -> None:
        stream = Troubled(*(PositionExpired("trimmed") for _ in range(3)))
        stream.put("shard-0", "lost")
        stream.split("shard-0", "child")
        stream.put("child", "kept")
        function = Function()
        store = MemoryLeaseStore()
        mapping = stream_mapping()
        async with playing(mapping, stream, function.target, leases=store):
            await eventually(lambda: function.seen == ["kept"], within_s=300)

        ended = {lease.shard for lease in await store.list(mapping.uuid) if lease.checkpoint.ended}
        assert ended == {"shard-0"}

    in_virtual_time(play)


def test_throttled_reads_back_off_and_are_no_failure_of_a_batch() -> None:
    """They only take time."""

    async def play() -> None:
        stream = Troubled(*(SourceThrottled("slow down") for _ in range(4)))
        stream.put("shard-0", "x")
        function = Function()
        async with playing(stream_mapping(MaximumRetryAttempts=0), stream, function.target):
            await eventually(lambda: len(function.seen) == 1)

        assert function.times[0] == pytest.approx(0.2 + 0.4 + 0.8 + 1.6, abs=0.1)

    in_virtual_time(play)


class _FullDisk(MemoryLeaseStore):
    """A store that refuses checkpoints until it is healed."""

    full = True

    async def checkpoint(self, lease: Lease, *progress: Any) -> Lease:
        if self.full:
            raise StateUnavailable("disk full")
        return await super().checkpoint(lease, *progress)


def test_a_lane_goes_no_further_while_its_checkpoint_is_refused() -> None:
    """And goes on by itself when the store recovers."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        for number in range(3):
            stream.put("shard-0", str(number))
        function = Function()
        store = _FullDisk()
        async with playing(stream_mapping(BatchSize=1), stream, function.target, leases=store):
            await anyio.sleep(600)
            assert function.seen == ["0"]
            store.full = False
            await eventually(lambda: len(function.seen) == 3)

    in_virtual_time(play)


def test_a_recreated_stream_is_read_from_its_start() -> None:
    """The checkpoint of the earlier one means nothing in it."""

    async def play() -> None:
        store = MemoryLeaseStore()
        function = Function()
        for number, incarnation in enumerate(("first", "second"), start=1):
            stream = MemoryStream(CLOCK, incarnation=incarnation)
            stream.put("shard-0", incarnation)
            async with playing(stream_mapping(), stream, function.target, leases=store):
                await eventually(partial(_has_seen, function, number))

        assert function.seen == ["first", "second"]

    in_virtual_time(play)


def test_reading_stops_at_the_byte_budget_and_goes_on_when_there_is_room() -> None:
    """Back-pressure reaches the source; nothing is lost by it."""

    async def play() -> None:
        stream = MemoryStream(CLOCK, shards=4)
        for number in range(400):
            stream.put(f"shard-{number % 4}", "x" * 1000)
        function = Function(takes_s=1.0)
        mapping = stream_mapping(BatchSize=50)
        async with playing(mapping, stream, function.target, budget_bytes=1) as stage:
            await eventually(lambda: function.running)
            assert function.most_at_once == 1
            await eventually(lambda: len(function.seen) == 400)
            await eventually(lambda: stage.budget.used_bytes == 0)

    in_virtual_time(play)


def test_a_lease_taken_by_another_stops_the_shard_without_a_write() -> None:
    """Losing a lease is a normal event; the process goes on."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        stream.put("shard-0", "0")
        function = Function()
        store = MemoryLeaseStore()
        mapping = stream_mapping()
        async with playing(mapping, stream, function.target, leases=store) as stage:
            await eventually(lambda: len(function.seen) == 1)
            (mine,) = await store.list(mapping.uuid)
            theirs = await store.take(mine, "another worker")
            stream.put("shard-0", "1")
            await eventually(lambda: len(function.seen) == 2)
            await anyio.sleep(60)

            assert list(await store.list(mapping.uuid)) == [theirs]
            assert stage.runner.meter.counts.done == 2

    in_virtual_time(play)
