"""Kinesis data streams with shared throughput: shards, iterators, and the event Lambda makes of a record."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Raw

from mappings.arns import EventSource
from poller.aws import NO_ACCOUNT, Aws, server_time, source_errors
from poller.calls import Call
from poller.core.payload import encode_json
from poller.core.records import Page, Position, PositionKind, Record, Shard, Topology
from poller.errors import PositionExpired, PositionUnknown, SourceUnavailable
from poller.sources.horizon import Horizon, Standing
from poller.sources.turns import in_turns
from poller.sources.wire import KinesisRecord, decode_kinesis_page, decode_opened, is_given, read, text_of

NOTHING_LEFT = "the checkpoint is not in the shard, which holds no record: what came after it was trimmed"
# Empty pages in a row, each far from the tip, after which the horizon is looked at again.
EMPTY_PAGES = 25
_ARRIVAL = b',"approximateArrivalTimestamp":'
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
            shards += [_shard(entry) for entry in page.get("Shards", ())]
            while token := page.get("NextToken"):
                page = await client.list_shards(NextToken=token)
                shards += [_shard(entry) for entry in page.get("Shards", ())]
        created = summary["StreamDescriptionSummary"]["StreamCreationTimestamp"]
        return Topology(
            incarnation=str(int(created.timestamp() * 1000)),
            shards=tuple(shards),
            server_time=server_time(summary),
        )

    async def open(self, shard: Shard, after: Position) -> "KinesisReader":
        """Get an iterator at a position.

        Where the position was trimmed Kinesis gives one at the horizon, and does not say so: the horizon is
        looked at here, and by the reader until it is known whether the position holds.
        """
        if after.sequence_number is None:
            return self._reader(shard, await self._iterator(shard, after))
        refusal: PositionUnknown | None = None
        iterator = ""
        try:
            iterator = await self._iterator(shard, after)
        except PositionUnknown as error:
            refusal = error
        reader = self._reader(shard, iterator, self._look_from_horizon, refusal)
        await reader.check(after.sequence_number)
        return reader

    async def _look_from_horizon(self, shard: Shard, after: str) -> Horizon:
        iterator = await self._iterator(shard, Position.trim_horizon())
        reader = self._reader(shard, iterator)
        return Horizon(reader, after, place=f"{self._stream.name}/{shard.id}")

    def _reader(
        self,
        shard: Shard,
        iterator: str,
        look: "LookFromHorizon | None" = None,
        refusal: PositionUnknown | None = None,
    ) -> "KinesisReader":
        assert self._calls is not None
        reading = self._calls.get_records
        return KinesisReader(self._stream, shard, reading, iterator, self._routing, look, refusal)

    async def _iterator(self, shard: Shard, after: Position) -> str:
        request = {**self._which, "ShardId": shard.id, **_iterator_request(after)}
        place = f"{self._stream.name}/{shard.id}"
        with source_errors(place):
            if self._calls is None:
                self._calls = await self._make_calls(request)
            answer = read(decode_opened, (await self._calls.get_shard_iterator(request)).body)
        if answer.ShardIterator is None:
            raise SourceUnavailable(f"GetShardIterator on {place}: the answer has no ShardIterator")
        return answer.ShardIterator

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


LookFromHorizon = Callable[[Shard, str], Awaitable[Horizon]]
"""Begins to look, from the horizon of a shard, whether a sequence number still lies in it."""


class KinesisReader:
    """An open shard."""

    def __init__(
        self,
        stream: EventSource,
        shard: Shard,
        get_records: Call,
        iterator: str,
        routing: Mapping[str, str],
        look: LookFromHorizon | None = None,
        refusal: PositionUnknown | None = None,
    ) -> None:
        """Make it.

        Args:
            stream: The stream.
            shard: The shard.
            get_records: The call.
            iterator: Where to begin; nothing with a `refusal`.
            routing: What each request names beside the iterator.
            look: For a reader that begins after a sequence number.
            refusal: What Kinesis said where it gave no iterator there.
        """
        self._shard = shard
        self._place = f"{stream.name}/{shard.id}"
        self._get_records = get_records
        self._iterator: str | None = iterator
        self._routing = routing
        self._look = look
        self._refusal = refusal
        self._horizon: Horizon | None = None
        self._after = ""
        self._empty_pages = 0
        self._events = KinesisEvents(stream, shard.id)

    async def check(self, after: str) -> None:
        """Begin to look whether a sequence number still lies in the shard. Raises PositionExpired."""
        self._after = after
        self._empty_pages = 0
        if self._look is not None:
            self._horizon = await self._look(self._shard, after)
            await self._follow_horizon()

    async def receive(self, limit: int, wait_s: float) -> Page:  # noqa: ARG002  # Kinesis answers at once
        """Read the next page; nothing of it until it is known where the shard's horizon is."""
        if self._horizon is not None:
            await self._follow_horizon()
            return Page(behind=True)
        if self._iterator is None:
            return Page(end_of_shard=True)
        request = {"ShardIterator": self._iterator, "Limit": limit, **self._routing}
        with source_errors(self._place):
            reply = await self._get_records(request)
            answer = read(decode_kinesis_page, reply.body)
        self._iterator = answer.NextShardIterator
        found, behind_ms = answer.Records or [], answer.MillisBehindLatest
        unknown_at = time.time() if reply.served_at is None else reply.served_at
        page = Page(
            records=await in_turns(found, lambda some: self._events.records(some, unknown_at)),
            behind=bool(behind_ms),
            behind_s=None if behind_ms is None else behind_ms / 1000,
            end_of_shard=self._iterator is None,
            source_bytes=_data_bytes(found),
            served_at=reply.served_at,
        )
        await self._doubt(page)
        return page

    async def _follow_horizon(self) -> None:
        assert self._horizon is not None
        standing = await self._horizon.look()
        if standing is Standing.OPEN:
            return
        self._horizon = None
        if self._refusal is not None:
            empty = standing is Standing.EMPTY
            raise PositionExpired(f"{self._place}: {NOTHING_LEFT}") if empty else self._refusal

    async def _doubt(self, page: Page) -> None:
        """An iterator of a place that was trimmed meanwhile may give empty pages for ever."""
        if page.records:
            self._after = page.records[-1].receipt
        self._empty_pages = self._empty_pages + 1 if page.behind and not page.records else 0
        if self._empty_pages == EMPTY_PAGES and self._after:
            await self.check(self._after)


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

    def records(self, found: Sequence[KinesisRecord], unknown_at: float) -> list[Record]:
        """Records in order; their keys and data are passed on as they are.

        Args:
            found: As they were read.
            unknown_at: Epoch seconds; the arrival of a record that does not say when that was.
        """
        before_id, behind_id = self._before_id, self._behind_id
        made: list[Record] = []
        told_at: float | None = -1.0
        arrived_at, arrival = unknown_at, b""
        for record in found:
            number, key = record.SequenceNumber, record.PartitionKey
            text = number.encode()
            if record.ApproximateArrivalTimestamp != told_at:  # what was written together shares one
                told_at = record.ApproximateArrivalTimestamp
                arrived_at = unknown_at if told_at is None else told_at
                arrival = b"" if told_at is None else _ARRIVAL + _time_text(told_at)
            event = b"".join(
                (
                    b'{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":',
                    key or b"null",
                    b',"sequenceNumber":"',
                    text,
                    b'","data":',
                    record.Data if is_given(record.Data) else b'""',
                    arrival,
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
    """Return the member; an unencrypted record has none, though emulators write NONE."""
    return b',"encryptionType":' + bytes(kind) if is_given(kind) and bytes(kind) != b'"NONE"' else b""


def _data_bytes(records: Sequence[KinesisRecord]) -> int:
    """Size of their data before it became base64, all but the padding."""
    return sum([max(len(record.Data) - 2, 0) for record in records]) * 3 // 4


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
