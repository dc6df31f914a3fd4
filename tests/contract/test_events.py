"""The event of any record: what the service's JSON says, in AWS's form, whichever way it was read."""

import base64
import json
from functools import cache
from typing import Any

from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.arns import EventSource
from poller.calls import wire_form
from poller.core.payload import encode_json
from poller.core.records import Record
from poller.sources.dynamodb import DynamoDbEvents
from poller.sources.kinesis import KinesisEvents
from poller.sources.sqs import SqsEvents
from poller.sources.wire import decode_kinesis_page, decode_messages, decode_table_page, read

SERVED = 1_700_000_000.0
QUEUE = EventSource.parse("arn:aws:sqs:eu-west-1:123456789012:orders")
STREAM = EventSource.parse("arn:aws:kinesis:eu-west-1:123456789012:stream/clicks")
TABLE = EventSource.parse(
    "arn:aws:dynamodb:eu-west-1:123456789012:table/carts/stream/2024-06-10T19:26:16.525"
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NAMES = st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True)
BLOBS = st.binary(max_size=30).map(lambda blob: base64.b64encode(blob).decode())
NUMBERS = st.from_regex(r"[1-9][0-9]{0,55}", fullmatch=True)
TIMES = st.floats(min_value=1e9, max_value=2e9).map(lambda at: round(at, 3)) | st.integers(10**9, 2 * 10**9)


def _joined(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Members that are there; and others that may be there, absent, or null."""
    return st.fixed_dictionaries(
        required, optional={name: st.none() | values for name, values in optional.items()}
    )


def _whole(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[float]:
    """Whole numbers, some of them written as floats."""
    return numbers | numbers.map(float)


MESSAGES = _joined(
    {"MessageId": NAMES | TEXTS, "ReceiptHandle": TEXTS},
    {
        "Body": TEXTS,
        "MD5OfBody": NAMES,
        "Attributes": st.fixed_dictionaries(
            {"ApproximateReceiveCount": NUMBERS},
            optional={
                "SentTimestamp": st.integers(0, 2 * 10**12).map(str),
                "MessageGroupId": TEXTS,
                "SenderId": TEXTS,
                "AWSTraceHeader": TEXTS,
            },
        ),
        "MD5OfMessageAttributes": NAMES,
        "MessageAttributes": st.dictionaries(
            TEXTS,
            st.fixed_dictionaries({"DataType": NAMES, "StringValue": TEXTS})
            | st.fixed_dictionaries({"DataType": NAMES, "BinaryValue": BLOBS}),
            max_size=2,
        ),
    },
)
RECORDS = _joined(
    {"SequenceNumber": NUMBERS},
    {
        "Data": BLOBS,
        "ApproximateArrivalTimestamp": TIMES,
        "PartitionKey": TEXTS,
        "EncryptionType": st.sampled_from(["NONE", "KMS"]),
    },
)
VALUES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.fixed_dictionaries({"S": TEXTS})
    | st.fixed_dictionaries({"N": NUMBERS})
    | st.fixed_dictionaries({"B": BLOBS})
    | st.fixed_dictionaries({"BS": st.lists(BLOBS, max_size=2)})
    | st.fixed_dictionaries({"NULL": st.just(True)}),
    lambda inner: (
        st.fixed_dictionaries({"L": st.lists(inner, max_size=2)})
        | st.fixed_dictionaries({"M": st.dictionaries(TEXTS, inner, max_size=2)})
    ),
    max_leaves=4,
)
ITEMS = st.dictionaries(TEXTS, VALUES, max_size=3)
CHANGES = _joined(
    {
        "dynamodb": _joined(
            {"SequenceNumber": NUMBERS},
            {
                "Keys": st.dictionaries(TEXTS, VALUES, min_size=1, max_size=2),
                "ApproximateCreationDateTime": TIMES,
                "SizeBytes": _whole(st.integers(0, 10**6)),
                "StreamViewType": st.just("NEW_AND_OLD_IMAGES"),
                "NewImage": ITEMS,
                "OldImage": ITEMS,
            },
        ),
    },
    {
        "eventID": NAMES,
        "eventName": st.sampled_from(["INSERT", "MODIFY", "REMOVE"]),
        "awsRegion": st.just("eu-central-1"),
        "eventSource": st.just("aws:dynamodb"),
        "eventVersion": st.just("1.1"),
        "userIdentity": st.just({"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}),
    },
)


def _through_the_sdk(service: str, operation: str, body: bytes) -> bytes:
    """What the other path hands over of the same answer."""
    model = _model(service)
    parsed = create_parser("json").parse(
        {"status_code": 200, "headers": {}, "body": body}, model.operation_model(operation).output_shape
    )
    return encode_json(wire_form(parsed))


@cache
def _model(service: str) -> ServiceModel:
    return get_session().get_service_model(service)


def _ordered(text: bytes) -> object:
    """A JSON value that also differs where members stand in another order."""
    return json.loads(text, object_pairs_hook=lambda pairs: pairs)


def _check(made: list[list[Record]], expected: list[dict[str, Any]]) -> None:
    """Both ways give the same, and that in AWS's form; the second may write its texts otherwise."""
    records, again = made
    assert [_ordered(r.event) for r in records] == [_ordered(encode_json(event)) for event in expected]
    assert [_ordered(r.event) for r in again] == [_ordered(r.event) for r in records]
    for one, other in zip(records, again, strict=True):
        for name in ("item_identifier", "arrived_at", "position", "receipt"):
            assert getattr(one, name) == getattr(other, name)


@settings(deadline=None)
@given(messages=st.lists(MESSAGES, min_size=1, max_size=3))
def test_messages_of_sqs(messages: list[dict[str, Any]]) -> None:
    """Semantics 2.8."""
    body = encode_json({"Messages": messages})
    events = SqsEvents(QUEUE, null_md5=False)
    ways = (body, _through_the_sdk("sqs", "ReceiveMessage", body))
    made = [events.records(read(decode_messages, way).Messages or (), SERVED) for way in ways]

    _check(made, [_message_event(message) for message in messages])
    assert [r.receipt for r in made[0]] == [message["ReceiptHandle"] for message in messages]
    attributes = [message.get("Attributes") or {} for message in messages]
    assert [r.order_key for r in made[0]] == [each.get("MessageGroupId") for each in attributes]
    sent = [each.get("SentTimestamp", SERVED * 1000) for each in attributes]
    assert [r.arrived_at for r in made[0]] == [float(at) / 1000 for at in sent]


def _named(**members: object) -> dict[str, Any]:
    """Members that are neither absent nor null."""
    return {name: value for name, value in members.items() if value is not None}


def _message_event(message: dict[str, Any]) -> dict[str, Any]:
    attributes = message.get("MessageAttributes") or {}
    event = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        **_named(body=message.get("Body")),
        "attributes": message.get("Attributes") or {},
        "messageAttributes": {
            name: {
                **(
                    {"stringValue": value["StringValue"]}
                    if "StringValue" in value
                    else {"binaryValue": value["BinaryValue"]}
                ),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value["DataType"],
            }
            for name, value in attributes.items()
        },
    }
    if attributes:
        event["md5OfMessageAttributes"] = message.get("MD5OfMessageAttributes")
    return {
        **event,
        **_named(md5OfBody=message.get("MD5OfBody")),
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE.arn,
        "awsRegion": "eu-west-1",
    }


@settings(deadline=None)
@given(records=st.lists(RECORDS, min_size=1, max_size=3))
def test_records_of_kinesis(records: list[dict[str, Any]]) -> None:
    """Semantics 3.13."""
    body = encode_json({"Records": records})
    events = KinesisEvents(STREAM, "shard-0")
    ways = (body, _through_the_sdk("kinesis", "GetRecords", body))
    made = [events.records(read(decode_kinesis_page, way).Records or (), SERVED) for way in ways]

    _check(made, [_kinesis_event(record) for record in records])
    assert [r.order_key for r in made[0]] == [record.get("PartitionKey") for record in records]
    arrivals = [_named(**record).get("ApproximateArrivalTimestamp", SERVED) for record in records]
    assert [r.arrived_at for r in made[0]] == arrivals


def _kinesis_event(record: dict[str, Any]) -> dict[str, Any]:
    encryption = record.get("EncryptionType")
    arrived_at = record.get("ApproximateArrivalTimestamp")
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record.get("PartitionKey"),
            "sequenceNumber": record["SequenceNumber"],
            "data": record.get("Data") or "",
            **_named(
                approximateArrivalTimestamp=None if arrived_at is None else round(float(arrived_at), 3),
                encryptionType=None if encryption == "NONE" else encryption,
            ),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shard-0:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/poller",
        "awsRegion": "eu-west-1",
        "eventSourceARN": STREAM.arn,
    }


@settings(deadline=None)
@given(changes=st.lists(CHANGES, min_size=1, max_size=3))
def test_records_of_a_tables_stream(changes: list[dict[str, Any]]) -> None:
    """Semantics 4.10 to 4.13."""
    body = encode_json({"Records": changes})
    events = DynamoDbEvents(TABLE, by_aws=True)
    ways = (body, _through_the_sdk("dynamodbstreams", "GetRecords", body))
    made = [events.records(read(decode_table_page, way).Records or (), SERVED) for way in ways]

    _check(made, [_change_event(change) for change in changes])


def _change_event(record: dict[str, Any]) -> dict[str, Any]:
    change = _named(**record["dynamodb"])
    for name, form in (("ApproximateCreationDateTime", float), ("SizeBytes", int)):
        if name in change:
            change[name] = form(change[name])
    order = ("ApproximateCreationDateTime", "Keys", "NewImage", "OldImage", "SequenceNumber", "SizeBytes")
    identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    return {
        **_named(eventID=record.get("eventID"), eventName=record.get("eventName")),
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": record.get("awsRegion") or "eu-west-1",
        "dynamodb": {name: change[name] for name in (*order, "StreamViewType") if name in change},
        **({"userIdentity": identity} if record.get("userIdentity") else {}),
        "eventSourceARN": TABLE.arn,
    }


def test_half_a_character_does_not_keep_a_page_from_being_read() -> None:
    """An emulator may pass one on: it becomes a question mark, the rest stays as it is."""
    body = b'{"Messages":[{"MessageId":"1","ReceiptHandle":"r","Body":"a\\ud800\\u00e9","MD5OfBody":"x"}]}'

    messages = read(decode_messages, body).Messages

    assert messages is not None
    (message,) = messages
    assert json.loads(bytes(message.Body)) == "a?é"
