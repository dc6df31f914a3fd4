"""The loop one would write with aiobotocore: receive, build the event, invoke, delete."""

import asyncio
import sys
from typing import Any

import orjson
import uvloop
from aiobotocore.session import get_session

from tests.bench.candidates.events import Gathering, entries, event_bytes, read_positions
from tests.bench.workloads import CONCURRENCY, FUNCTION, QUEUE_URL, REGION, Workload


class Naive:
    """The candidate."""

    def __init__(self, workload: Workload, source: Any, functions: Any) -> None:
        self._workload = workload
        self._source = source
        self._functions = functions

    async def run(self) -> None:
        """Until the process is ended."""
        if self._workload.kind == "sqs":
            await asyncio.gather(*(self._queue() for _ in range(CONCURRENCY)))
        else:
            shards = read_positions(self._workload)
            await asyncio.gather(*(self._shard(position) for position in shards))

    async def _queue(self) -> None:
        gathering = Gathering(self._workload)
        while True:
            answer = await self._source.receive_message(
                QueueUrl=QUEUE_URL,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            gathering.add(answer.get("Messages", []))
            if not gathering.due:
                continue
            messages = gathering.take()
            await self._invoke(messages)
            for first in range(0, len(messages), 10):
                await self._source.delete_message_batch(
                    QueueUrl=QUEUE_URL, Entries=entries(messages[first : first + 10])
                )

    async def _shard(self, position: dict[str, str]) -> None:
        answer = await self._source.get_shard_iterator(**position)
        iterator = answer["ShardIterator"]
        while True:
            answer = await self._source.get_records(ShardIterator=iterator, Limit=self._workload.page)
            iterator = answer["NextShardIterator"]
            records = answer["Records"]
            step = self._workload.records_of_an_event
            for first in range(0, len(records), step):
                await self._invoke(records[first : first + step])
            if not records:
                await asyncio.sleep(0.05)

    async def _invoke(self, records: list[dict[str, Any]]) -> None:
        payload = event_bytes(self._workload, records)
        answer = await self._functions.invoke(FunctionName=FUNCTION, Payload=payload)
        async with answer["Payload"] as body:
            await body.read()


async def main(workload: Workload) -> None:
    """Run with clients as they come."""
    session = get_session()
    service = {"sqs": "sqs", "kinesis": "kinesis", "dynamodb": "dynamodbstreams"}[workload.kind]
    async with (
        session.create_client(service, region_name=REGION) as source,
        session.create_client("lambda", region_name=REGION) as functions,
    ):
        await Naive(workload, source, functions).run()


if __name__ == "__main__":
    uvloop.run(main(Workload(**orjson.loads(sys.argv[1]))))
