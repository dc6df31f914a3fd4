"""What goes over the wire to SQS, and the event made of what comes back."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from mappings.arns import EventSource
from poller.aws import Aws
from poller.core.records import Position, Record
from poller.errors import (
    SourceDenied,
    SourceError,
    SourceGone,
    SourceThrottled,
    SourceUnavailable,
    SourceUnsuitable,
)
from poller.interfaces import QueueReader
from poller.sources.sqs import SqsSource
from poller.surroundings import SystemClock
from tests.contract.stubbing import answering

ARN = "arn:aws:sqs:eu-west-1:123456789012:orders"
QUEUE = EventSource.parse(ARN)
MESSAGE: dict[str, Any] = {
    "MessageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "ReceiptHandle": "AQEB...",
    "Body": "text exactly as sent",
    "MD5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
    "Attributes": {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1545082649183",
        "SenderId": "AIDA",
        "ApproximateFirstReceiveTimestamp": "1545082649185",
    },
}


def _by_sender(identifier: str) -> dict[str, Any]:
    return {"Id": identifier, "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}


class Stub:
    """An SQS that answers what the test says and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.visibility_timeout = "60"
        self.messages: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = []
        self.settled: dict[str, Any] | None = None
        """What DeleteMessageBatch and ChangeMessageVisibilityBatch answer; None for the truth."""
        self.error: tuple[int, str] | None = None

    async def answer(self, request: web.Request) -> web.Response:
        operation = request.headers["X-Amz-Target"].split(".")[1]
        asked = await request.json()
        self.asked.append((operation, asked))
        if self.error is not None and operation == "ReceiveMessage":
            status, code = self.error
            return self._json({"__type": f"com.amazonaws.sqs#{code}", "message": "no"}, status)
        return self._json(self._answers(operation, asked), 200)

    def _answers(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        match operation:
            case "GetQueueUrl":
                return {"QueueUrl": "http://unreachable.example/123456789012/orders"}
            case "GetQueueAttributes":
                return {"Attributes": {"VisibilityTimeout": self.visibility_timeout, "CreatedTimestamp": "1"}}
            case "ReceiveMessage":
                return {"Messages": self.messages}
            case _:
                if self.settled is not None:
                    return self.settled
                failed = {entry["Id"] for entry in self.failed}
                done = [{"Id": entry["Id"]} for entry in asked["Entries"] if entry["Id"] not in failed]
                return {"Successful": done, "Failed": self.failed}

    @staticmethod
    def _json(body: dict[str, Any], status: int) -> web.Response:
        return web.Response(text=json.dumps(body), status=status, content_type="application/x-amz-json-1.0")

    def last(self, operation: str) -> dict[str, Any]:
        """The latest request of an operation."""
        return [asked for name, asked in self.asked if name == operation][-1]


@pytest.fixture
async def stub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stub]:
    made = Stub()
    async with answering(made.answer, monkeypatch):
        yield made


Opened = Callable[..., AbstractAsyncContextManager[QueueReader]]


@pytest.fixture
def opened(*, hot_path: bool) -> Opened:
    @asynccontextmanager
    async def opened(**options: Any) -> AsyncIterator[QueueReader]:
        async with Aws(hot_path=hot_path) as aws:
            source = SqsSource(QUEUE, aws, SystemClock(), long_poll_s=20, **options)
            topology = await source.discover()
            yield await source.open(topology.shards[0], Position.trim_horizon())

    return opened


async def test_a_receive_is_a_long_poll_for_ten_with_all_attributes(stub: Stub, opened: Opened) -> None:
    """Semantics 2.1.1; the queue's own visibility timeout is left alone (2.2.1)."""
    async with opened() as reader:
        await reader.receive(500, 20.0)

    asked = stub.last("ReceiveMessage")
    assert (asked["MaxNumberOfMessages"], asked["WaitTimeSeconds"]) == (10, 20)
    assert (asked["MessageSystemAttributeNames"], asked["MessageAttributeNames"]) == (["All"], ["All"])
    assert asked["AttributeNames"] == ["All"]  # what older servers know the system attributes by
    assert "VisibilityTimeout" not in asked
    assert stub.last("GetQueueUrl") == {"QueueName": "orders", "QueueOwnerAWSAccountId": "123456789012"}


async def test_a_window_that_does_not_fit_asks_for_more_visibility(stub: Stub, opened: Opened) -> None:
    """Window, function timeout and 30 s (semantics 2.2.2), and the hold is as long."""
    stub.messages = [MESSAGE]
    async with opened(window_s=30, timeout_s=40) as reader:
        begun = SystemClock().monotonic()
        page = await reader.receive(10, 0.0)

    assert stub.last("ReceiveMessage")["VisibilityTimeout"] == 100
    assert page.hidden is not None
    assert list(page.hidden) == pytest.approx([begun, begun + 100], abs=5)


async def test_a_queue_shorter_than_the_function_is_refused(stub: Stub, opened: Opened) -> None:
    """In AWS's words (semantics 1.4.7)."""
    stub.visibility_timeout = "30"

    with pytest.raises(SourceUnsuitable, match="Queue visibility timeout: 30 seconds is less than Function"):
        async with opened(timeout_s=60):
            pass


async def test_entries_that_failed_are_given_back_unless_the_sender_is_to_blame(
    stub: Stub, opened: Opened
) -> None:
    """An expired receipt stays expired; anything else is worth another try."""
    stub.messages = [{**MESSAGE, "MessageId": f"m{n}", "ReceiptHandle": f"r{n}"} for n in range(3)]
    stub.failed = [
        {"Id": "0", "Code": "InternalError", "SenderFault": False},
        {"Id": "2", "Code": "ReceiptHandleIsInvalid", "SenderFault": True},
    ]
    async with opened() as reader:
        page = await reader.receive(10, 0.0)
        unsettled = await reader.delete(page.records)

    assert [record.item_identifier for record in unsettled.again] == ["m0"]
    assert [record.item_identifier for record in unsettled.lost] == ["m2"]
    assert [entry["ReceiptHandle"] for entry in stub.last("DeleteMessageBatch")["Entries"]] == [
        "r0",
        "r1",
        "r2",
    ]


async def test_a_message_twice_in_one_delete_has_entries_of_its_own(stub: Stub, opened: Opened) -> None:
    """Entries are named by index: the same id twice would fail the whole request."""
    stub.messages = [MESSAGE, MESSAGE]
    async with opened() as reader:
        page = await reader.receive(10, 0.0)
        await reader.delete(page.records)

    assert [entry["Id"] for entry in stub.last("DeleteMessageBatch")["Entries"]] == ["0", "1"]


async def test_a_release_makes_messages_visible_at_once(stub: Stub, opened: Opened) -> None:
    """Visibility timeout 0, for those that were never started."""
    stub.messages = [MESSAGE]
    async with opened() as reader:
        page = await reader.receive(10, 0.0)
        await reader.hide(page.records, 0)

    (entry,) = stub.last("ChangeMessageVisibilityBatch")["Entries"]
    assert entry["VisibilityTimeout"] == 0


@pytest.mark.parametrize(
    ("settled", "again", "lost"),
    [
        ({}, ["m0", "m1"], []),
        ({"Successful": None, "Failed": None}, ["m0", "m1"], []),
        ({"Successful": [{"Id": "0"}]}, ["m1"], []),
        ({"Successful": [{"Id": "0"}, {"Id": "0"}, {"Id": "1"}]}, ["m0"], []),
        ({"Successful": [{"Id": "0"}, {"Id": "1"}, {"Id": "7"}]}, [], []),
        ({"Successful": [{"Id": "0"}, {"Id": "1"}], "Failed": None}, [], []),
        (
            {
                "Successful": [{"Id": "0"}, {"Id": "1"}],
                "Failed": [_by_sender("1")],
            },
            ["m1"],
            [],
        ),
        (
            {"Successful": [{"Id": "1"}], "Failed": [_by_sender("0")]},
            [],
            ["m0"],
        ),
    ],
)
async def test_an_entry_is_deleted_that_is_named_once_and_as_a_success(
    stub: Stub, opened: Opened, settled: dict[str, Any], again: list[str], lost: list[str]
) -> None:
    """Faults 2: a 200 is no promise; an entry in no list, twice, or of no number of ours has failed."""
    stub.messages = [{**MESSAGE, "MessageId": f"m{n}", "ReceiptHandle": f"r{n}"} for n in range(2)]
    stub.settled = settled
    async with opened() as reader:
        page = await reader.receive(10, 0.0)
        unsettled = await reader.delete(page.records)

    assert [record.item_identifier for record in unsettled.again] == again
    assert [record.item_identifier for record in unsettled.lost] == lost


async def test_a_renewal_that_is_not_allowed_is_denied_whole_or_by_entry(stub: Stub, opened: Opened) -> None:
    """Semantics 2.10.3: rights are told from receipts."""
    stub.messages = [MESSAGE]
    stub.settled = {"Failed": [{"Id": "0", "Code": "AccessDenied", "SenderFault": True}]}
    async with opened() as reader:
        page = await reader.receive(10, 0.0)
        with pytest.raises(SourceDenied, match="ChangeMessageVisibilityBatch on orders: AccessDenied"):
            await reader.hide(page.records, 35.2)

    (entry,) = stub.last("ChangeMessageVisibilityBatch")["Entries"]
    assert entry["VisibilityTimeout"] == 36


async def test_a_message_without_system_attributes_says_so(stub: Stub, opened: Opened) -> None:
    """Its receive count is not known, which is not the first."""
    stub.messages = [{name: value for name, value in MESSAGE.items() if name != "Attributes"}, MESSAGE]
    async with opened() as reader:
        page = await reader.receive(10, 0.0)

    assert [record.receives for record in page.records] == [0, 1]


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "QueueDoesNotExist", SourceGone),
        (403, "AccessDeniedException", SourceDenied),
        (400, "KmsAccessDenied", SourceDenied),
        (403, "OverLimit", SourceThrottled),
        (400, "RequestThrottled", SourceThrottled),
        (503, "ServiceUnavailable", SourceUnavailable),
        (500, "InternalError", SourceUnavailable),
    ],
)
async def test_error_codes_say_who_reacts(
    stub: Stub, opened: Opened, status: int, code: str, expected: type[SourceError]
) -> None:
    """One request goes out for each receive: the loop decides when to ask again."""
    async with opened() as reader:
        stub.error = (status, code)
        with pytest.raises(expected):
            await reader.receive(10, 0.0)

    assert [name for name, _ in stub.asked].count("ReceiveMessage") == 1


async def test_a_record_carries_what_the_loop_needs(stub: Stub, opened: Opened) -> None:
    """Its group orders it, its receipt settles it, its age is the time it was sent."""
    attributes = {**MESSAGE["Attributes"], "MessageGroupId": "g1", "SequenceNumber": "188494"}
    stub.messages = [{**MESSAGE, "Attributes": attributes}]
    async with opened() as reader:
        page = await reader.receive(10, 0.0)

    record: Record = page.records[0]
    assert (record.item_identifier, record.receipt) == (MESSAGE["MessageId"], MESSAGE["ReceiptHandle"])
    assert (record.order_key, record.position, record.arrived_at) == ("g1", None, 1545082649.183)
    assert json.loads(record.event)["attributes"] == attributes


async def test_the_reference_event_comes_out(stub: Stub, opened: Opened) -> None:
    """Semantics 2.8.1 and 2.10.1: members, order, and attribute names in lower camel case."""
    stub.messages = [
        {
            **MESSAGE,
            "MD5OfMessageAttributes": "a18cbb58171ebf4ce88d9fb787f9210b",
            "MessageAttributes": {
                "n": {"DataType": "Number", "StringValue": "100"},
                "b": {"DataType": "Binary", "BinaryValue": "AA=="},
            },
        }
    ]

    event = await _event(opened)

    assert list(event) == [
        "messageId",
        "receiptHandle",
        "body",
        "attributes",
        "messageAttributes",
        "md5OfMessageAttributes",
        "md5OfBody",
        "eventSource",
        "eventSourceARN",
        "awsRegion",
    ]
    assert event["messageAttributes"]["n"] == {
        "stringValue": "100",
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": "Number",
    }
    assert event["messageAttributes"]["b"]["binaryValue"] == "AA=="
    assert (event["eventSource"], event["eventSourceARN"], event["awsRegion"]) == (
        "aws:sqs",
        ARN,
        "eu-west-1",
    )


async def _event(opened: Opened, **options: Any) -> dict[str, Any]:
    async with opened(**options) as reader:
        (record,) = (await reader.receive(10, 0.0)).records
    event: dict[str, Any] = json.loads(record.event)
    return event


@pytest.mark.parametrize(("window_s", "present"), [(0, False), (1, True)])
async def test_without_attributes_their_digest_is_absent_or_null(
    stub: Stub, opened: Opened, window_s: int, *, present: bool
) -> None:
    """Absent with window 0, null with a window, as was recorded (semantics 2.8.4)."""
    stub.messages = [MESSAGE]

    event = await _event(opened, window_s=window_s)

    assert ("md5OfMessageAttributes" in event) is present
    assert event.get("md5OfMessageAttributes") is None
    assert event["messageAttributes"] == {}
