"""The event of the naive loops: the SDK's records, renamed, through the standard library's JSON."""

import base64
import json
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tests.bench.answers import shard_id
from tests.bench.workloads import ARNS, REGION, STREAM, Kind, Workload


class Gathering:
    """Messages of one batch, until it is full or its window is over."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._messages: list[dict[str, Any]] = []
        self._begun = 0.0

    def add(self, messages: Sequence[dict[str, Any]]) -> None:
        """Take in what was received."""
        if messages and not self._messages:
            self._begun = time.monotonic()
        self._messages += messages

    @property
    def due(self) -> bool:
        """Whether the batch is to be delivered."""
        if not self._messages or not self._workload.window_s:
            return bool(self._messages)
        full = len(self._messages) >= min(self._workload.batch, self._workload.records_of_an_event)
        return full or time.monotonic() >= self._begun + self._workload.window_s

    def take(self) -> list[dict[str, Any]]:
        """Its messages."""
        taken, self._messages = self._messages, []
        return taken


def event_bytes(workload: Workload, records: Sequence[dict[str, Any]]) -> bytes:
    """The event, encoded."""
    make = {"sqs": _message, "kinesis": _kinesis, "dynamodb": _change}[workload.kind]
    return json.dumps({"Records": [make(record) for record in records]}, default=_encode).encode()


def entries(messages: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """What DeleteMessageBatch is asked."""
    return [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)]


def read_positions(workload: Workload) -> list[dict[str, str]]:
    """What GetShardIterator is asked, for each shard."""
    kind: Kind = workload.kind
    stream = {"StreamName": STREAM} if kind == "kinesis" else {"StreamArn": ARNS[kind]}
    return [
        {**stream, "ShardId": shard_id(number), "ShardIteratorType": "TRIM_HORIZON"}
        for number in range(workload.shards)
    ]


def _encode(value: object) -> object:
    if isinstance(value, datetime):
        return value.timestamp()
    assert isinstance(value, bytes)
    return base64.b64encode(value).decode()


def _message(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": ARNS["sqs"],
        "awsRegion": REGION,
    }


def _kinesis(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": record["SequenceNumber"],
            "data": base64.b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/poller",
        "awsRegion": REGION,
        "eventSourceARN": ARNS["kinesis"],
    }


def _change(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": record["awsRegion"],
        "dynamodb": record["dynamodb"],
        "eventSourceARN": ARNS["dynamodb"],
    }
