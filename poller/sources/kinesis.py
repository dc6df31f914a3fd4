"""Kinesis data streams with shared throughput: shards, iterators, and the event Lambda makes of a record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Raw

from mappings.arns import EventSource
from poller.aws import NO_ACCOUNT, Aws, server_time, source_errors
from poller.calls import Call
from poller.core.payload import encode_json
from poller.core.records import Page, Position, PositionKind, Record, Shard, Topology
from poller.errors import PositionExpired
from poller.interfaces import Unsettled
from poller.sources.turns import in_turns
from poller.sources.wire import KinesisRecord, decode_kinesis_page, decode_opened, is_given, read, text_of

_FRACTIONS = [repr(milliseconds / 1000)[1:].encode() for milliseconds in range(1000)]


class KinesisSource:
    """One stream."""

    def __init__(self, stream: EventSource, aws: Aws) -> None:
        self._stream = stream
        self._aws = aws
        # A name finds the stream in the caller's account; another account's needs the ARN.
        named = stream.account == NO_ACCOUNT
        self._which = {"StreamName": stream.name} if named else {"StreamARN": stream.arn}
        # The ARN routes a read; with a plain name the iterator alone says which shard is meant.
        self._routing = {} if named else {"StreamARN": stream.arn}
        self._calls: _Calls | None = None

    async def discover(self) -> Topology:
        """List all shards, page by page, and when the stream was created."""
        client = await self._aws.client("kinesis", self._stream.region)
        shards: list[Shard] = []
        with source_errors(self._stream.name):
            summary = await client.describe_stream_summary(**self._which)
            page = await client.list_shards(**self._which)
            shards += [_shard(entry) for entry in page["Shards"]]
            while token := page.get("NextToken"):
                page = await client.list_shards(NextToken=token)
                shards += [_shard(entry) for entry in page["Shards"]]
        created = summary["StreamDescriptionSummary"]["StreamCreationTimestamp"]
        return Topology(
            incarnation=str(int(created.timestamp() * 1000)),
            shards=tuple(shards),
            server_time=server_time(summary),
        )

    async def open(self, shard: Shard, after: Position) -> "KinesisReader":
        """Get an iterator at a position.

        Kinesis gives one at the horizon where the position was trimmed, and does not say so.
        """
        reader = await self._reader(shard, after)
        if after.sequence_number is not None:
            horizon = await self._reader(shard, Position.trim_horizon())
            oldest = (await horizon.receive(1, 0.0)).records
            if oldest and int(oldest[0].receipt) > int(after.sequence_number):
                raise PositionExpired(
                    f"{self._stream.name}/{shard.id}: the oldest record comes after the checkpoint; "
                    "records between them may have been trimmed"
                )
        return reader

    async def _reader(self, shard: Shard, after: Position) -> "KinesisReader":
        request = {**self._which, "ShardId": shard.id, **_iterator_request(after)}
        with source_errors(f"{self._stream.name}/{shard.id}"):
            if self._calls is None:
                self._calls = await self._make_calls(request)
            answer = read(decode_opened, await self._calls.get_shard_iterator(request))
        reading = self._calls.get_records
        return KinesisReader(self._stream, shard.id, reading, answer.ShardIterator, self._routing)

    async def _make_calls(self, request: Mapping[str, Any]) -> "_Calls":
        region = self._stream.region
        page = {"ShardIterator": "-", "Limit": 1, **self._routing}
        return _Calls(
            get_shard_iterator=await self._aws.call("kinesis", region, "GetShardIterator", request),
            get_records=await self._aws.call("kinesis", region, "GetRecords", page),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """What all shards of a stream are read with."""

    get_shard_iterator: Call
    get_records: Call


class KinesisReader:
    """An open shard."""

    def __init__(
        self, stream: EventSource, shard: str, get_records: Call, iterator: str, routing: Mapping[str, str]
    ) -> None:
        self._stream = stream
        self._shard = shard
        self._get_records = get_records
        self._iterator: str | None = iterator
        self._routing = routing
        self._events = KinesisEvents(stream, shard)

    async def receive(self, limit: int, wait_s: float) -> Page:  # noqa: ARG002  # Kinesis answers at once
        """Read the next page."""
        if self._iterator is None:
            return Page(end_of_shard=True)
        request = {"ShardIterator": self._iterator, "Limit": limit, **self._routing}
        with source_errors(f"{self._stream.name}/{self._shard}"):
            answer = read(decode_kinesis_page, await self._get_records(request))
        self._iterator = answer.NextShardIterator
        return Page(
            records=await in_turns(answer.Records, self._events.records),
            behind=bool(answer.MillisBehindLatest),
            end_of_shard=self._iterator is None,
            source_bytes=_data_bytes(answer.Records),
        )

    async def settle(self, done: Sequence[Record], release: Sequence[Record]) -> Unsettled:  # noqa: ARG002
        """A stream is told nothing: the checkpoint says what is done."""
        return Unsettled()


class KinesisEvents:
    """Makes entries of `Records` from records of one shard, keys in AWS's order (semantics 3.13)."""

    def __init__(self, source: EventSource, shard: str) -> None:
        """Make it.

        Args:
            source: The stream, or the consumer it is read through (semantics 3.3.6).
            shard: Id of the shard.
        """
        opening = {"eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": f"{shard}:"}
        origin = {
            "eventName": "aws:kinesis:record",
            # There is no execution role here; the member is kept, because handlers may parse it.
            "invokeIdentityArn": f"arn:{source.partition}:iam::{source.account}:role/poller",
            "awsRegion": source.region,
            "eventSourceARN": source.arn,
        }
        self._before_id = b"}," + encode_json(opening)[1:-2]
        self._behind_id = b'",' + encode_json(origin)[1:]

    def records(self, found: Sequence[KinesisRecord]) -> list[Record]:
        """Records in order; their keys and data are passed on as they are."""
        before_id, behind_id = self._before_id, self._behind_id
        made: list[Record] = []
        arrived_at, time = -1.0, b""
        for record in found:
            number, key = record.SequenceNumber, record.PartitionKey
            text = number.encode()
            if record.ApproximateArrivalTimestamp != arrived_at:  # what was written together shares one
                arrived_at = record.ApproximateArrivalTimestamp
                time = _time_text(arrived_at)
            event = b"".join(
                (
                    b'{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":',
                    key,
                    b',"sequenceNumber":"',
                    text,
                    b'","data":',
                    record.Data,
                    b',"approximateArrivalTimestamp":',
                    time,
                    _encryption(record.EncryptionType) if record.EncryptionType else b"",
                    before_id,
                    text,
                    behind_id,
                )
            )
            made.append(
                Record(
                    item_identifier=number,
                    event=event,
                    arrived_at=arrived_at,
                    order_key=text_of(key),
                    position=number,
                    receipt=number,
                )
            )
        return made


def _time_text(at: float) -> bytes:
    """Epoch seconds to the millisecond; put together, which takes half as long as to print a float."""
    seconds, milliseconds = divmod(int(at * 1000 + 0.5), 1000)
    return b"%d%b" % (seconds, _FRACTIONS[milliseconds])


def _encryption(kind: Raw) -> bytes:
    return b',"encryptionType":' + bytes(kind) if is_given(kind) else b""


def _data_bytes(records: Sequence[KinesisRecord]) -> int:
    """Size of their data before it became base64, all but the padding."""
    return sum([len(record.Data) - 2 for record in records]) * 3 // 4


def _shard(entry: Mapping[str, Any]) -> Shard:
    parents = (entry.get("ParentShardId"), entry.get("AdjacentParentShardId"))
    return Shard(
        id=entry["ShardId"],
        parents=tuple(parent for parent in parents if parent),
        closed="EndingSequenceNumber" in entry["SequenceNumberRange"],
        hash_range=_hash_range(entry.get("HashKeyRange")),
    )


def _hash_range(entry: Mapping[str, str] | None) -> tuple[int, int] | None:
    return None if entry is None else (int(entry["StartingHashKey"]), int(entry["EndingHashKey"]))


def _iterator_request(after: Position) -> dict[str, Any]:
    request: dict[str, Any] = {"ShardIteratorType": after.kind.value}
    if after.kind is PositionKind.AFTER_SEQUENCE_NUMBER:
        request["StartingSequenceNumber"] = after.sequence_number
    elif after.kind is PositionKind.AT_TIMESTAMP:
        request["Timestamp"] = after.timestamp
    return request
