"""Filters on a stream, through the loop."""

import base64
from typing import Any

import orjson

from poller.core.payload import encode_json
from poller.core.records import Record
from poller.leases.memory import MemoryLeaseStore
from poller.sources.memory import MemoryStream
from tests.loop.stage import CLOCK, Function, eventually, in_virtual_time, playing, stream_mapping

CLICKS: dict[str, Any] = {"FilterCriteria": {"Filters": [{"Pattern": '{"data":{"kind":["click"]}}'}]}}


class KinesisLike(MemoryStream):
    """A stream whose records have the shape that Kinesis filters look at."""

    def put(self, shard: str, data: str, *, key: str = "k") -> str:
        number = super().put(shard, data, key=key)
        records = self._shards[shard].records
        plain = records.pop()
        kinesis = {"partitionKey": key, "data": base64.b64encode(data.encode()).decode()}
        records.append(
            Record(
                item_identifier=number,
                event=encode_json({"kinesis": kinesis, "data": data}),
                arrived_at=plain.arrived_at,
                order_key=key,
                position=number,
                receipt=number,
            )
        )
        return number


def test_a_read_without_a_match_invokes_nothing_and_moves_the_checkpoint() -> None:
    """What does not match is passed over for good."""

    async def play() -> None:
        stream = KinesisLike(CLOCK)
        for _ in range(30):
            stream.put("shard-0", '{"kind": "view"}')
        function = Function()
        store = MemoryLeaseStore()
        mapping = stream_mapping(**CLICKS)
        async with playing(mapping, stream, function.target, leases=store) as stage:
            await eventually(lambda: stage.runner.meter.counts.filtered_out == 30)
        (lease,) = await store.list(mapping.uuid)

        assert function.batches == []
        assert lease.checkpoint.sequence_number == "30"

    in_virtual_time(play)


def test_batches_are_counted_after_filtering() -> None:
    """Ten that match fill a batch of ten, however many others lie between them; data is the original."""

    async def play() -> None:
        stream = KinesisLike(CLOCK)
        click = '{"kind":  "click"}'
        for number in range(40):
            stream.put("shard-0", click if number % 4 == 0 else "no json")
        function = Function()
        mapping = stream_mapping(BatchSize=10, MaximumBatchingWindowInSeconds=300, **CLICKS)
        async with playing(mapping, stream, function.target):
            await eventually(lambda: len(function.batches) == 1)

        (batch,) = function.batches
        assert [base64.b64decode(r["kinesis"]["data"]).decode() for r in batch] == [click] * 10
        assert orjson.loads(click) == {"kind": "click"}

    in_virtual_time(play)
