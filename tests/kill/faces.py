"""The fakes as AWS's JSON protocols show them: one face per service, for the calls that the poller makes.

Names on the wire differ where the SDK checks lengths: a shard of DynamoDB has at least 28 characters.
"""

import copy
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from poller.core.records import Position, PositionKind, Record, Shard
from tests.fakes.sqs import FakeQueue, FakeQueueSource
from tests.fakes.stream_source import FakeStreamSource
from tests.fakes.streams import FakeStream, FakeStreamReader

Json = dict[str, Any]
Operation = Callable[[Json, str], Awaitable[Json]]
"""Takes a request and the name of the process that makes it."""

SHARD_ID_LENGTH = len("shardId-000000000000")
DYNAMODB_SUFFIX = "-00000000"


def incarnation_time(incarnation: str) -> float:
    """When a stream was created: its incarnations are numbered, and AWS tells them apart by their time."""
    return 1_700_000_000.0 + int(incarnation.rpartition("/")[2])


class QueueFace:
    """SQS."""

    def __init__(self, queue: FakeQueue) -> None:
        self._queue = queue
        self.operations: Mapping[str, Operation] = {
            "AmazonSQS.GetQueueUrl": self._get_queue_url,
            "AmazonSQS.GetQueueAttributes": self._get_queue_attributes,
            "AmazonSQS.ReceiveMessage": self._receive_message,
            "AmazonSQS.DeleteMessageBatch": self._delete_message_batch,
            "AmazonSQS.ChangeMessageVisibilityBatch": self._change_message_visibility_batch,
        }

    async def _get_queue_url(self, request: Json, process: str) -> Json:
        return {"QueueUrl": f"http://127.0.0.1/123456789012/{request['QueueName']}"}

    async def _get_queue_attributes(self, request: Json, process: str) -> Json:
        seconds = str(int(self._queue.visibility_timeout_s))
        return {"Attributes": {"VisibilityTimeout": seconds, "CreatedTimestamp": "1700000000"}}

    async def _receive_message(self, request: Json, process: str) -> Json:
        reader = await self._reader(process)
        page = await reader.receive(request["MaxNumberOfMessages"], request["WaitTimeSeconds"])
        return {"Messages": [_message(record) for record in page.records]}

    async def _delete_message_batch(self, request: Json, process: str) -> Json:
        entries = _entries(request)
        failed = (await (await self._reader(process)).delete(list(entries))).again
        return {
            "Successful": [{"Id": name} for record, name in entries.items() if record not in failed],
            "Failed": [
                {"Id": entries[record], "Code": "InternalError", "SenderFault": False} for record in failed
            ],
        }

    async def _change_message_visibility_batch(self, request: Json, process: str) -> Json:
        entries = _entries(request)
        (seconds,) = {entry["VisibilityTimeout"] for entry in request["Entries"]}
        lost = (await (await self._reader(process)).hide(list(entries), seconds)).lost
        return {
            "Successful": [{"Id": name} for record, name in entries.items() if record not in lost],
            "Failed": [
                {"Id": entries[record], "Code": "MessageNotInflight", "SenderFault": True} for record in lost
            ],
        }

    async def _reader(self, process: str) -> Any:
        source = FakeQueueSource(self._queue, process=process)
        return await source.open(Shard(id="queue"), Position.trim_horizon())


class _Iterators:
    """Iterators as AWS has them: each stays where it was issued, however often it is used."""

    def __init__(self, stream: FakeStream) -> None:
        self._stream = stream
        self._issued: dict[str, FakeStreamReader] = {}

    async def issue(self, shard: str, request: Json, process: str) -> Json:
        source = FakeStreamSource(self._stream, process=process)
        reader = await source.open(Shard(id=shard), _position(request))
        return {"ShardIterator": self._name(reader)}

    async def read(self, request: Json) -> tuple[list[Record], Json, bool]:
        """The records of a page, its `NextShardIterator`, and whether more is there."""
        reader = copy.copy(self._issued[request["ShardIterator"]])
        page = await reader.receive(request["Limit"], 0.0)
        following = {} if page.end_of_shard else {"NextShardIterator": self._name(reader)}
        return list(page.records), following, page.behind

    def _name(self, reader: FakeStreamReader) -> str:
        name = f"{self._stream.place}-{len(self._issued)}"
        self._issued[name] = reader
        return name


class KinesisFace:
    """Kinesis data streams."""

    def __init__(self, stream: FakeStream) -> None:
        self._stream = stream
        self._iterators = _Iterators(stream)
        self.operations: Mapping[str, Operation] = {
            "Kinesis_20131202.DescribeStreamSummary": self._describe_stream_summary,
            "Kinesis_20131202.ListShards": self._list_shards,
            "Kinesis_20131202.GetShardIterator": self._get_shard_iterator,
            "Kinesis_20131202.GetRecords": self._get_records,
        }

    async def _describe_stream_summary(self, request: Json, process: str) -> Json:
        created = incarnation_time(self._stream.incarnation)
        return {"StreamDescriptionSummary": {"StreamCreationTimestamp": created}}

    async def _list_shards(self, request: Json, process: str) -> Json:
        topology = await FakeStreamSource(self._stream, process=process).discover()
        return {"Shards": [_kinesis_shard(shard) for shard in topology.shards]}

    async def _get_shard_iterator(self, request: Json, process: str) -> Json:
        return await self._iterators.issue(request["ShardId"], request, process)

    async def _get_records(self, request: Json, process: str) -> Json:
        records, following, behind = await self._iterators.read(request)
        found = [_kinesis_record(record) for record in records]
        return {"Records": found, "MillisBehindLatest": 1000 if behind else 0, **following}


class DynamoDbFace:
    """DynamoDB Streams."""

    def __init__(self, stream: FakeStream) -> None:
        self._stream = stream
        self._iterators = _Iterators(stream)
        self.operations: Mapping[str, Operation] = {
            "DynamoDBStreams_20120810.DescribeStream": self._describe_stream,
            "DynamoDBStreams_20120810.GetShardIterator": self._get_shard_iterator,
            "DynamoDBStreams_20120810.GetRecords": self._get_records,
        }

    async def _describe_stream(self, request: Json, process: str) -> Json:
        topology = await FakeStreamSource(self._stream, process=process).discover()
        shards = [_dynamodb_shard(shard) for shard in topology.shards]
        return {"StreamDescription": {"StreamStatus": "ENABLED", "Shards": shards}}

    async def _get_shard_iterator(self, request: Json, process: str) -> Json:
        return await self._iterators.issue(request["ShardId"][:SHARD_ID_LENGTH], request, process)

    async def _get_records(self, request: Json, process: str) -> Json:
        records, following, _ = await self._iterators.read(request)
        return {"Records": [_dynamodb_record(record) for record in records], **following}


def _message(record: Record) -> Json:
    event = orjson.loads(record.event)
    return {
        "MessageId": event["messageId"],
        "ReceiptHandle": event["receiptHandle"],
        "Body": event["body"],
        "MD5OfBody": hashlib.md5(event["body"].encode()).hexdigest(),
        "Attributes": event["attributes"],
    }


def _entries(request: Json) -> dict[Record, str]:
    """The messages that the entries of a request mean, and the id of each entry."""
    return {_receipt(entry["ReceiptHandle"]): entry["Id"] for entry in request["Entries"]}


def _receipt(handle: str) -> Record:
    message_id = handle.rpartition("#")[0]
    return Record(
        item_identifier=message_id, event=b"", arrived_at=0.0, order_key=None, position=None, receipt=handle
    )


def _position(request: Json) -> Position:
    kind = PositionKind(request["ShardIteratorType"])
    number = request.get("StartingSequenceNumber", request.get("SequenceNumber"))
    return Position(kind, sequence_number=number, timestamp=request.get("Timestamp"))


def _kinesis_shard(shard: Shard) -> Json:
    names = ("ParentShardId", "AdjacentParentShardId")
    parents = dict(zip(names, shard.parents, strict=False))
    return {"ShardId": shard.id, "SequenceNumberRange": _range(shard), **parents}


def _dynamodb_shard(shard: Shard) -> Json:
    entry = {"ShardId": shard.id + DYNAMODB_SUFFIX, "SequenceNumberRange": _range(shard)}
    if shard.parents:
        entry["ParentShardId"] = shard.parents[0] + DYNAMODB_SUFFIX
    return entry


def _range(shard: Shard) -> Json:
    ending = {"EndingSequenceNumber": "9" * 21} if shard.closed else {}
    return {"StartingSequenceNumber": "1" * 21, **ending}


def _kinesis_record(record: Record) -> Json:
    kinesis = orjson.loads(record.event)["kinesis"]
    return {
        "SequenceNumber": kinesis["sequenceNumber"],
        "ApproximateArrivalTimestamp": record.arrived_at,
        "Data": kinesis["data"],
        "PartitionKey": kinesis["partitionKey"],
    }


def _dynamodb_record(record: Record) -> Json:
    event = orjson.loads(record.event)
    change = {
        **event["dynamodb"],
        "ApproximateCreationDateTime": record.arrived_at,
        "SizeBytes": 100,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    return {
        "eventID": hashlib.md5(record.event).hexdigest(),
        "eventName": event["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": change,
    }
