"""The same loop with boto3, one thread for each poller."""

import sys
import threading
import time
from typing import Any

import boto3
import orjson
from botocore.config import Config

from tests.bench.candidates.events import Gathering, entries, event_bytes, read_positions
from tests.bench.workloads import CONCURRENCY, FUNCTION, QUEUE_URL, REGION, Workload


class Threads:
    """The candidate."""

    def __init__(self, workload: Workload, source: Any, functions: Any) -> None:
        self._workload = workload
        self._source = source
        self._functions = functions

    def run(self) -> None:
        """Until the process is ended."""
        if self._workload.kind == "sqs":
            threads = [threading.Thread(target=self._queue, daemon=True) for _ in range(CONCURRENCY)]
        else:
            positions = read_positions(self._workload)
            threads = [threading.Thread(target=self._shard, args=(p,), daemon=True) for p in positions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _queue(self) -> None:
        gathering = Gathering(self._workload)
        while True:
            answer = self._source.receive_message(
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
            self._invoke(messages)
            for first in range(0, len(messages), 10):
                self._source.delete_message_batch(
                    QueueUrl=QUEUE_URL, Entries=entries(messages[first : first + 10])
                )

    def _shard(self, position: dict[str, str]) -> None:
        iterator = self._source.get_shard_iterator(**position)["ShardIterator"]
        while True:
            answer = self._source.get_records(ShardIterator=iterator, Limit=self._workload.page)
            iterator = answer["NextShardIterator"]
            records = answer["Records"]
            step = self._workload.records_of_an_event
            for first in range(0, len(records), step):
                self._invoke(records[first : first + step])
            if not records:
                time.sleep(0.05)

    def _invoke(self, records: list[dict[str, Any]]) -> None:
        payload = event_bytes(self._workload, records)
        self._functions.invoke(FunctionName=FUNCTION, Payload=payload)["Payload"].read()


def main(workload: Workload) -> None:
    """Run with clients that have a connection for each thread."""
    service = {"sqs": "sqs", "kinesis": "kinesis", "dynamodb": "dynamodbstreams"}[workload.kind]
    config = Config(region_name=REGION, max_pool_connections=32)
    source, functions = (boto3.client(name, config=config) for name in (service, "lambda"))
    Threads(workload, source, functions).run()


if __name__ == "__main__":
    main(Workload(**orjson.loads(sys.argv[1])))
