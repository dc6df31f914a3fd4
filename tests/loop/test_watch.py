"""A lane that makes no progress names its reason within a minute or so (I8)."""

from typing import Any

import anyio

from poller.core.leasing import Lease
from poller.core.outcomes import Outcome, Succeeded
from poller.errors import StateUnavailable
from poller.interfaces import Invocation
from poller.leases.memory import MemoryLeaseStore
from poller.sources.memory import MemoryQueue, MemoryStream
from poller.targets.memory import MemoryTarget
from tests.loop.stage import (
    CLOCK,
    Function,
    eventually,
    in_virtual_time,
    playing,
    queue_mapping,
    stream_mapping,
)


def test_a_function_that_takes_long_is_named_and_forgotten_when_it_answers() -> None:
    """Ten minutes of silence would look like an empty stream."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        stream.put("shard-0", "x")
        function = Function(takes_s=600.0)
        async with playing(stream_mapping(), stream, function.target) as stage:
            await anyio.sleep(50)
            assert "no progress" not in stage.runner.meter.last_processing_result
            await anyio.sleep(25)
            assert stage.runner.meter.last_processing_result.endswith("waiting for the function")
            await anyio.sleep(600)
            assert stage.runner.meter.last_processing_result == "OK"

    in_virtual_time(play)


def test_a_full_byte_budget_is_named() -> None:
    """Reading waits for records that are not settled."""

    async def play() -> None:
        stream = MemoryStream(CLOCK, shards=2)
        for shard in ("shard-0", "shard-1"):
            stream.put(shard, "x")
        function = Function(takes_s=900.0)
        async with playing(stream_mapping(), stream, function.target, budget_bytes=1) as stage:
            await anyio.sleep(100)
            assert "byte budget" in " ".join(stage.runner.meter.problems)

    in_virtual_time(play)


class FullDisk(MemoryLeaseStore):
    """Takes no checkpoint until there is room."""

    full = True

    async def checkpoint(self, lease: Lease, *progress: Any) -> Lease:
        if self.full:
            raise StateUnavailable("disk full")
        return await super().checkpoint(lease, *progress)


def test_a_checkpoint_that_is_refused_is_named() -> None:
    """With the store's own reason."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        stream.put("shard-0", "x")
        store = FullDisk()
        async with playing(stream_mapping(), stream, Function().target, leases=store) as stage:
            await eventually(lambda: "disk full" in stage.runner.meter.last_processing_result, within_s=60)
            store.full = False

    in_virtual_time(play)


def test_an_idle_queue_is_no_problem() -> None:
    """Waiting for messages is what it is there for."""

    async def play() -> None:
        async def function(_: Invocation) -> Outcome:
            return Succeeded(payload=b"")

        async with playing(queue_mapping(), MemoryQueue(CLOCK), MemoryTarget(function)) as stage:
            await anyio.sleep(3600)
            assert list(stage.runner.meter.problems) == []

    in_virtual_time(play)
