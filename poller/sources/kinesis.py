"""Kinesis data streams with shared throughput: shards, iterators, and the event Lambda makes of a record."""

from collections.abc import Mapping, Sequence
from typing import Any

from mappings.arns import EventSource
from poller.aws import NO_ACCOUNT, Aws, server_time, source_errors
from poller.core.payload import encode_json
from poller.core.records import Page, Position, PositionKind, Record, Shard, Topology
from poller.errors import PositionExpired
from poller.interfaces import Unsettled


class KinesisSource:
    """One stream."""

    def __init__(self, stream: EventSource, aws: Aws) -> None:
        self._stream = stream
        self._aws = aws
        # A name finds the stream in the caller's account; another account's needs the ARN.
        named = stream.account == NO_ACCOUNT
        self._which = {"StreamName": stream.name} if named else {"StreamARN": stream.arn}

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
        client = await self._aws.client("kinesis", self._stream.region)
        with source_errors(f"{self._stream.name}/{shard.id}"):
            answer = await client.get_shard_iterator(
                **self._which, ShardId=shard.id, **_iterator_request(after)
            )
        return KinesisReader(self._stream, shard.id, client, answer["ShardIterator"], self._which)


class KinesisReader:
    """An open shard."""

    def __init__(
        self, stream: EventSource, shard: str, client: Any, iterator: str, which: Mapping[str, str]
    ) -> None:
        self._stream = stream
        self._shard = shard
        self._client = client
        self._iterator: str | None = iterator
        # The ARN routes the call; with a plain name the iterator alone says which shard is meant.
        self._which = {key: value for key, value in which.items() if key == "StreamARN"}

    async def receive(self, limit: int, wait_s: float) -> Page:  # noqa: ARG002  # Kinesis answers at once
        """Read the next page."""
        if self._iterator is None:
            return Page(end_of_shard=True)
        with source_errors(f"{self._stream.name}/{self._shard}"):
            answer = await self._client.get_records(ShardIterator=self._iterator, Limit=limit, **self._which)
        self._iterator = answer.get("NextShardIterator")
        return Page(
            records=[kinesis_record(record, self._stream, self._shard) for record in answer["Records"]],
            behind=bool(answer.get("MillisBehindLatest")),
            end_of_shard=self._iterator is None,
            source_bytes=sum(len(record["Data"]) for record in answer["Records"]),
        )

    async def settle(self, done: Sequence[Record], release: Sequence[Record]) -> Unsettled:  # noqa: ARG002
        """A stream is told nothing: the checkpoint says what is done."""
        return Unsettled()


def kinesis_record(record: Mapping[str, Any], source: EventSource, shard: str) -> Record:
    """A record as the API gives it, read from a stream or through a consumer."""
    return Record(
        item_identifier=record["SequenceNumber"],
        event=encode_json(kinesis_event(record, source, shard)),
        arrived_at=record["ApproximateArrivalTimestamp"].timestamp(),
        order_key=record["PartitionKey"],
        position=record["SequenceNumber"],
        receipt=record["SequenceNumber"],
    )


def kinesis_event(record: Mapping[str, Any], source: EventSource, shard: str) -> dict[str, Any]:
    """One entry of `Records`, keys in AWS's order (semantics 3.13)."""
    kinesis = {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": record["PartitionKey"],
        "sequenceNumber": record["SequenceNumber"],
        "data": record["Data"],
        "approximateArrivalTimestamp": round(record["ApproximateArrivalTimestamp"].timestamp(), 3),
    }
    if "EncryptionType" in record:
        kinesis["encryptionType"] = record["EncryptionType"]
    return {
        "kinesis": kinesis,
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        # There is no execution role here; the member is kept, because handlers may parse it.
        "invokeIdentityArn": f"arn:{source.partition}:iam::{source.account}:role/poller",
        "awsRegion": source.region,
        # Through a consumer it is the consumer's ARN (semantics 3.3.6).
        "eventSourceARN": source.arn,
    }


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
