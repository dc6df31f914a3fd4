"""What a function sees of a fake record, in the shape of the real event, and the way back to the record."""

import base64
from typing import NamedTuple

import orjson

from poller.core.payload import encode_json


class Seen(NamedTuple):
    """A record as a function finds it in its event."""

    record: str
    identifier: str
    """What `batchItemFailures` would name."""
    receives: int
    """ApproximateReceiveCount of a message; 0 in a stream."""


def sqs_event(record: str, *, message_id: str, receipt: str, receives: int, filling_bytes: int = 0) -> bytes:
    """An SQS message; its body is the name of the record."""
    filling = {"filling": "x" * filling_bytes} if filling_bytes else {}
    return encode_json(
        {
            **filling,
            "messageId": message_id,
            "receiptHandle": receipt,
            "body": record,
            "attributes": {"ApproximateReceiveCount": str(receives)},
            "eventSource": "aws:sqs",
        }
    )


def kinesis_event(record: str, *, key: str, number: int) -> bytes:
    """A Kinesis record; its data is the name of the record."""
    data = base64.b64encode(record.encode()).decode()
    kinesis = {"partitionKey": key, "sequenceNumber": str(number), "data": data}
    return encode_json({"kinesis": kinesis, "eventSource": "aws:kinesis"})


def dynamodb_event(record: str, *, key: str, number: int) -> bytes:
    """A change of an item; its new image holds the name of the record."""
    change = {
        "Keys": {"id": {"S": key}},
        "NewImage": {"id": {"S": key}, "record": {"S": record}},
        "SequenceNumber": str(number),
    }
    return encode_json({"eventName": "MODIFY", "dynamodb": change, "eventSource": "aws:dynamodb"})


def read_event(payload: bytes) -> list[Seen]:
    """The records of an event, in its order."""
    return [_seen(entry) for entry in orjson.loads(payload)["Records"]]


def _seen(entry: dict[str, dict[str, str]]) -> Seen:
    if "kinesis" in entry:
        kinesis = entry["kinesis"]
        return Seen(base64.b64decode(kinesis["data"]).decode(), kinesis["sequenceNumber"], 0)
    if "dynamodb" in entry:
        change = entry["dynamodb"]
        image: dict[str, dict[str, str]] = change["NewImage"]  # type: ignore[assignment]  # typed attribute values
        return Seen(image["record"]["S"], change["SequenceNumber"], 0)
    receives = int(entry["attributes"]["ApproximateReceiveCount"])
    return Seen(str(entry["body"]), str(entry["messageId"]), receives)
