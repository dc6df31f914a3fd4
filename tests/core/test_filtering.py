"""What a filter sees of a record, and which records pass."""

import base64
import json
from typing import Any

import pytest

from mappings.arns import SourceKind
from poller.core.filtering import record_filter
from poller.core.records import Record
from tests.core.records import record


def _record(event: dict[str, Any]) -> Record:
    made = record(1)
    return Record(
        item_identifier=made.item_identifier,
        event=json.dumps(event).encode(),
        arrived_at=0.0,
        order_key=None,
        position=None,
        receipt="",
    )


def _message(body: str) -> Record:
    return _record(
        {
            "messageId": "id-1",
            "receiptHandle": "h",
            "body": body,
            "attributes": {"SenderId": "me", "ApproximateReceiveCount": "1"},
            "messageAttributes": {"kind": {"stringValue": "order", "dataType": "String"}},
            "md5OfBody": "d4",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn",
            "awsRegion": "r",
        }
    )


def _kinesis(data: bytes) -> Record:
    kinesis = {"partitionKey": "k1", "sequenceNumber": "7", "data": base64.b64encode(data).decode()}
    return _record(
        {
            "kinesis": kinesis,
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": "shard-0:7",
            "eventName": "aws:kinesis:record",
            "awsRegion": "r",
            "eventSourceARN": "arn",
        }
    )


CHANGE = {
    "eventName": "INSERT",
    "eventSource": "aws:dynamodb",
    "eventSourceARN": "arn",
    "awsRegion": "r",
    "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
    "dynamodb": {
        "ApproximateCreationDateTime": 1700000000.0,
        "NewImage": {"n": {"N": "101"}, "s": {"S": "x"}},
    },
}


def _passes(kind: SourceKind, pattern: dict[str, Any], tested: Record) -> bool:
    passes = record_filter(kind, [json.dumps(pattern)])
    assert passes is not None
    return passes(tested)


@pytest.mark.parametrize(
    ("body", "pattern", "expected"),
    [
        ('{"a": 1}', {"body": {"a": [1]}}, True),
        ('{"a": 2}', {"body": {"a": [1]}}, False),
        ("plain", {"body": {"a": [1]}}, False),
        ("plain", {"body": {"a": [{"exists": False}]}}, False),
        ("plain", {"body": ["plain"]}, True),
        ("plain", {"body": [{"prefix": "pl"}]}, True),
        ("plain", {"body": ["other"]}, False),
        ('{"a": 1}', {"body": ['{"a": 1}']}, False),
        ('{"a": 1}', {"body": [{"prefix": "{"}]}, False),
        ("123", {"body": [123]}, True),
        ("123", {"body": ["123"]}, False),
        ("plain", {"attributes": {"SenderId": ["me"]}}, True),
        ('{"a": 1}', {"messageAttributes": {"kind": {"stringValue": ["order"]}}}, True),
        ('{"a": 1}', {"messageId": ["id-1"]}, True),
        ('{"a": 1}', {"eventSource": ["aws:sqs"]}, True),
        ('{"a": 1}', {"eventSource": ["aws:kinesis"]}, False),
        ("plain", {"eventSourceARN": [{"suffix": "arn"}], "awsRegion": ["r"]}, True),
        ("plain", {"eventName": [{"exists": False}]}, True),
        ("plain", {"$or": [{"body": {"a": [1]}}, {"messageId": ["id-1"]}]}, True),
        ("plain", {"$or": [{"body": {"a": [1]}}, {"messageId": ["id-2"]}]}, False),
        ("plain", {"$or": [{"body": {"a": [{"exists": False}]}}, {"body": ["plain"]}]}, True),
        ('{"a": 1}', {"$or": [{"body": [{"prefix": "{"}]}, {"body": {"a": [2]}}]}, False),
        ('{"a": 12345678901234568}', {"body": {"a": [12345678901234567]}}, False),
        ('{"a": 12345678901234567}', {"body": {"a": [12345678901234567]}}, True),
        ("\ufeff{}", {"body": [{"suffix": "{}"}]}, True),
        ("\ud800 lone", {"body": [{"suffix": "lone"}]}, True),
    ],
)
def test_messages(body: str, pattern: dict[str, Any], expected: bool) -> None:  # noqa: FBT001  # a table
    """Text is compared as text, JSON as JSON, never one as the other; metadata and origin always (2.7)."""
    assert _passes(SourceKind.SQS, pattern, _message(body)) is expected


@pytest.mark.parametrize(
    ("data", "pattern", "expected"),
    [
        (b'{"a": 1}', {"data": {"a": [1]}}, True),
        (b'{"a": 2}', {"data": {"a": [1]}}, False),
        (b"no json", {"data": {"a": [{"exists": False}]}}, False),
        (b"\xff\xfe", {"data": {"a": [{"exists": False}]}}, False),
        ('{"a": 1}'.encode("utf-16"), {"data": {"a": [1]}}, False),
        ('{"a": 1}'.encode("utf-16-le"), {"data": {"a": [1]}}, False),
        ('{"a": 1}'.encode("utf-32"), {"data": {"a": [1]}}, False),
        ('{"a": 1}'.encode("utf-8-sig"), {"data": {"a": [1]}}, False),
        (b"no json", {"$or": [{"data": {"a": [1]}}, {"partitionKey": ["k1"]}]}, True),
        (b"no json", {"$or": [{"data": {"a": [1]}}, {"partitionKey": ["k2"]}]}, False),
        (b'{"a": 1e-400}', {"data": {"a": [0]}}, False),
        (b"x", {"eventSource": ["aws:kinesis"], "eventName": ["aws:kinesis:record"]}, True),
        (b"x", {"eventSourceARN": ["arn"], "awsRegion": ["r"], "eventID": [{"prefix": "shard"}]}, True),
        (b"x", {"eventVersion": ["1.0"]}, True),
        (b"x", {"eventSource": ["aws:sqs"]}, False),
        (b"no json", {"partitionKey": ["k1"]}, True),
        (b'{"a": 1}', {"partitionKey": ["k2"]}, False),
        (b'{"a": 1}', {"kinesis": {"data": {"a": [1]}}}, False),
    ],
)
def test_kinesis_records(data: bytes, pattern: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    """`data` is decoded as JSON in UTF-8, its siblings and the origin stand at the top (semantics 3.12)."""
    assert _passes(SourceKind.KINESIS, pattern, _kinesis(data)) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"eventName": ["INSERT"]}, True),
        ({"eventName": ["REMOVE"]}, False),
        ({"eventName": ["INSERT"], "eventSource": ["aws:dynamodb"]}, True),
        ({"eventSourceARN": ["arn"], "awsRegion": ["r"]}, True),
        ({"awsRegion": ["elsewhere"]}, False),
        ({"userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]}}, True),
        ({"dynamodb": {"NewImage": {"s": {"S": ["x"]}}}}, True),
        ({"dynamodb": {"NewImage": {"s": ["x"]}}}, False),
        ({"dynamodb": {"NewImage": {"n": {"N": ["101"]}}}}, True),
        ({"dynamodb": {"NewImage": {"n": {"N": [{"numeric": [">", 100]}]}}}}, False),
        ({"dynamodb": {"ApproximateCreationDateTime": [{"numeric": [">", 1600000000]}]}}, True),
        ({"dynamodb": {"NewImage": {"s": [{"exists": False}]}}}, True),
        ({"dynamodb": {"NewImage": {"s": {"S": [{"exists": False}]}}}}, False),
    ],
)
def test_changes_of_a_table(pattern: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    """Values are typed, numbers are texts, only leaves exist, and the origin is seen (semantics 4.16)."""
    assert _passes(SourceKind.DYNAMODB, pattern, _record(CHANGE)) is expected


def test_any_of_several_filters_is_enough() -> None:
    """Filters are alternatives, each judged by its own row of the table."""
    passes = record_filter(SourceKind.SQS, ['{"body":{"a":[1]}}', '{"body":["plain"]}'])

    assert passes is not None
    assert [passes(_message(body)) for body in ('{"a":1}', "plain", "other")] == [True, True, False]


def test_without_filters_nothing_is_looked_at() -> None:
    """No record is parsed for nothing."""
    assert record_filter(SourceKind.SQS, ()) is None
