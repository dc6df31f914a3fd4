"""What goes over the wire to Kinesis and DynamoDB Streams, and the events made of what comes back."""

import base64
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiohttp import web

from mappings.arns import EventSource
from poller.aws import Aws
from poller.core.records import Position, Record, Shard
from poller.errors import (
    IteratorExpired,
    PositionExpired,
    SourceDenied,
    SourceError,
    SourceGone,
    SourceThrottled,
    SourceUnavailable,
)
from poller.sources.dynamodb import DynamoDbSource
from poller.sources.kinesis import KinesisSource
from tests.contract.stubbing import answering

STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/carts/stream/2024-06-10T19:26:16.525"
ARRIVED = 1704067200.123456


class Stub:
    """Answers each operation with what the test has put there, in turn."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, list[Any]] = {}

    async def answer(self, request: web.Request) -> web.Response:
        operation = request.headers["X-Amz-Target"].split(".")[1]
        self.asked.append((operation, await request.json()))
        answer = self.answers[operation].pop(0)
        if isinstance(answer, str):
            return self._json({"__type": answer, "message": "no"}, 400)
        return self._json(answer, 200)

    @staticmethod
    def _json(body: Any, status: int) -> web.Response:
        return web.Response(text=json.dumps(body), status=status, content_type="application/x-amz-json-1.1")

    def requests(self, operation: str) -> list[dict[str, Any]]:
        return [asked for name, asked in self.asked if name == operation]


@pytest.fixture
async def stub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stub]:
    made = Stub()
    async with answering(made.answer, monkeypatch):
        yield made


def _kinesis_shard(name: str, *parents: str, closed: bool = False) -> dict[str, Any]:
    sequence = {"StartingSequenceNumber": "1"} | ({"EndingSequenceNumber": "2"} if closed else {})
    shard: dict[str, Any] = {
        "ShardId": name,
        "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "9"},
        "SequenceNumberRange": sequence,
    }
    names = ("ParentShardId", "AdjacentParentShardId")
    return shard | dict(zip(names, parents, strict=False))


SUMMARY = {"StreamDescriptionSummary": {"StreamCreationTimestamp": 1600000000.5}}


async def test_kinesis_shards_are_listed_page_by_page_with_both_parents(stub: Stub) -> None:
    """The token alone asks for the next page; the incarnation is the time of creation."""
    stub.answers = {
        "DescribeStreamSummary": [SUMMARY],
        "ListShards": [
            {
                "Shards": [_kinesis_shard("a", closed=True), _kinesis_shard("b", closed=True)],
                "NextToken": "t",
            },
            {"Shards": [_kinesis_shard("c", "a", "b")]},
        ],
    }
    async with Aws() as aws:
        topology = await KinesisSource(EventSource.parse(STREAM), aws).discover()

    assert stub.requests("ListShards") == [{"StreamARN": STREAM}, {"NextToken": "t"}]
    assert topology.incarnation == "1600000000500"
    assert [(s.id, s.parents, s.closed) for s in topology.shards] == [
        ("a", (), True),
        ("b", (), True),
        ("c", ("a", "b"), False),
    ]


async def test_a_page_that_fails_discards_the_listing(stub: Stub) -> None:
    """Half a list would look like shards that are gone."""
    stub.answers = {
        "DescribeStreamSummary": [SUMMARY],
        "ListShards": [{"Shards": [_kinesis_shard("a")], "NextToken": "t"}, "LimitExceededException"],
    }
    async with Aws() as aws:
        with pytest.raises(SourceThrottled):
            await KinesisSource(EventSource.parse(STREAM), aws).discover()


@pytest.mark.parametrize(
    ("position", "request_"),
    [
        (Position.trim_horizon(), {"ShardIteratorType": "TRIM_HORIZON"}),
        (Position.latest(5.0), {"ShardIteratorType": "LATEST"}),
        (Position.at_timestamp(12.5), {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 12.5}),
        (
            Position.after("49"),
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "49"},
        ),
    ],
    ids=str,
)
async def test_kinesis_iterators_are_asked_for_at_the_position(
    stub: Stub, position: Position, request_: dict[str, Any], *, hot_path: bool
) -> None:
    """Each kind with its own member (semantics 9.31)."""
    stub.answers = {
        "DescribeStreamSummary": [SUMMARY],
        "ListShards": [{"Shards": [_kinesis_shard("a")]}],
        "GetShardIterator": [{"ShardIterator": "i"}, {"ShardIterator": "horizon"}],
        "GetRecords": [{"Records": []}],
    }
    async with Aws(hot_path=hot_path) as aws:
        source = KinesisSource(EventSource.parse(STREAM), aws)
        (shard,) = (await source.discover()).shards
        await source.open(shard, position)

    assert stub.requests("GetShardIterator")[0] == {"StreamARN": STREAM, "ShardId": "a", **request_}


@pytest.mark.parametrize(("oldest", "trimmed"), [([], False), ([40], False), ([49], False), ([50], True)])
async def test_a_position_before_the_horizon_of_kinesis_is_told(
    stub: Stub, oldest: list[int], *, trimmed: bool, hot_path: bool
) -> None:
    """Kinesis goes on at the horizon without a word: the oldest record is looked at (semantics 3.2.4)."""
    stub.answers = {
        "DescribeStreamSummary": [SUMMARY],
        "ListShards": [{"Shards": [_kinesis_shard("a")]}],
        "GetShardIterator": [{"ShardIterator": "i"}, {"ShardIterator": "horizon"}],
        "GetRecords": [{"Records": [_record(number) for number in oldest], "NextShardIterator": "j"}],
    }
    async with Aws(hot_path=hot_path) as aws:
        source = KinesisSource(EventSource.parse(STREAM), aws)
        (shard,) = (await source.discover()).shards
        if trimmed:
            with pytest.raises(PositionExpired, match="may have been trimmed"):
                await source.open(shard, Position.after("49"))
        else:
            await source.open(shard, Position.after("49"))

    assert stub.requests("GetRecords") == [{"ShardIterator": "horizon", "Limit": 1, "StreamARN": STREAM}]


def _record(number: int) -> dict[str, Any]:
    return {
        "SequenceNumber": str(number),
        "ApproximateArrivalTimestamp": 1704067200.123,
        "Data": base64.b64encode(b"x").decode(),
        "PartitionKey": "k",
    }


async def test_the_last_page_of_a_closed_shard_carries_its_records(stub: Stub, *, hot_path: bool) -> None:
    """A null iterator ends the shard after these, not before (faults 33)."""
    stub.answers = {
        "DescribeStreamSummary": [SUMMARY],
        "ListShards": [{"Shards": [_kinesis_shard("a")]}],
        "GetShardIterator": [{"ShardIterator": "i"}],
        "GetRecords": [
            {"Records": [], "NextShardIterator": "j", "MillisBehindLatest": 5000},
            {"Records": [_record(7)], "MillisBehindLatest": 0},
        ],
    }
    async with Aws(hot_path=hot_path) as aws:
        source = KinesisSource(EventSource.parse(STREAM), aws)
        (shard,) = (await source.discover()).shards
        reader = await source.open(shard, Position.trim_horizon())
        empty = await reader.receive(100, 0.0)
        last = await reader.receive(100, 0.0)

    assert (list(empty.records), empty.behind, empty.end_of_shard) == ([], True, False)
    assert ([r.position for r in last.records], last.end_of_shard, last.source_bytes) == (["7"], True, 3)
    assert [asked["ShardIterator"] for asked in stub.requests("GetRecords")] == ["i", "j"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ExpiredIteratorException", IteratorExpired),
        ("ProvisionedThroughputExceededException", SourceThrottled),
        ("ResourceNotFoundException", SourceGone),
        ("KMSAccessDeniedException", SourceDenied),
        ("AccessDeniedException", SourceDenied),
        ("TrimmedDataAccessException", PositionExpired),
        ("InternalFailure", SourceUnavailable),
    ],
)
async def test_error_codes_say_who_reacts(
    stub: Stub, code: str, expected: type[SourceError], *, hot_path: bool
) -> None:
    """One request goes out for each read."""
    stub.answers = {
        "DescribeStreamSummary": [SUMMARY],
        "ListShards": [{"Shards": [_kinesis_shard("a")]}],
        "GetShardIterator": [{"ShardIterator": "i"}],
        "GetRecords": [code],
    }
    async with Aws(hot_path=hot_path) as aws:
        source = KinesisSource(EventSource.parse(STREAM), aws)
        (shard,) = (await source.discover()).shards
        reader = await source.open(shard, Position.trim_horizon())
        with pytest.raises(expected):
            await reader.receive(100, 0.0)

    assert len(stub.requests("GetRecords")) == 1


async def test_dynamodb_shards_are_listed_page_by_page(stub: Stub) -> None:
    """By the last shard of each page; the incarnation is the stream's label."""
    a, b = "shardId-00000001573689847184-a", "shardId-00000001573689847184-b"
    first = {"ShardId": a, "SequenceNumberRange": {"EndingSequenceNumber": "2"}}
    second = {"ShardId": b, "ParentShardId": a, "SequenceNumberRange": {}}
    stub.answers = {
        "DescribeStream": [
            {"StreamDescription": {"Shards": [first], "LastEvaluatedShardId": a}},
            {"StreamDescription": {"Shards": [second]}},
        ],
    }
    async with Aws() as aws:
        topology = await DynamoDbSource(EventSource.parse(TABLE), aws).discover()

    assert stub.requests("DescribeStream") == [
        {"StreamArn": TABLE},
        {"StreamArn": TABLE, "ExclusiveStartShardId": a},
    ]
    assert topology.incarnation == "2024-06-10T19:26:16.525"
    assert [(s.id, s.parents, s.closed) for s in topology.shards] == [(a, (), True), (b, (a,), False)]


async def _kinesis_event(stub: Stub, record: dict[str, Any], *, hot_path: bool) -> dict[str, Any]:
    stub.answers = {
        "GetShardIterator": [{"ShardIterator": "i"}],
        "GetRecords": [{"Records": [record], "NextShardIterator": "j"}],
    }
    async with Aws(hot_path=hot_path) as aws:
        source = KinesisSource(EventSource.parse(STREAM), aws)
        reader = await source.open(Shard(id="shardId-000000000006"), Position.trim_horizon())
        (read,) = (await reader.receive(1, 0.0)).records
    event: dict[str, Any] = json.loads(read.event)
    return event


async def test_the_kinesis_reference_event_comes_out(stub: Stub, *, hot_path: bool) -> None:
    """Semantics 3.13: members, order, milliseconds."""
    record = {
        "SequenceNumber": "4959",
        "ApproximateArrivalTimestamp": ARRIVED,
        "Data": "SGVsbG8=",
        "PartitionKey": 'a "key"',
    }

    event = await _kinesis_event(stub, record, hot_path=hot_path)

    assert event == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": 'a "key"',
            "sequenceNumber": "4959",
            "data": "SGVsbG8=",
            "approximateArrivalTimestamp": 1704067200.123,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000006:4959",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/poller",
        "awsRegion": "eu-west-1",
        "eventSourceARN": STREAM,
    }


@pytest.mark.parametrize(("told", "shown"), [("KMS", "KMS"), ("NONE", None)])
async def test_only_an_encrypted_kinesis_record_says_so(
    stub: Stub, *, hot_path: bool, told: str, shown: str | None
) -> None:
    """AWS's events of an unencrypted stream have no such member (semantics 3.13.1)."""
    record = {
        "SequenceNumber": "1",
        "ApproximateArrivalTimestamp": ARRIVED,
        "Data": "",
        "PartitionKey": "1",
        "EncryptionType": told,
    }

    event = await _kinesis_event(stub, record, hot_path=hot_path)

    assert event["kinesis"].get("encryptionType") == shown


CHANGE: dict[str, Any] = {
    "eventID": "c4ca4238a0b923820dcc509a6f75849b",
    "eventName": "REMOVE",
    "eventVersion": "1.1",
    "eventSource": "aws:dynamodb",
    "awsRegion": "eu-west-1",
    "dynamodb": {
        "ApproximateCreationDateTime": 1700000000,
        "Keys": {"Id": {"N": "101"}},
        "OldImage": {
            "Id": {"N": "101"},
            "raw": {"B": "AAE="},
            "raws": {"BS": ["Ag=="]},
            "empty": {"M": {}},
        },
        "SequenceNumber": "4421584500000000017450439092",
        "SizeBytes": 59,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    },
    "userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"},
}


async def _changes(stub: Stub, *changes: dict[str, Any], hot_path: bool) -> Sequence[Record]:
    stub.answers = {
        "GetShardIterator": [{"ShardIterator": "i"}],
        "GetRecords": [{"Records": list(changes), "NextShardIterator": "j"}],
    }
    async with Aws(hot_path=hot_path) as aws:
        source = DynamoDbSource(EventSource.parse(TABLE), aws)
        shard = Shard(id="shardId-00000001573689847184-a")
        reader = await source.open(shard, Position.trim_horizon())
        return (await reader.receive(10, 0.0)).records


async def test_the_dynamodb_reference_event_comes_out(stub: Stub, *, hot_path: bool) -> None:
    """Semantics 4.10 to 4.13: epoch numbers, base64, lower-case identity, images as they are."""
    (record,) = await _changes(stub, CHANGE, hot_path=hot_path)

    assert json.loads(record.event) == {
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1700000000.0,
            "Keys": {"Id": {"N": "101"}},
            "OldImage": {
                "Id": {"N": "101"},
                "raw": {"B": "AAE="},
                "raws": {"BS": ["Ag=="]},
                "empty": {"M": {}},
            },
            "SequenceNumber": "4421584500000000017450439092",
            "SizeBytes": 59,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
        "eventSourceARN": TABLE,
    }


async def test_the_order_key_of_a_change_is_its_items_key(stub: Stub, *, hot_path: bool) -> None:
    """Changes of one item share a lane (semantics 4.15)."""
    other = {**CHANGE, "dynamodb": {**CHANGE["dynamodb"], "Keys": {"Id": {"N": "102"}}}}

    records = await _changes(stub, CHANGE, other, CHANGE, hot_path=hot_path)

    first, second, third = (record.order_key for record in records)
    assert first == third
    assert first != second
