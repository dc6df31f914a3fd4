"""Iterator age, for each shard of a mapping."""

import anyio
import pytest

from poller.sources.memory import MemoryStream
from tests.loop.stage import CLOCK, Function, eventually, in_virtual_time, playing, stream_mapping


def test_it_is_the_age_of_the_last_record_when_it_was_sent() -> None:
    """Not when the function answered, and not the lag of the shard's head (semantics 3.11)."""

    async def play() -> None:
        stream = MemoryStream(CLOCK, shards=2)
        stream.put("shard-0", "first")
        await anyio.sleep(40)
        stream.put("shard-0", "last")
        await anyio.sleep(60)
        stream.put("shard-1", "fresh")
        function = Function(takes_s=25.0)
        async with playing(stream_mapping(), stream, function.target) as stage:
            await eventually(lambda: stage.runner.meter.counts.done == 3)
            ages = dict(stage.runner.meter.iterator_age_s)

        assert ages["shard-0"] == pytest.approx(60, abs=2)
        assert ages["shard-1"] == pytest.approx(0, abs=2)

    in_virtual_time(play)
