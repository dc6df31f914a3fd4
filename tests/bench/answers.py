"""Bodies of the stub's answers, joined from pieces that were encoded once."""

import base64
from collections.abc import Sequence

import orjson

from tests.bench.workloads import LABEL, REGION, Workload

ARRIVED = 1767225600.123
# Digits a record's number is written with; sequence numbers of a shard begin with the shard's own three.
DIGITS = b"%012d"


def message_pieces(record_bytes: int) -> tuple[bytes, bytes, bytes]:
    """A message of SQS: what stands before its id, between id and receipt, and behind the receipt."""
    body = orjson.dumps({"kind": "order", "note": 'a "quoted" word\n'}).decode()
    message = {
        "Body": body + "x" * (record_bytes - len(body)),
        "MD5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "Attributes": {
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1767225600456",
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1767225600123",
        },
    }
    return (
        b'{"MessageId":"059f36b4-87a3-44ab-83d2-',
        b'","ReceiptHandle":"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a',
        b'",' + orjson.dumps(message)[1:],
    )


class Messages:
    """Answers to ReceiveMessage."""

    def __init__(self, workload: Workload) -> None:
        self._pieces = message_pieces(workload.record_bytes)

    def page(self, numbers: Sequence[int]) -> bytes:
        """The messages of these numbers."""
        before, between, behind = self._pieces
        texts = [DIGITS % number for number in numbers]
        messages = [before + text + between + text + behind for text in texts]
        return b'{"Messages":[' + b",".join(messages) + b"]}"


class Pages:
    """Answers to GetRecords of one shard."""

    def __init__(self, workload: Workload, shard: int) -> None:
        self._shard = shard
        self._kind = workload.kind
        self._before, self._behind = (
            _kinesis(workload.record_bytes) if workload.kind == "kinesis" else _change(workload.record_bytes)
        )
        self._before += b"49%03d" % shard

    def page(self, first: int, count: int) -> bytes:
        """`count` records from number `first` on, and the iterator behind them."""
        joint = self._behind + b"," + self._before
        texts = [DIGITS % number for number in range(first, first + count)]
        records = self._before + joint.join(texts) + self._behind if texts else b""
        lag = b',"MillisBehindLatest":%d' % (1000 if count else 0) if self._kind == "kinesis" else b""
        after = (
            b'],"NextShardIterator":"AAAAAAAAAAHSywljv0zEgPX4NyKdZ5wryMzP9yALs8NeKbUjp1IxtZs1Sp%03d-%012d"'
        )
        return b'{"Records":[' + records + after % (self._shard, first + count) + lag + b"}"


def _kinesis(record_bytes: int) -> tuple[bytes, bytes]:
    record = {
        "ApproximateArrivalTimestamp": ARRIVED,
        "Data": base64.b64encode(b"x" * record_bytes).decode(),
        "PartitionKey": "partition-key-1",
    }
    return b'{"SequenceNumber":"', b'",' + orjson.dumps(record)[1:]


def _change(record_bytes: int) -> tuple[bytes, bytes]:
    change = {
        "ApproximateCreationDateTime": int(ARRIVED),
        "Keys": {"Id": {"N": "101"}},
        "NewImage": {"Id": {"N": "101"}, "Message": {"S": "x" * record_bytes}, "Raw": {"B": "AAECAw=="}},
        "SizeBytes": record_bytes,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    head = {
        "awsRegion": REGION,
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": "MODIFY",
        "eventSource": "aws:dynamodb",
        "eventVersion": "1.1",
    }
    before = orjson.dumps(head)[:-1] + b',"dynamodb":{"SequenceNumber":"'
    return before, b'",' + orjson.dumps(change)[1:] + b"}"


def stream_summary(workload: Workload) -> bytes:
    """DescribeStreamSummary."""
    summary = {"StreamCreationTimestamp": 1600000000.5, "OpenShardCount": workload.shards}
    return orjson.dumps({"StreamDescriptionSummary": summary})


def kinesis_shards(workload: Workload) -> bytes:
    """ListShards."""
    width = 2**128 // workload.shards
    return orjson.dumps(
        {
            "Shards": [
                {
                    "ShardId": shard_id(number),
                    "HashKeyRange": {
                        "StartingHashKey": str(number * width),
                        "EndingHashKey": str(
                            (number + 1) * width - 1 if number + 1 < workload.shards else 2**128 - 1
                        ),
                    },
                    "SequenceNumberRange": {"StartingSequenceNumber": "49"},
                }
                for number in range(workload.shards)
            ]
        }
    )


def table_shards(workload: Workload) -> bytes:
    """DescribeStream."""
    shards = [
        {"ShardId": shard_id(number), "SequenceNumberRange": {"StartingSequenceNumber": "49"}}
        for number in range(workload.shards)
    ]
    return orjson.dumps({"StreamDescription": {"StreamLabel": LABEL, "Shards": shards}})


def shard_id(number: int) -> str:
    """In a form that Kinesis and DynamoDB Streams both take."""
    return f"shardId-{number:020d}"
