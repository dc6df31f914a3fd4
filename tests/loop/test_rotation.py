"""A stream that rolls its shards every four hours, for a month."""

from dataclasses import replace

import anyio

from poller.core.pacing import Pace
from poller.leases.memory import MemoryLeaseStore
from poller.rules import Tempo
from poller.sources.memory import MemoryStream
from tests.loop.stage import CLOCK, Function, eventually, in_virtual_time, playing, stream_mapping

HOUR_S = 3600.0
ROLLS = 180  # thirty days
LISTED = 6  # a closed shard is listed for a day


def test_thirty_days_of_rotation_leave_nothing_behind_and_lose_nothing() -> None:
    """Leases of shards that left the listing are forgotten; every record is delivered once, in order."""

    async def play() -> None:
        stream = MemoryStream(CLOCK)
        store = MemoryLeaseStore()
        function = Function()
        mapping = stream_mapping()
        rare = Pace(busy_s=0.2, idle_s=600.0)
        most = 0
        async with playing(
            mapping,
            stream,
            function.target,
            leases=store,
            tempo=replace(Tempo(), kinesis=rare, discovery_s=600.0),
        ) as stage:
            for roll in range(ROLLS):
                stream.put(f"shard-{roll}", f"{roll} early")
                await anyio.sleep(2 * HOUR_S)
                stream.put(f"shard-{roll}", f"{roll} late")
                await anyio.sleep(2 * HOUR_S)
                stream.split(f"shard-{roll}", f"shard-{roll + 1}")
                stream._shards.pop(f"shard-{roll - LISTED}", None)
                most = max(most, len(store.rows))
            await eventually(lambda: len(function.seen) == 2 * ROLLS)
            ages = len(stage.runner.meter.iterator_age_s)

        assert function.seen == [f"{roll} {half}" for roll in range(ROLLS) for half in ("early", "late")]
        assert most <= LISTED + 3
        assert ages <= 2

    in_virtual_time(play)
