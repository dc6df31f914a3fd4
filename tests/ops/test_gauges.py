"""What the other metrics say while a mapping runs."""

import anyio

from poller.core.leasing import Lease
from poller.core.outcomes import FunctionError, Outcome, Succeeded
from poller.core.records import Position, Topology
from poller.core.timewindow import WindowState
from poller.errors import SourceThrottled, StateUnavailable
from poller.leases.memory import MemoryLeaseStore
from poller.sources.memory import MemoryQueue, MemoryStream
from tests.loop.stage import (
    CLOCK,
    Function,
    eventually,
    in_virtual_time,
    playing,
    queue_mapping,
    stream_mapping,
)
from tests.ops.reading import names, value, values
from tests.ops.showing import scrape


def test_an_invocation_is_counted_while_it_runs_and_timed_when_it_ends() -> None:
    """The buffer holds its records meanwhile."""

    async def play() -> None:
        queue = MemoryQueue(CLOCK)
        queue.send("x")
        function = Function(takes_s=3.0)
        async with playing(queue_mapping(), queue, function.target) as stage:
            await eventually(lambda: function.running)
            during = scrape(stage.runner)
            await eventually(lambda: not queue.messages)
            after = scrape(stage.runner)
        assert value(during, "esm_inflight_invocations") == 1
        assert value(during, "esm_buffered_bytes") > 0
        assert value(after, "esm_inflight_invocations") == 0
        assert value(after, "esm_buffered_bytes") == 0
        assert value(after, "esm_invocation_duration_seconds_bucket", le="2.5") == 0
        assert value(after, "esm_invocation_duration_seconds_bucket", le="5.0") == 1
        assert value(after, "esm_event_delay_seconds_sum") >= 3

    in_virtual_time(play)


def test_the_iterator_age_ends_when_the_shard_is_read_to_its_end() -> None:
    """What scales on it must come down again; while the function is busy it stays."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        stream.put("shard-0", "x")
        await anyio.sleep(100)
        function = Function(takes_s=5.0)
        async with playing(stream_mapping(), stream, function.target) as stage:
            await eventually(lambda: stage.runner.meter.counts.done)
            age = value(scrape(stage.runner), "esm_iterator_age_seconds", shard="shard-0")
            await anyio.sleep(5)
            later = value(scrape(stage.runner), "esm_iterator_age_seconds", shard="shard-0")
        assert 95 < age < 110
        assert later == 0

    in_virtual_time(play)


def test_shards_can_be_left_out() -> None:
    """Then the oldest age of the mapping is what there is."""

    async def play() -> None:
        stream = MemoryStream(CLOCK, shards=3)
        for number in range(3):
            stream.put(f"shard-{number}", "x")
        await anyio.sleep(50)
        function = Function(takes_s=5.0)
        async with playing(stream_mapping(), stream, function.target) as stage:
            await eventually(lambda: stage.runner.meter.counts.done == 3)
            ages = values(scrape(stage.runner, shards=False), "esm_iterator_age_seconds", shard="")
        assert len(ages) == 1
        assert ages[0] > 45

    in_virtual_time(play)


def test_a_crowd_of_shards_is_not_exported_one_by_one() -> None:
    """The number of series stays bounded, whatever a stream does (faults 132)."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        async with playing(stream_mapping(), stream, Function().target) as stage:
            await eventually(lambda: stage.runner.polling)
            stage.runner.meter.iterator_age_s |= {f"shard-{n}": float(n) for n in range(5000)}
            ages = values(scrape(stage.runner), "esm_iterator_age_seconds")
        assert ages == [4999.0]

    in_virtual_time(play)


def test_shards_leases_and_checkpoints_are_counted() -> None:
    """For a stream of two shards."""

    async def play() -> None:
        stream = MemoryStream(CLOCK, shards=2)
        stream.put("shard-0", "x")
        mapping = stream_mapping(ParallelizationFactor=3)
        async with playing(mapping, stream, Function().target) as stage:
            await eventually(lambda: stage.runner.meter.counts.done == 1)
            found = scrape(stage.runner)
        after = scrape(stage.runner)
        assert value(found, "esm_shards", state="owned") == 2
        assert value(found, "esm_concurrency_limit") == 6
        assert value(found, "esm_lease_changes_total", reason="taken") == 2
        assert value(found, "esm_checkpoints_total", outcome="ok") == 1
        assert value(after, "esm_lease_changes_total", reason="released") == 2
        assert values(after, "esm_iterator_age_seconds") == []

    in_virtual_time(play)


def test_a_child_waits_for_its_parent() -> None:
    """Which takes its time."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        stream.put("shard-0", "x")
        function = Function(takes_s=600.0)
        async with playing(stream_mapping(), stream, function.target) as stage:
            await eventually(lambda: function.running)
            stream.split("shard-0", "left", "right")
            await anyio.sleep(120)
            during = scrape(stage.runner)
            await anyio.sleep(1200)
            after = scrape(stage.runner)
        states = ("owned", "waiting_parent", "ended")
        assert [value(during, "esm_shards", state=state) for state in states] == [1, 2, 0]
        assert [value(after, "esm_shards", state=state) for state in states] == [2, 0, 1]

    in_virtual_time(play)


class _FailingStore(MemoryLeaseStore):
    """Takes no checkpoint the first time."""

    failures = 1

    async def checkpoint(self, lease: Lease, position: Position, window: WindowState | None = None) -> Lease:
        if self.failures:
            self.failures -= 1
            raise StateUnavailable("disk full")
        return await super().checkpoint(lease, position, window)


def test_a_checkpoint_that_failed_is_counted() -> None:
    """Each try is."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        stream.put("shard-0", "x")
        async with playing(stream_mapping(), stream, Function().target, leases=_FailingStore()) as stage:
            await eventually(lambda: stage.runner.meter.counts.checkpoints.get("ok"))
            found = scrape(stage.runner)
        assert value(found, "esm_checkpoints_total", outcome="failed") == 1

    in_virtual_time(play)


class _ThrottledQueue(MemoryQueue):
    """Is too busy to say anything at first."""

    throttles = 2

    async def discover(self) -> Topology:
        if self.throttles:
            self.throttles -= 1
            raise SourceThrottled("OverLimit")
        return await super().discover()


def test_requests_to_the_source_are_counted_by_what_came_of_them() -> None:
    """And timed."""

    async def play() -> None:
        queue = _ThrottledQueue(CLOCK)
        queue.send("x")
        async with playing(queue_mapping(), queue, Function().target) as stage:
            await eventually(lambda: not queue.messages)
            found = scrape(stage.runner)
        assert value(found, "esm_source_requests_total", operation="discover", outcome="throttled") == 2
        assert value(found, "esm_source_requests_total", operation="delete", outcome="ok") == 1
        assert value(found, "esm_source_request_duration_seconds_count", operation="receive") >= 1

    in_virtual_time(play)


def test_a_response_that_is_none_is_a_function_error() -> None:
    """The function answered, but not what was asked."""

    def react(_: list[dict[str, object]]) -> Outcome:
        return Succeeded(payload=b'{"batchItemFailures": [{"itemIdentifier": ""}]}')

    async def play() -> None:
        queue = MemoryQueue(CLOCK)
        queue.send("x")
        mapping = queue_mapping(FunctionResponseTypes=["ReportBatchItemFailures"])
        async with playing(mapping, queue, Function(react).target) as stage:
            await eventually(lambda: stage.runner.meter.counts.failed)
            found = scrape(stage.runner)
        assert value(found, "esm_invocations_total", outcome="function_error") == 1

    in_virtual_time(play)


def test_a_disabled_mapping_shows_its_state_and_nothing_else() -> None:
    """AWS emits nothing of one either (semantics 7.1)."""
    found = scrape(disabled=[queue_mapping(Enabled=False)])

    assert value(found, "esm_mapping_state", state="Disabled") == 1
    assert value(found, "esm_mapping_state", state="Enabled") == 0
    assert not names(found) & {"esm_polled_events_total", "esm_target_ready", "esm_pollers"}


def test_a_mapping_is_enabled_once_it_polls() -> None:
    """Until then it is being created."""

    async def play() -> None:
        queue = MemoryQueue(CLOCK)
        async with playing(queue_mapping(), queue, Function().target) as stage:
            before = scrape(stage.runner)
            await eventually(lambda: stage.runner.polling)
            after = scrape(stage.runner)
        assert value(before, "esm_mapping_state", state="Creating") == 1
        assert value(before, "esm_target_ready") == 0
        assert value(after, "esm_mapping_state", state="Enabled") == 1
        assert value(after, "esm_target_ready") == 1

    in_virtual_time(play)


def test_a_timeout_is_told_from_other_errors() -> None:
    """It has a remedy of its own."""

    async def play() -> None:
        queue = MemoryQueue(CLOCK)
        queue.send("x")
        function = Function(lambda _: FunctionError(error_type="Sandbox.Timedout"))
        async with playing(queue_mapping(), queue, function.target) as stage:
            await eventually(lambda: stage.runner.meter.counts.failed)
            found = scrape(stage.runner)
        assert value(found, "esm_invocations_total", outcome="timeout") == 1

    in_virtual_time(play)
