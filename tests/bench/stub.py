"""The AWS side of one run: hands records out, takes invocations and deletes, and keeps the account."""

import re
from collections.abc import Callable

import orjson

from tests.bench.accounts import Account, QueueLedger, ShardLedger
from tests.bench.answers import Messages, Pages, kinesis_shards, stream_summary, table_shards
from tests.bench.workloads import QUEUE_URL, Workload

# Whoever builds the event may change the case of a name, and put blanks in.
_MESSAGE_ID = re.compile(rb'"[mM]essageId": ?"[0-9a-f-]{24}(\d{12})"')
_SEQUENCE = re.compile(rb'"[sS]equenceNumber": ?"49(\d{3})(\d{12})"')
_RECEIPT = re.compile(rb'"ReceiptHandle": ?"\w*?(\d{12})"')
_ITERATOR = re.compile(rb'"ShardIterator": ?"\w+?(\d{3})-(\d{12})"')
_SHARD = re.compile(rb'"ShardId": ?"shardId-(\d{20})"')
_AFTER = re.compile(rb'SequenceNumber": ?"49\d{3}(\d{12})"')
_LIMIT = re.compile(rb'"(?:Limit|MaxNumberOfMessages)": ?(\d+)')
_WAIT = re.compile(rb'"WaitTimeSeconds": ?(\d+)')


class Stub:
    """One run. Answers an operation with a body, and after how many seconds."""

    def __init__(self, workload: Workload) -> None:
        self.account = Account()
        self.flowing = workload.supply
        self._workload = workload
        self._queue = QueueLedger(self.account)
        self._messages = Messages(workload)
        self._shards = [ShardLedger(self.account) for _ in range(workload.shards)]
        self._pages = [Pages(workload, shard) for shard in range(workload.shards)]
        self._ends: dict[int, int] = {}
        self._operations: dict[bytes, Callable[[bytes], bytes]] = {
            b"GetQueueUrl": lambda _: orjson.dumps({"QueueUrl": QUEUE_URL}),
            b"GetQueueAttributes": lambda _: (
                b'{"Attributes":{"VisibilityTimeout":"1000","CreatedTimestamp":"1"}}'
            ),
            b"ReceiveMessage": self._receive,
            b"DeleteMessageBatch": self._delete,
            b"ChangeMessageVisibilityBatch": self._release,
            b"DescribeStreamSummary": lambda _: stream_summary(workload),
            b"ListShards": lambda _: kinesis_shards(workload),
            b"DescribeStream": lambda _: table_shards(workload),
            b"GetShardIterator": self._iterator,
            b"GetRecords": self._records,
        }

    def answer(self, operation: bytes, body: bytes) -> tuple[bytes, float]:
        """The answer, and when to give it. An invocation has no operation."""
        if not operation:
            self._invoked(body)
            return b"null", self._workload.function_s
        answer = self._operations[operation](body)
        if operation == b"ReceiveMessage" and not self.flowing:
            return answer, float(_number(_WAIT, body, 0))
        return answer, 0.0

    def _invoked(self, body: bytes) -> None:
        if self._workload.kind == "sqs":
            self._queue.invoked([int(text) for text in _MESSAGE_ID.findall(body)])
            return
        found = _SEQUENCE.findall(body)
        self._shards[int(found[0][0])].invoked([int(number) for _, number in found])

    def _receive(self, body: bytes) -> bytes:
        if not self.flowing:
            return b"{}"
        return self._messages.page(self._queue.take(_number(_LIMIT, body, 10)))

    def _delete(self, body: bytes) -> bytes:
        numbers = _numbers(_RECEIPT, body)
        self._queue.deleted(numbers)
        done = b",".join([b'{"Id":"%d"}' % index for index in range(len(numbers))])
        return b'{"Successful":[' + done + b"]}"

    def _release(self, body: bytes) -> bytes:
        self._queue.released(_numbers(_RECEIPT, body))
        return b'{"Successful":[]}'

    def _iterator(self, body: bytes) -> bytes:
        shard = _number(_SHARD, body, 0)
        after = _AFTER.search(body)
        first = int(after[1]) + 1 if after else 0
        return b'{"ShardIterator":"AAAA%03d-%012d"}' % (shard, first)

    def _records(self, body: bytes) -> bytes:
        found = _ITERATOR.search(body)
        assert found is not None
        shard, first = int(found[1]), int(found[2])
        count = min(_number(_LIMIT, body, 10_000), self._workload.page) if self.flowing else 0
        if not self.flowing:  # what was read before the end may be read again
            count = max(min(self._ends.get(shard, 0) - first, self._workload.page), 0)
        else:
            self._ends[shard] = max(self._ends.get(shard, 0), first + count)
        self._shards[shard].given(first + count)
        return self._pages[shard].page(first, count)


def _number(pattern: re.Pattern[bytes], body: bytes, default: int) -> int:
    found = pattern.search(body)
    return int(found[1]) if found else default


def _numbers(pattern: re.Pattern[bytes], body: bytes) -> list[int]:
    return [int(text) for text in pattern.findall(body)]
