"""DynamoDB Streams: shards, iterators, and the event Lambda makes of a record."""

from collections.abc import Mapping, Sequence
from typing import Any

from mappings.arns import EventSource
from poller.aws import Aws, server_time, source_errors
from poller.core.payload import encode_json
from poller.core.records import Page, Position, PositionKind, Record, Shard, Topology
from poller.interfaces import Unsettled


class DynamoDbSource:
    """One stream of a table."""

    def __init__(self, stream: EventSource, aws: Aws) -> None:
        self._stream = stream
        self._aws = aws

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
        client = await self._aws.client("dynamodbstreams", self._stream.region)
        with source_errors(f"{self._stream.name}/{shard.id}"):
            answer = await client.get_shard_iterator(
                StreamArn=self._stream.arn, ShardId=shard.id, **_iterator_request(after)
            )
        not_before = after.timestamp if after.kind is PositionKind.AT_TIMESTAMP else None
        return DynamoDbReader(self._stream, shard.id, client, answer["ShardIterator"], not_before)


class DynamoDbReader:
    """An open shard."""

    def __init__(
        self, stream: EventSource, shard: str, client: Any, iterator: str, not_before: float | None
    ) -> None:
        self._stream = stream
        self._shard = shard
        self._client = client
        self._iterator: str | None = iterator
        self._not_before = not_before

    async def receive(self, limit: int, wait_s: float) -> Page:  # noqa: ARG002  # answers at once
        """Read the next page."""
        if self._iterator is None:
            return Page(end_of_shard=True)
        with source_errors(f"{self._stream.name}/{self._shard}"):
            answer = await self._client.get_records(ShardIterator=self._iterator, Limit=limit)
        self._iterator = answer.get("NextShardIterator")
        found = answer["Records"]
        records = [self._record(record) for record in found if self._wanted(record)]
        # A page of records that were passed over is no sign of the tip.
        behind = bool(found) and not records
        return Page(records=records, behind=behind, end_of_shard=self._iterator is None)

    async def settle(self, done: Sequence[Record], release: Sequence[Record]) -> Unsettled:  # noqa: ARG002
        """A stream is told nothing: the checkpoint says what is done."""
        return Unsettled()

    def _wanted(self, record: Mapping[str, Any]) -> bool:
        if self._not_before is None:
            return True
        # Creation times are rounded down, to the second by AWS and to the minute by DynamoDB Local: a record
        # in the second or minute of the pin may have come after it.
        created = int(_created_at(record))
        unit = 60 if created % 60 == 0 else 1
        return created >= self._not_before // unit * unit

    def _record(self, record: Mapping[str, Any]) -> Record:
        change = record["dynamodb"]
        return Record(
            item_identifier=change["SequenceNumber"],
            event=encode_json(dynamodb_event(record, self._stream)),
            arrived_at=_created_at(record),
            order_key=encode_json(change["Keys"]).decode(),
            position=change["SequenceNumber"],
            receipt=change["SequenceNumber"],
        )


def dynamodb_event(record: Mapping[str, Any], stream: EventSource) -> dict[str, Any]:
    """One entry of `Records`, keys in AWS's order (semantics 4.10 to 4.13)."""
    change = dict(record["dynamodb"])
    change["ApproximateCreationDateTime"] = _created_at(record)
    order = (
        "ApproximateCreationDateTime",
        "Keys",
        "NewImage",
        "OldImage",
        "SequenceNumber",
        "SizeBytes",
        "StreamViewType",
    )
    event: dict[str, Any] = {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": record.get("awsRegion", stream.region),
        "dynamodb": {name: change[name] for name in order if name in change},
    }
    identity = record.get("userIdentity")
    if identity:
        event["userIdentity"] = {"type": identity.get("Type"), "principalId": identity.get("PrincipalId")}
    event["eventSourceARN"] = stream.arn
    return event


def _created_at(record: Mapping[str, Any]) -> float:
    created: float = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
    return created


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
