"""Kinesis through a consumer: subscriptions, their renewal, and the end of a shard, over real HTTP."""

import base64
import binascii
import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from mappings.arns import EventSource
from poller.aws import Aws
from poller.core.records import Page, Position
from poller.errors import SourceThrottled
from poller.interfaces import Reader
from poller.sources.kinesis_fan_out import KinesisFanOutSource
from tests.contract.stubbing import answering

STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
CONSUMER = f"{STREAM}/consumer/audit:1700000000"


def _frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of the event stream encoding: lengths, checksums, string headers, payload."""
    block = b"".join(
        struct.pack("!B", len(name))
        + name.encode()
        + b"\x07"
        + struct.pack("!H", len(value))
        + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(block) + len(payload), len(block))
    message = prelude + struct.pack("!I", binascii.crc32(prelude)) + block + payload
    return message + struct.pack("!I", binascii.crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    string = b"\x07"
    return struct.pack("!B", len(name)) + name + string + struct.pack("!H", len(value)) + value


def _initial() -> bytes:
    return _frame({":message-type": "event", ":event-type": "initial-response"}, b"{}")


def _event(numbers: list[int], *, continuation: str | None) -> bytes:
    records = [
        {
            "SequenceNumber": str(number),
            "ApproximateArrivalTimestamp": 1700000000.123,
            "Data": base64.b64encode(b"data").decode(),
            "PartitionKey": "k",
        }
        for number in numbers
    ]
    body: dict[str, Any] = {"Records": records, "MillisBehindLatest": 0}
    if continuation is not None:
        body["ContinuationSequenceNumber"] = continuation
    headers = {":message-type": "event", ":event-type": "SubscribeToShardEvent"}
    return _frame(headers, json.dumps(body).encode())


class Stub:
    """A Kinesis whose subscriptions send what the test says, one list of events for each."""

    def __init__(self) -> None:
        self.subscriptions: list[list[bytes]] = []
        self.asked: list[dict[str, Any]] = []
        self.refused = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        operation = request.headers["X-Amz-Target"].split(".")[1]
        asked = await request.json()
        if operation == "SubscribeToShard":
            return await self._subscribe(request, asked)
        if operation == "DescribeStreamSummary":
            summary = {"StreamCreationTimestamp": 1600000000.0}
            return web.json_response({"StreamDescriptionSummary": summary})
        shards = [{"ShardId": "shard-0", "SequenceNumberRange": {"StartingSequenceNumber": "0"}}]
        assert asked["StreamARN"] == STREAM
        return web.json_response({"Shards": shards})

    async def _subscribe(self, request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        self.asked.append(asked)
        if self.refused:
            body = {"__type": "LimitExceededException", "message": "one call a second"}
            return web.json_response(body, status=400)
        response = web.StreamResponse(headers={"Content-Type": "application/vnd.amazon.eventstream"})
        await response.prepare(request)
        for frame in [_initial(), *self.subscriptions.pop(0)]:
            await response.write(frame)
        return response


@pytest.fixture
async def stub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stub]:
    made = Stub()
    async with answering(made.answer, monkeypatch):
        yield made


async def _open(aws: Aws, after: Position) -> Reader:
    source = KinesisFanOutSource(EventSource.parse(CONSUMER), aws)
    (shard,) = (await source.discover()).shards
    return await source.open(shard, after)


async def _read(stub: Stub, after: Position, reads: int) -> list[Page]:
    async with Aws() as aws:
        reader = await _open(aws, after)
        return [await reader.receive(10_000, 0.0) for _ in range(reads)]


async def test_events_become_pages_with_the_consumers_arn(stub: Stub) -> None:
    """Semantics 3.3.6: the event names the consumer, not the stream."""
    stub.subscriptions = [[_event([1, 2], continuation="2"), _event([], continuation="2")]]

    pages = await _read(stub, Position.trim_horizon(), 2)

    assert [[record.position for record in page.records] for page in pages] == [["1", "2"], []]
    event = json.loads(pages[0].records[0].event)
    assert event["eventSourceARN"] == CONSUMER
    assert event["eventID"] == "shard-0:1"
    assert stub.asked == [
        {"ConsumerARN": CONSUMER, "ShardId": "shard-0", "StartingPosition": {"Type": "TRIM_HORIZON"}}
    ]


async def test_a_subscription_that_ends_is_renewed_where_it_ended(stub: Stub) -> None:
    """Five minutes are over: nothing twice, nothing left out."""
    stub.subscriptions = [
        [_event([1, 2], continuation="2")],
        [_event([3], continuation="3")],
    ]

    pages = await _read(stub, Position.after("0"), 3)

    assert [record.position for page in pages for record in page.records] == ["1", "2", "3"]
    assert [asked["StartingPosition"] for asked in stub.asked] == [
        {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "0"},
        {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "2"},
    ]


async def test_the_last_event_of_a_closed_shard_ends_it_with_its_records(stub: Stub) -> None:
    """It has no continuation."""
    stub.subscriptions = [[_event([7], continuation=None)]]

    (page,) = await _read(stub, Position.trim_horizon(), 1)

    assert ([record.position for record in page.records], page.end_of_shard) == (["7"], True)


async def test_latest_subscribes_when_the_shard_is_opened(stub: Stub) -> None:
    """Not at the first read: what comes in between counts."""
    stub.subscriptions = [[]]
    async with Aws() as aws:
        await _open(aws, Position.latest(1.0))

    assert stub.asked[0]["StartingPosition"] == {"Type": "LATEST"}


async def test_a_refused_subscription_is_a_matter_of_pace(stub: Stub) -> None:
    """One call a second for each shard: wait and go on."""
    stub.refused = True
    async with Aws() as aws:
        with pytest.raises(SourceThrottled):
            await _open(aws, Position.trim_horizon())
