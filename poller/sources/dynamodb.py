"""DynamoDB Streams: shards, iterators, and the event Lambda makes of a record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Raw

from mappings.arns import EventSource
from poller.aws import Aws, server_time, source_errors
from poller.calls import Call
from poller.core.payload import decode_json, encode_json
from poller.core.records import Page, Position, PositionKind, Record, Shard, Topology
from poller.interfaces import Unsettled
from poller.sources.turns import in_turns
from poller.sources.wire import TableRecord, decode_opened, decode_table_page, read


class DynamoDbSource:
    """One stream of a table."""

    def __init__(self, stream: EventSource, aws: Aws) -> None:
        self._stream = stream
        self._aws = aws
        self._calls: _Calls | None = None

    async def discover(self) -> Topology:
        """List all shards, page by page. A stream is never re-created under the same ARN."""
        client = await self._aws.client("dynamodbstreams", self._stream.region)
        shards: list[Shard] = []
        start: dict[str, str] = {}
        while True:
            with source_errors(self._stream.name):
                answer = await client.describe_stream(StreamArn=self._stream.arn, **start)
            description = answer["StreamDescription"]
            shards += [_shard(entry) for entry in description["Shards"]]
            last = description.get("LastEvaluatedShardId")
            if not last:
                return Topology(
                    incarnation=self._stream.stream_label or "",
                    shards=tuple(shards),
                    server_time=server_time(answer),
                )
            start = {"ExclusiveStartShardId": last}

    async def open(self, shard: Shard, after: Position) -> "DynamoDbReader":
        """Get an iterator at a position.

        The service has no AT_TIMESTAMP: a pinned LATEST is found again by reading from the horizon and
        passing over what is older.
        """
        request = {"StreamArn": self._stream.arn, "ShardId": shard.id, **_iterator_request(after)}
        with source_errors(f"{self._stream.name}/{shard.id}"):
            if self._calls is None:
                self._calls = await self._make_calls(request)
            answer = read(decode_opened, await self._calls.get_shard_iterator(request))
        not_before = after.timestamp if after.kind is PositionKind.AT_TIMESTAMP else None
        return DynamoDbReader(
            self._stream, shard.id, self._calls.get_records, answer.ShardIterator, not_before
        )

    async def _make_calls(self, request: Mapping[str, Any]) -> "_Calls":
        service, region = "dynamodbstreams", self._stream.region
        page = {"ShardIterator": "-", "Limit": 1}
        return _Calls(
            get_shard_iterator=await self._aws.call(service, region, "GetShardIterator", request),
            get_records=await self._aws.call(service, region, "GetRecords", page),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """What all shards of a stream are read with."""

    get_shard_iterator: Call
    get_records: Call


class DynamoDbReader:
    """An open shard."""

    def __init__(
        self, stream: EventSource, shard: str, get_records: Call, iterator: str, not_before: float | None
    ) -> None:
        self._stream = stream
        self._shard = shard
        self._get_records = get_records
        self._iterator: str | None = iterator
        self._not_before = not_before
        self._events = DynamoDbEvents(stream)

    async def receive(self, limit: int, wait_s: float) -> Page:  # noqa: ARG002  # answers at once
        """Read the next page."""
        if self._iterator is None:
            return Page(end_of_shard=True)
        request = {"ShardIterator": self._iterator, "Limit": limit}
        with source_errors(f"{self._stream.name}/{self._shard}"):
            answer = read(decode_table_page, await self._get_records(request))
        self._iterator = answer.NextShardIterator
        pinned = self._not_before is not None
        wanted = [record for record in answer.Records if self._wanted(record)] if pinned else answer.Records
        return Page(
            records=await in_turns(wanted, self._events.records),
            # A page of records that were passed over is no sign of the tip.
            behind=bool(answer.Records) and not wanted,
            end_of_shard=self._iterator is None,
        )

    async def settle(self, done: Sequence[Record], release: Sequence[Record]) -> Unsettled:  # noqa: ARG002
        """A stream is told nothing: the checkpoint says what is done."""
        return Unsettled()

    def _wanted(self, record: TableRecord) -> bool:
        if self._not_before is None:
            return True
        # Creation times are rounded down, to the second by AWS and to the minute by DynamoDB Local: a record
        # in the second or minute of the pin may have come after it.
        created = int(record.dynamodb.ApproximateCreationDateTime)
        unit = 60 if created % 60 == 0 else 1
        return created >= self._not_before // unit * unit


class DynamoDbEvents:
    """Makes entries of `Records` from records of one stream, keys in AWS's order (semantics 4.10 to 4.13)."""

    def __init__(self, stream: EventSource) -> None:
        version = {"eventVersion": "1.1", "eventSource": "aws:dynamodb"}
        self._version = b"," + encode_json(version)[1:-1] + b',"awsRegion":'
        self._region = encode_json(stream.region)
        self._origin = b',"eventSourceARN":' + encode_json(stream.arn) + b"}"

    def records(self, found: Sequence[TableRecord]) -> list[Record]:
        """Changes in order; their keys and images are passed on as they are."""
        version, region, origin = self._version, self._region, self._origin
        made: list[Record] = []
        created_at, time = -1.0, b""
        for record in found:
            change = record.dynamodb
            number = change.SequenceNumber
            if change.ApproximateCreationDateTime != created_at:  # whole seconds: many changes share one
                created_at = change.ApproximateCreationDateTime
                time = repr(created_at).encode()
            event = b"".join(
                (
                    b'{"eventID":',
                    record.event_id,
                    b',"eventName":',
                    record.event_name,
                    version,
                    record.aws_region or region,
                    b',"dynamodb":{"ApproximateCreationDateTime":',
                    time,
                    b',"Keys":',
                    change.Keys,
                    b',"NewImage":' if change.NewImage else b"",
                    change.NewImage,
                    b',"OldImage":' if change.OldImage else b"",
                    change.OldImage,
                    b',"SequenceNumber":"',
                    number.encode(),
                    b'","SizeBytes":' if change.SizeBytes else b'"',
                    change.SizeBytes,
                    b',"StreamViewType":' if change.StreamViewType else b"",
                    change.StreamViewType,
                    b"}",
                    _identity(record.user_identity) if record.user_identity else b"",
                    origin,
                )
            )
            made.append(
                Record(
                    item_identifier=number,
                    event=event,
                    arrived_at=created_at,
                    order_key=str(change.Keys, "utf-8"),
                    position=number,
                    receipt=number,
                )
            )
        return made


def _identity(given: Raw) -> bytes:
    """Who deleted an item that had expired; in the event its names begin in lower case."""
    found = decode_json(bytes(given))
    if not isinstance(found, dict) or not found:
        return b""
    identity = {"type": found.get("Type"), "principalId": found.get("PrincipalId")}
    return b',"userIdentity":' + encode_json(identity)


def _shard(entry: Mapping[str, Any]) -> Shard:
    parent = entry.get("ParentShardId")
    return Shard(
        id=entry["ShardId"],
        parents=(parent,) if parent else (),
        closed="EndingSequenceNumber" in entry["SequenceNumberRange"],
    )


def _iterator_request(after: Position) -> dict[str, str]:
    match after.kind:
        case PositionKind.AFTER_SEQUENCE_NUMBER:
            return {
                "ShardIteratorType": after.kind.value,
                "SequenceNumber": after.sequence_number or "",
            }
        case PositionKind.LATEST:
            return {"ShardIteratorType": after.kind.value}
        case _:
            return {"ShardIteratorType": PositionKind.TRIM_HORIZON.value}
