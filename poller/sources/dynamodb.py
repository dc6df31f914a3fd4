"""DynamoDB Streams: shards, iterators, and the event Lambda makes of a record."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Raw

from mappings.arns import EventSource
from poller.aws import Aws, server_time, source_errors
from poller.calls import Call
from poller.core.payload import decode_json, encode_json
from poller.core.records import Page, Position, PositionKind, Record, Shard, Topology
from poller.errors import SourceUnavailable
from poller.sources.turns import in_turns
from poller.sources.wire import TableRecord, decode_opened, decode_table_page, given, is_given, read

MINUTE_S = 60


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
            description = answer.get("StreamDescription", {})
            shards += [_shard(entry) for entry in description.get("Shards", ())]
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
            answer = read(decode_opened, (await self._calls.get_shard_iterator(request)).body)
        if answer.ShardIterator is None:
            place = f"{self._stream.name}/{shard.id}"
            raise SourceUnavailable(f"GetShardIterator on {place}: the answer has no ShardIterator")
        not_before = after.timestamp if after.kind is PositionKind.AT_TIMESTAMP else None
        return DynamoDbReader(self._stream, shard.id, self._calls, answer.ShardIterator, not_before)

    async def _make_calls(self, request: Mapping[str, Any]) -> "_Calls":
        service, region = "dynamodbstreams", self._stream.region
        page = {"ShardIterator": "-", "Limit": 1}
        return _Calls(
            get_shard_iterator=await self._aws.call(service, region, "GetShardIterator", request),
            get_records=await self._aws.call(service, region, "GetRecords", page),
            by_aws=await self._aws.serves(service, region),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """What all shards of a stream are read with."""

    get_shard_iterator: Call
    get_records: Call
    by_aws: bool
    """Whether AWS answers, and no server that stands in for it."""


class DynamoDbReader:
    """An open shard."""

    def __init__(
        self, stream: EventSource, shard: str, calls: _Calls, iterator: str, not_before: float | None
    ) -> None:
        self._stream = stream
        self._shard = shard
        self._calls = calls
        self._iterator: str | None = iterator
        self._not_before = not_before
        self._events = DynamoDbEvents(stream, by_aws=calls.by_aws)

    async def receive(self, limit: int, wait_s: float) -> Page:  # noqa: ARG002  # answers at once
        """Read the next page."""
        if self._iterator is None:
            return Page(end_of_shard=True)
        request = {"ShardIterator": self._iterator, "Limit": limit}
        with source_errors(f"{self._stream.name}/{self._shard}"):
            reply = await self._calls.get_records(request)
            answer = read(decode_table_page, reply.body)
        self._iterator = answer.NextShardIterator
        found = answer.Records or []
        pinned = self._not_before is not None
        wanted = [record for record in found if self._wanted(record)] if pinned else found
        unknown_at = time.time() if reply.served_at is None else reply.served_at
        return Page(
            records=await in_turns(wanted, lambda some: self._events.records(some, unknown_at)),
            # A page of records that were passed over is no sign of the tip.
            behind=bool(found) and not wanted,
            end_of_shard=self._iterator is None,
            served_at=reply.served_at,
        )

    def _wanted(self, record: TableRecord) -> bool:
        created = record.dynamodb.ApproximateCreationDateTime
        if self._not_before is None or created is None:
            return True
        # Creation times are rounded down, to the second by AWS and to the minute by DynamoDB Local: a record
        # in the second or minute of the pin may have come after it.
        unit = MINUTE_S if self._events.in_minutes(created) else 1
        return int(created) >= self._not_before // unit * unit


class DynamoDbEvents:
    """Makes entries of `Records` from records of one stream, keys in AWS's order (semantics 4.10 to 4.13)."""

    def __init__(self, stream: EventSource, *, by_aws: bool) -> None:
        """Make it.

        Args:
            stream: The stream.
            by_aws: Whether AWS serves it, whose creation times are whole seconds.
        """
        self._by_aws = by_aws
        version = {"eventVersion": "1.1", "eventSource": "aws:dynamodb"}
        self._version = encode_json(version)[1:-1] + b',"awsRegion":'
        self._region = encode_json(stream.region)
        self._origin = b',"eventSourceARN":' + encode_json(stream.arn) + b"}"

    def in_minutes(self, created: float) -> bool:
        """Whether a creation time may have been rounded down to the minute, as DynamoDB Local does."""
        return not self._by_aws and created % MINUTE_S == 0

    def records(self, found: Sequence[TableRecord], unknown_at: float) -> list[Record]:
        """Changes in order; their keys and images are passed on as they are.

        Args:
            found: As they were read.
            unknown_at: Epoch seconds; the creation of a change that does not say when that was.
        """
        version, region, origin = self._version, self._region, self._origin
        made: list[Record] = []
        told_at: float | None = -1.0
        created_at, creation = unknown_at, b""
        for record in found:
            change = record.dynamodb
            number = change.SequenceNumber
            if change.ApproximateCreationDateTime != told_at:  # whole seconds: many changes share one
                told_at = change.ApproximateCreationDateTime
                created_at = unknown_at if told_at is None else self._latest_creation(told_at)
                creation = b"" if told_at is None else b'"ApproximateCreationDateTime":%a,' % told_at
            keys = given(change.Keys)
            event = b"".join(
                (
                    b"{",
                    _member(b'"eventID":', record.event_id),
                    _member(b'"eventName":', record.event_name),
                    version,
                    given(record.aws_region) or region,
                    b',"dynamodb":{',
                    creation,
                    _member(b'"Keys":', change.Keys),
                    _member(b'"NewImage":', change.NewImage),
                    _member(b'"OldImage":', change.OldImage),
                    b'"SequenceNumber":"',
                    number.encode(),
                    b'"' if change.SizeBytes is None else b'","SizeBytes":%d' % change.SizeBytes,
                    b',"StreamViewType":' + bytes(change.StreamViewType)
                    if is_given(change.StreamViewType)
                    else b"",
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
                    order_key=keys.decode() if keys else None,
                    position=number,
                    receipt=number,
                )
            )
        return made

    def _latest_creation(self, told_at: float) -> float:
        """The latest time at which a change was made: no change is taken to be older than it is."""
        return told_at + MINUTE_S if self.in_minutes(told_at) else told_at


def _member(name: bytes, value: Raw) -> bytes:
    """A member and a comma; nothing where it is absent or null."""
    return name + bytes(value) + b"," if is_given(value) else b""


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
        closed="EndingSequenceNumber" in entry.get("SequenceNumberRange", {}),
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
