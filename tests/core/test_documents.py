"""What a document says of a discard, against the recorded shapes (semantics 3.9, 4.26)."""

import json
from dataclasses import replace
from typing import Any

import pytest

from mappings.arns import EventSource
from mappings.model import EventSourceMapping
from poller.core.discards import Condition, Discard, ResponseContext
from poller.core.documents import Document, failure_document, object_key
from poller.core.records import Record
from poller.core.timewindow import TimeWindow

STREAM = "arn:aws:kinesis:us-east-2:123456789012:stream/mystream"
TABLE = "arn:aws:dynamodb:us-east-2:123456789012:table/mytable/stream/2019-11-14T00:04:06.388"
FUNCTION = "arn:aws:lambda:us-east-2:123456789012:function:myfunction"
MAPPING = "14e0db71-5d35-4eb5-b481-8945cf9d10c2"
REQUEST = "316aa6d0-8154-4c0b-9af7-85d5f4a6bc81"
SHARD = "shardId-000000000006"
NOW = 1573691898.021  # 2019-11-14T00:38:18.021Z


def mapping(source: str = STREAM) -> EventSourceMapping:
    return EventSourceMapping(
        uuid=MAPPING,
        event_source=EventSource.parse(source),
        function_name="myfunction",
        function_arn=FUNCTION,
        batch_size=100,
    )


def record(number: int, *, arrived_at: float = 1573689197.123, event: bytes = b"{}") -> Record:
    return Record(
        item_identifier=str(number),
        event=event,
        arrived_at=arrived_at,
        order_key="k",
        position=str(number),
        receipt=str(number),
    )


UNHANDLED = ResponseContext(status_code=200, executed_version="$LATEST", function_error="Unhandled")
EXHAUSTED = Discard(
    records=(record(800), record(801, arrived_at=1573689198.0)),
    condition=Condition.RETRY_ATTEMPTS_EXHAUSTED,
    invoke_count=2,
    request_id=REQUEST,
    response=UNHANDLED,
)


def told(discard: Discard, *, source: str = STREAM, wall_now: float = NOW) -> Document:
    return failure_document(discard, mapping=mapping(source), shard=SHARD, wall_now=wall_now)


def members(discard: Discard, *, source: str = STREAM) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(told(discard, source=source).text())
    return parsed


def test_a_kinesis_document_is_the_recorded_one() -> None:
    """Members, order and formats to the byte (semantics 3.9.2)."""
    assert told(EXHAUSTED).text() == (
        '{"requestContext":{"requestId":"316aa6d0-8154-4c0b-9af7-85d5f4a6bc81",'
        '"functionArn":"arn:aws:lambda:us-east-2:123456789012:function:myfunction",'
        '"condition":"RetryAttemptsExhausted","approximateInvokeCount":2},'
        '"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},'
        '"version":"1.0","timestamp":"2019-11-14T00:38:18.021Z",'
        '"KinesisBatchInfo":{"shardId":"shardId-000000000006",'
        '"startSequenceNumber":"800","endSequenceNumber":"801",'
        '"approximateArrivalOfFirstRecord":"2019-11-13T23:53:17.123Z",'
        '"approximateArrivalOfLastRecord":"2019-11-13T23:53:18.000Z",'
        '"batchSize":2,"streamArn":"arn:aws:kinesis:us-east-2:123456789012:stream/mystream"}}'
    )


def test_a_dynamodb_document_has_its_own_batch_member_and_whole_seconds() -> None:
    """Only the arrival times lose their fraction, the timestamp does not (semantics 3.9.3, 4.26, 9.6)."""
    document = members(EXHAUSTED, source=TABLE)

    assert list(document) == [
        "requestContext",
        "responseContext",
        "version",
        "timestamp",
        "DDBStreamBatchInfo",
    ]
    assert document["timestamp"] == "2019-11-14T00:38:18.021Z"
    assert document["DDBStreamBatchInfo"] == {
        "shardId": SHARD,
        "startSequenceNumber": "800",
        "endSequenceNumber": "801",
        "approximateArrivalOfFirstRecord": "2019-11-13T23:53:17Z",
        "approximateArrivalOfLastRecord": "2019-11-13T23:53:18Z",
        "batchSize": 2,
        "streamArn": TABLE,
    }


@pytest.mark.parametrize(
    ("arrived_at", "kinesis", "dynamodb"),
    [
        (0.0, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00Z"),
        (1704067200.12, "2024-01-01T00:00:00.120Z", "2024-01-01T00:00:00Z"),
        (1704067200.999, "2024-01-01T00:00:00.999Z", "2024-01-01T00:00:00Z"),
        # The float nearest to .001 lies below it.
        (1704067200.001, "2024-01-01T00:00:00.001Z", "2024-01-01T00:00:00Z"),
        (1709251199.0, "2024-02-29T23:59:59.000Z", "2024-02-29T23:59:59Z"),
    ],
)
def test_times_keep_their_digits(arrived_at: float, kinesis: str, dynamodb: str) -> None:
    """Three digits for Kinesis, also where they are zeros; none for DynamoDB, which is never rounded up."""
    discard = replace(EXHAUSTED, records=(record(1, arrived_at=arrived_at),))

    assert members(discard)["KinesisBatchInfo"]["approximateArrivalOfFirstRecord"] == kinesis
    assert members(discard, source=TABLE)["DDBStreamBatchInfo"]["approximateArrivalOfFirstRecord"] == dynamodb


def test_records_that_were_too_old_have_no_response_and_count_one_invocation() -> None:
    """Even if the function was never invoked with them (semantics 3.6.6, 9.3)."""
    discard = replace(EXHAUSTED, condition=Condition.RECORD_AGE_EXCEEDED, invoke_count=0, response=None)

    document = members(discard)

    assert "responseContext" not in document
    assert document["requestContext"]["condition"] == "RecordAgeExceeded"
    assert document["requestContext"]["approximateInvokeCount"] == 1


def test_a_batch_too_large_to_be_invoked_has_no_response_and_keeps_its_count() -> None:
    """It used its attempts, and the function never answered (semantics 3.6.3)."""
    document = members(replace(EXHAUSTED, invoke_count=4, response=None))

    assert "responseContext" not in document
    assert document["requestContext"]["approximateInvokeCount"] == 4


def test_a_response_without_function_error_keeps_the_member_as_null() -> None:
    """So it was recorded for batch item failures (semantics 3.8.4, 9.2)."""
    response = ResponseContext(status_code=200, executed_version="7", function_error=None)

    document = members(replace(EXHAUSTED, response=response))

    assert document["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "7",
        "functionError": None,
    }


def test_the_function_arn_is_the_configured_one() -> None:
    """With its qualifier where the mapping has one (semantics 3.9.5)."""
    aliased = replace(mapping(), function_arn=f"{FUNCTION}:live")

    document = failure_document(EXHAUSTED, mapping=aliased, shard=SHARD, wall_now=NOW)

    assert json.loads(document.text())["requestContext"]["functionArn"] == f"{FUNCTION}:live"


def test_a_stream_read_through_a_consumer_is_named_itself() -> None:
    """The document has the ARN that the events have (semantics 3.3.6)."""
    consumer = f"{STREAM}/consumer/fast:1573689000"

    document = members(EXHAUSTED, source=consumer)

    assert document["KinesisBatchInfo"]["streamArn"] == consumer


def test_without_records_only_shard_and_stream_are_named() -> None:
    """The final invocation of a window may have none (semantics 3.9.11)."""
    document = told(replace(EXHAUSTED, records=()))

    assert json.loads(document.text())["KinesisBatchInfo"] == {"shardId": SHARD, "streamArn": STREAM}
    assert document.id == REQUEST


def test_the_payload_is_a_json_string_of_the_event_as_sent() -> None:
    """To the byte, whatever its blanks, escapes and numbers; it comes last (semantics 3.9.7, 9.40)."""
    events = (b'{"data":"\\u00e9", "n":1.50}', '{"data":"é\\""}'.encode())
    discard = replace(EXHAUSTED, records=tuple(record(n, event=event) for n, event in enumerate(events)))

    document = json.loads(told(discard).with_payload())

    assert document["payload"].encode() == b'{"Records":[' + b",".join(events) + b"]}"
    assert list(document)[-1] == "payload"
    assert {name: value for name, value in document.items() if name != "payload"} == members(discard)


def test_the_text_does_not_hold_the_records() -> None:
    """A queue or topic has a limit; nor do they reach a log through the document's repr."""
    discard = replace(EXHAUSTED, records=(record(1, event=b'{"data":"secret"}'),))

    document = told(discard)

    assert "secret" not in document.text()
    assert "secret" not in repr(document)


def test_the_text_stays_below_a_kilobyte_for_ordinary_names() -> None:
    """The least MaximumMessageSize of a queue is 1,024 bytes (faults 78)."""
    assert len(told(EXHAUSTED).text()) < 1024


def test_an_object_key_is_dated_in_utc() -> None:
    """Mapping, shard, day, second and id (semantics 3.9.8)."""
    key = object_key(MAPPING, shard=SHARD, wall_now=1704067199.999, identity=REQUEST)

    assert key == f"aws/lambda/{MAPPING}/{SHARD}/2023/12/31/2023-12-31T23.59.59-{REQUEST}"


def test_the_key_of_a_document_ends_in_its_id() -> None:
    """Which has the form of a UUID, as AWS's has."""
    document = told(EXHAUSTED)

    assert document.object_key == object_key(MAPPING, shard=SHARD, wall_now=NOW, identity=document.id)
    assert [len(part) for part in document.id.split("-")] == [8, 4, 4, 4, 12]


def test_a_discard_told_again_after_a_crash_has_the_same_id() -> None:
    """Another process, another time, another batch around the same records (faults 76)."""
    again = replace(EXHAUSTED, records=(record(800), record(801)), request_id="of another batch")

    assert told(EXHAUSTED).id == told(again, wall_now=NOW + 60).id


@pytest.mark.parametrize(
    "records", [(record(800),), (record(801),), (record(800), record(802)), (record(800),) * 3]
)
def test_other_records_have_another_id(records: tuple[Record, ...]) -> None:
    """A prefix that is cut off shares the request id of its batch, never the id of another prefix."""
    assert told(replace(EXHAUSTED, records=records)).id != told(EXHAUSTED).id


def test_another_mapping_or_shard_has_another_id() -> None:
    """Two mappings may read one stream into one destination."""
    other = failure_document(EXHAUSTED, mapping=replace(mapping(), uuid="other"), shard=SHARD, wall_now=NOW)
    elsewhere = failure_document(EXHAUSTED, mapping=mapping(), shard="shardId-7", wall_now=NOW)

    assert len({told(EXHAUSTED).id, other.id, elsewhere.id}) == 3


WINDOW = TimeWindow(start=1573689180, end=1573689240)


def test_the_document_of_a_window_says_which_one() -> None:
    """After everything else (semantics 3.9.11)."""
    document = members(replace(EXHAUSTED, window=WINDOW))

    assert list(document)[-2:] == ["KinesisBatchInfo", "timeWindowInfo"]
    assert document["timeWindowInfo"] == {"start": "2019-11-13T23:53:00Z", "end": "2019-11-13T23:54:00Z"}
    assert len(json.dumps(document)) < 1024


@pytest.mark.parametrize(
    ("source", "batch_info"), [(STREAM, "KinesisBatchInfo"), (TABLE, "DDBStreamBatchInfo")]
)
def test_a_failed_final_invocation_has_shard_and_stream_alone(source: str, batch_info: str) -> None:
    """It had no records (semantics 3.9.11); the object holds the event with the state."""
    discard = replace(EXHAUSTED, records=(), window=WINDOW, members=b',"state":{"n":1}')

    assert members(discard, source=source)[batch_info] == {"shardId": SHARD, "streamArn": source}
    payload = json.loads(told(discard).with_payload())["payload"]
    assert payload == '{"Records":[],"state":{"n":1}}'
