"""Tumbling windows of a stream, from the real runner over in-memory seams, in virtual time."""

from collections.abc import Callable
from typing import Any

import anyio
import orjson
import pytest
from msgspec import structs

from poller.core.outcomes import FunctionError, Outcome, Succeeded
from poller.destinations.memory import MemoryDestination
from poller.errors import DestinationUnavailable, StateUnavailable
from poller.interfaces import Invocation
from poller.leases.memory import MemoryLeaseStore
from poller.sources.memory import MemoryStream
from poller.targets.memory import MemoryTarget
from tests.loop.stage import CLOCK, STREAM, eventually, in_virtual_time, playing, stream_mapping

QUEUE = "arn:aws:sqs:us-east-1:000000000000:failures"
FAILED = FunctionError(error_type="ValueError")
MINUTE = {"TumblingWindowInSeconds": 60}
DISCARDING = {**MINUTE, "DestinationConfig": {"OnFailure": {"Destination": QUEUE}}}


class Collector:
    """A function whose state lists what it was given; `fails` says for which events it fails."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.times: list[float] = []
        self.target = MemoryTarget(self._run)
        self.padding = 0
        self.takes_s = 0.0
        self.fails: Callable[[dict[str, Any]], bool] = _never

    async def _run(self, invocation: Invocation) -> Outcome:
        event = orjson.loads(invocation.payload)
        self.events.append(event)
        self.requests.append(invocation.request_id)
        self.times.append(anyio.current_time())
        await anyio.sleep(self.takes_s)
        if self.fails(event):
            return FAILED
        data = event["state"].get("data", []) + [r["data"] for r in event["Records"]]
        state = {"data": data, "padding": "x" * self.padding}
        return Succeeded(payload=orjson.dumps({"state": state}))

    @property
    def finals(self) -> list[dict[str, Any]]:
        """Final invocations, failed ones included."""
        return [event for event in self.events if event["isFinalInvokeForWindow"]]

    @property
    def results(self) -> list[list[str]]:
        """What each final invocation was handed."""
        return [event["state"]["data"] for event in self.finals]


def _never(_: dict[str, Any]) -> bool:
    return False


def _fails_on_final(event: dict[str, Any]) -> bool:
    return bool(event["isFinalInvokeForWindow"])


async def _put(stream: MemoryStream, *data: str, every_s: float = 10.0) -> None:
    for each in data:
        stream.put("shard-0", each)
        await anyio.sleep(every_s)


def test_batches_of_a_window_hand_a_state_on_and_the_final_invocation_takes_it() -> None:
    """Each event shows the window, the state before it, the shard and the stream."""

    async def play() -> None:
        stream, function = MemoryStream(CLOCK), Collector()
        async with playing(stream_mapping(**MINUTE), stream, function.target):
            await _put(stream, "a", "b", "c")
            await eventually(lambda: function.finals)

        assert [len(event["Records"]) for event in function.events] == [1, 1, 1, 0]
        assert [event["state"].get("data") for event in function.events] == [
            None,
            ["a"],
            ["a", "b"],
            ["a", "b", "c"],
        ]
        first = {name: value for name, value in function.events[0].items() if name != "Records"}
        assert first == {
            "window": {"start": "2027-01-15T08:00:00Z", "end": "2027-01-15T08:01:00Z"},
            "state": {},
            "shardId": "shard-0",
            "eventSourceARN": STREAM,
            "isFinalInvokeForWindow": False,
            "isWindowTerminatedEarly": False,
        }

    in_virtual_time(play)


def test_an_idle_window_is_closed_seconds_after_its_end() -> None:
    """No traffic is needed for it; the next window is not announced before its first record."""

    async def play() -> None:
        stream, function = MemoryStream(CLOCK), Collector()
        store, mapping = MemoryLeaseStore(), stream_mapping(**MINUTE)
        async with playing(mapping, stream, function.target, leases=store):
            await _put(stream, "a")
            await anyio.sleep(600)
            (lease,) = await store.list(mapping.uuid)

        assert function.results == [["a"]]
        assert function.times[-1] == pytest.approx(65.0, abs=2.0)
        assert lease.window is not None
        assert lease.window.state is None

    in_virtual_time(play)


def test_a_window_in_the_past_is_closed_before_the_next_one_begins() -> None:
    """A backlog goes through its windows in order."""

    async def play() -> None:
        stream, function = MemoryStream(CLOCK), Collector()
        await _put(stream, *"abcdefgh", every_s=20.0)
        await anyio.sleep(1000)
        async with playing(stream_mapping(**MINUTE), stream, function.target):
            await eventually(lambda: len(function.finals) == 3)

        assert function.results == [["a", "b", "c"], ["d", "e", "f"], ["g", "h"]]

    in_virtual_time(play)


def test_a_state_over_one_megabyte_ends_its_window_early() -> None:
    """Later records of the window go on with a fresh state, and it is closed again at its end."""

    async def play() -> None:
        stream, function = MemoryStream(CLOCK), Collector()
        function.padding = 1_100_000
        async with playing(stream_mapping(**MINUTE), stream, function.target):
            await _put(stream, "a")
            function.padding = 0
            await _put(stream, "b")
            await eventually(lambda: len(function.finals) == 2)

        assert [event["isWindowTerminatedEarly"] for event in function.finals] == [True, False]
        assert function.results == [["a"], ["b"]]
        assert function.finals[0]["window"] == function.finals[1]["window"]

    in_virtual_time(play)


def test_the_end_of_a_shard_closes_its_window_and_its_children_start_afresh() -> None:
    """The window is closed before the first record of a child is delivered."""

    async def play() -> None:
        stream, function = MemoryStream(CLOCK), Collector()
        store, mapping = MemoryLeaseStore(), stream_mapping(**MINUTE)
        async with playing(mapping, stream, function.target, leases=store):
            await _put(stream, "parent")
            stream.split("shard-0", "child")
            stream.put("child", "child")
            await eventually(lambda: len(function.finals) == 2)
            parent = next(x for x in await store.list(mapping.uuid) if x.shard == "shard-0")

        assert [event["shardId"] for event in function.events] == ["shard-0", "shard-0", "child", "child"]
        assert function.times[1] < 60
        assert function.results == [["parent"], ["child"]]
        assert parent.checkpoint.ended

    in_virtual_time(play)


def test_a_drain_keeps_the_state_and_the_next_process_goes_on_with_it() -> None:
    """A drain is no reason for a final invocation."""

    async def play() -> None:
        stream, function, store = MemoryStream(CLOCK), Collector(), MemoryLeaseStore()
        mapping = stream_mapping(**MINUTE)
        for data in "abc":
            async with playing(mapping, stream, function.target, leases=store):
                await _put(stream, data)
            assert function.finals == []
        async with playing(mapping, stream, function.target, leases=store):
            await eventually(lambda: function.finals)

        assert function.results == [["a", "b", "c"]]

    in_virtual_time(play)


def test_a_drain_finishes_the_invocation_that_runs() -> None:
    """What it returned is durable with its checkpoint."""

    async def play() -> None:
        stream, function, store = MemoryStream(CLOCK), Collector(), MemoryLeaseStore()
        function.takes_s = 5.0
        mapping = stream_mapping(**MINUTE)
        async with playing(mapping, stream, function.target, leases=store):
            stream.put("shard-0", "a")
            await eventually(lambda: function.events)
        (lease,) = await store.list(mapping.uuid)

        assert lease.checkpoint.sequence_number == "1"
        assert lease.window is not None
        assert orjson.loads(lease.window.state or b"")["data"] == ["a"]

    in_virtual_time(play)


class _DeafStore(MemoryLeaseStore):
    """A store that takes no checkpoint while it is deaf."""

    deaf = True

    async def checkpoint(self, *args: Any) -> Any:
        if self.deaf:
            raise StateUnavailable("disk full")
        return await super().checkpoint(*args)


def test_a_crash_between_an_invocation_and_its_checkpoint_counts_nothing_twice() -> None:
    """The record comes again, with the state from before it."""

    async def play() -> None:
        stream, function, rows = MemoryStream(CLOCK), Collector(), _DeafStore().rows
        mapping = stream_mapping(**MINUTE)
        deaf = _DeafStore(rows)
        with anyio.move_on_after(30):  # as a crash: cut wherever it stands
            async with playing(mapping, stream, function.target, leases=deaf):
                deaf.deaf = False
                await _put(stream, "a")
                deaf.deaf = True
                await _put(stream, "b", every_s=60)
        async with playing(mapping, stream, function.target, leases=MemoryLeaseStore(rows)):
            await eventually(lambda: function.finals)

        delivered = [r["data"] for event in function.events for r in event["Records"]]
        assert delivered == ["a", "b", "b"]
        assert function.results == [["a", "b"]]

    in_virtual_time(play)


def test_a_failing_final_invocation_holds_the_shard_until_it_succeeds() -> None:
    """Unchanged, under one request id; nothing overtakes it."""

    async def play() -> None:
        stream, function = MemoryStream(CLOCK), Collector()
        function.fails = _fails_on_final
        async with playing(stream_mapping(**MINUTE), stream, function.target):
            await _put(stream, "a", every_s=70.0)
            await _put(stream, "b", every_s=200.0)
            assert len(function.finals) > 5
            assert all(r["data"] != "b" for event in function.events for r in event["Records"])
            function.fails = _never
            await eventually(lambda: function.results[-1] == ["b"])

        of_first = [
            i
            for e, i in zip(function.events, function.requests, strict=True)
            if e["state"].get("data") == ["a"]
        ]
        assert len(set(of_first)) == 1

    in_virtual_time(play)


def test_a_final_invocation_whose_attempts_are_used_up_is_told_and_the_shard_goes_on() -> None:
    """The document names the window; its batch has no records (semantics 3.9.11)."""

    async def play() -> None:
        stream, function, destination = MemoryStream(CLOCK), Collector(), MemoryDestination()
        function.fails = _fails_on_final
        mapping = stream_mapping(**DISCARDING, MaximumRetryAttempts=2)
        async with playing(mapping, stream, function.target, destination=destination) as stage:
            await _put(stream, "a", every_s=100.0)
            function.fails = _never
            await _put(stream, "b")
            await eventually(lambda: function.results[-1] == ["b"])
            await eventually(lambda: stage.budget.used_bytes == 0)

        (document,) = destination.documents
        told = orjson.loads(document.text())
        assert len(function.finals) == 4
        assert told["requestContext"]["approximateInvokeCount"] == 3
        assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert told["KinesisBatchInfo"] == {"shardId": "shard-0", "streamArn": STREAM}
        assert told["timeWindowInfo"] == {"start": "2027-01-15T08:00:00Z", "end": "2027-01-15T08:01:00Z"}
        payload = orjson.loads(orjson.loads(document.with_payload())["payload"])
        assert payload == function.finals[0]

    in_virtual_time(play)


def test_a_final_invocation_that_no_destination_took_is_made_again_after_a_restart() -> None:
    """The state is given up only once somebody was told."""

    async def play() -> None:
        stream, function, destination = MemoryStream(CLOCK), Collector(), MemoryDestination()
        destination.refusal = DestinationUnavailable("down")
        function.fails = _fails_on_final
        mapping, store = stream_mapping(**DISCARDING, MaximumRetryAttempts=0), MemoryLeaseStore()
        async with playing(mapping, stream, function.target, leases=store, destination=destination):
            await _put(stream, "a", every_s=200.0)
        destination.refusal = None
        async with playing(mapping, stream, function.target, leases=store, destination=destination):
            await eventually(lambda: destination.documents)

        assert [event["state"]["data"] for event in function.finals] == [["a"], ["a"]]

    in_virtual_time(play)


def test_bisected_parts_of_a_batch_hand_the_state_on_in_order() -> None:
    """Only the poison record is missing from the window."""

    async def play() -> None:
        stream, function = MemoryStream(CLOCK), Collector()
        function.fails = lambda event: any(r["data"] == "c" for r in event["Records"])
        await _put(stream, *"abcdef", every_s=0.0)
        mapping = stream_mapping(**MINUTE, BisectBatchOnFunctionError=True, MaximumRetryAttempts=0)
        async with playing(mapping, stream, function.target):
            await eventually(lambda: function.finals)

        assert function.results == [["a", "b", "d", "e", "f"]]

    in_virtual_time(play)


def test_a_response_without_state_is_a_failed_invocation() -> None:
    """It is retried, and says so (semantics 3.10.3)."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        stream.put("shard-0", "a")
        answers = [b"null", b'{"batchItemFailures":[]}', b'{"state":[]}']

        async def run(_: Invocation) -> Outcome:
            return Succeeded(payload=answers.pop(0) if answers else b'{"state":{}}')

        async with playing(stream_mapping(**MINUTE), stream, MemoryTarget(run)) as stage:
            await eventually(lambda: len(answers) == 1)
            assert "no state object" in stage.runner.meter.last_processing_result
            await eventually(lambda: stage.runner.meter.counts.done == 1)
            assert stage.runner.meter.counts.failed == 3

    in_virtual_time(play)


def test_a_batching_window_ends_with_its_tumbling_window() -> None:
    """What was gathered is delivered and handed over, though the batching window runs on."""

    async def play() -> None:
        stream, function = MemoryStream(CLOCK), Collector()
        mapping = stream_mapping(**MINUTE, MaximumBatchingWindowInSeconds=300)
        async with playing(mapping, stream, function.target):
            await _put(stream, "a", "b")
            await eventually(lambda: function.finals)

        assert [len(event["Records"]) for event in function.events] == [2, 0]
        assert function.times[-1] == pytest.approx(65.0, abs=2.0)

    in_virtual_time(play)


def test_a_window_that_ends_between_records_of_one_sequence_number_is_stored_after_both() -> None:
    """A checkpoint before them with the window closed would count the first of them again."""

    async def play() -> None:
        stream, function, store = MemoryStream(CLOCK), Collector(), MemoryLeaseStore()
        stream.put("shard-0", "a")
        (record,) = stream._shards["shard-0"].records
        stream._shards["shard-0"].records.append(structs.replace(record))
        function.padding = 1_100_000
        function.fails = lambda event: len(function.events) > 2  # stuck behind the early end
        mapping = stream_mapping(**MINUTE, BatchSize=1)
        async with playing(mapping, stream, function.target, leases=store):
            await anyio.sleep(30)
            (before,) = await store.list(mapping.uuid)
            function.fails = _never
            function.padding = 0
            await anyio.sleep(60)
            (after,) = await store.list(mapping.uuid)

        assert (before.checkpoint.sequence_number, before.window) == (None, None)
        assert after.checkpoint.sequence_number == "1"
        assert function.results == [["a"], ["a"]]

    in_virtual_time(play)
