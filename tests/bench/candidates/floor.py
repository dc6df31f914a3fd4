"""The floor: signed requests by hand over bare connections, answers passed on as bytes, no features."""

import asyncio
import hmac
import os
import re
import sys
import time
from hashlib import sha256
from typing import cast
from urllib.parse import urlsplit

import orjson
import uvloop

from tests.bench.workloads import (
    ARNS,
    CONCURRENCY,
    FUNCTION_PATH,
    QUEUE_URL,
    REGION,
    Workload,
)

_RECEIPT = re.compile(rb'"ReceiptHandle":"([^"]*)"')
_NEXT = re.compile(rb'"NextShardIterator":"([^"]*)"')
# What an event says of each record beside the record itself.
_ENVELOPES = {
    "sqs": b'"messageAttributes":{},"eventSource":"aws:sqs","eventSourceARN":"%b","awsRegion":"eu-west-1"',
    "kinesis": (
        b'"kinesisSchemaVersion":"1.0","eventSource":"aws:kinesis","eventVersion":"1.0",'
        b'"eventID":"shardId-000000000000:49000000000000000","eventName":"aws:kinesis:record",'
        b'"invokeIdentityArn":"arn:aws:iam::123456789012:role/poller","awsRegion":"eu-west-1",'
        b'"eventSourceARN":"%b"'
    ),
    "dynamodb": b'"eventSourceARN":"%b"',
}
_STARTS = {"sqs": b'{"MessageId"', "kinesis": b'{"SequenceNumber"', "dynamodb": b'{"awsRegion"'}


class Connection(asyncio.Protocol):
    """One connection, one exchange at a time."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._missing = -1
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def exchange(self, head: bytes, body: bytes) -> "asyncio.Future[bytes]":
        """Send a request; its answer's body."""
        self._answer = asyncio.get_running_loop().create_future()
        if len(body) < 65_536:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        return self._answer

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            end = data.index(b"\r\n\r\n") + 4
            at = data.index(b"Content-Length: ") + 16
            self._missing = int(data[at : data.index(b"\r", at)])
            data = data[end:]
        self._parts.append(data)
        self._missing -= len(data)
        if self._missing <= 0:
            assert self._answer is not None
            self._answer.set_result(b"".join(self._parts))
            self._parts = []
            self._missing = -1


class Signed:
    """Requests of one operation, signed with a key that is derived once."""

    def __init__(self, host: str, service: str, path: str, target: str) -> None:
        key = b"AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"].encode()
        self._day = time.strftime("%Y%m%d", time.gmtime())
        for part in (self._day, REGION, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._key = key
        self._scope = f"{self._day}/{REGION}/{service}/aws4_request"
        typed = "content-type:application/x-amz-json-1.0\n" if target else ""
        names = ("content-type;" if target else "") + "host;x-amz-date" + (";x-amz-target" if target else "")
        self._canonical = f"POST\n{path}\n\n{typed}host:{host}\nx-amz-date:"
        self._canonical_end = (f"\nx-amz-target:{target}" if target else "") + f"\n\n{names}\n"
        access = os.environ["AWS_ACCESS_KEY_ID"]
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\n"
            + (f"Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: {target}\r\n" if target else "")
            + f"Authorization: AWS4-HMAC-SHA256 Credential={access}/{self._scope}, "
            + f"SignedHeaders={names}, Signature="
        )

    def head(self, body: bytes) -> bytes:
        """The head of a request with this body."""
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        digest = sha256(body).hexdigest()
        canonical = f"{self._canonical}{date}{self._canonical_end}{digest}"
        text = f"AWS4-HMAC-SHA256\n{date}\n{self._scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key, text.encode(), "sha256").hex()
        return (
            f"{self._head}{signature}\r\nX-Amz-Date: {date}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )


class Floor:
    """The candidate."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        url = urlsplit(os.environ["AWS_ENDPOINT_URL"])
        self._host, self._port = url.hostname or "", url.port or 80
        host = url.netloc
        self._invoke = Signed(host, "lambda", FUNCTION_PATH, "")
        self._receive = Signed(host, "sqs", "/", "AmazonSQS.ReceiveMessage")
        self._delete = Signed(host, "sqs", "/", "AmazonSQS.DeleteMessageBatch")
        prefix = "Kinesis_20131202" if workload.kind == "kinesis" else "DynamoDBStreams_20120810"
        self._records = Signed(host, workload.kind, "/", f"{prefix}.GetRecords")
        self._start = _STARTS[workload.kind]
        envelope = _ENVELOPES[workload.kind].replace(b"%b", ARNS[workload.kind].encode())
        self._joint = b"," + envelope + b"}," + self._start
        self._end = b"," + envelope + b"}]}"

    async def run(self) -> None:
        """Until the process is ended."""
        work = self._queue if self._workload.kind == "sqs" else self._shard
        count = CONCURRENCY if self._workload.kind == "sqs" else self._workload.shards
        await asyncio.gather(*(work(number) for number in range(count)))

    async def _connect(self) -> Connection:
        _, protocol = await asyncio.get_running_loop().create_connection(Connection, self._host, self._port)
        return protocol

    async def _queue(self, _: int) -> None:
        connection = await self._connect()
        request = {"QueueUrl": QUEUE_URL, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1}
        body = orjson.dumps(
            {**request, "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]}
        )
        pieces: list[bytes] = []
        receipts: list[bytes] = []
        closes_at = 0.0
        while True:
            answer = await connection.exchange(self._receive.head(body), body)
            pieces += _pieces(answer, b'{"Messages":[', b"]}", self._start)
            receipts += _RECEIPT.findall(answer)
            closes_at = closes_at or time.monotonic() + self._workload.window_s
            full = len(pieces) >= self._workload.records_of_an_event
            if not pieces or (self._workload.window_s and not full and time.monotonic() < closes_at):
                continue
            await self._deliver(connection, pieces)
            await self._delete_all(connection, receipts)
            pieces, receipts, closes_at = [], [], 0.0

    async def _delete_all(self, connection: Connection, receipts: list[bytes]) -> None:
        opening = b'{"QueueUrl":"%b","Entries":[' % QUEUE_URL.encode()
        for first in range(0, len(receipts), 10):
            entries = [
                b'{"Id":"%d","ReceiptHandle":"%b"}' % entry
                for entry in enumerate(receipts[first : first + 10])
            ]
            body = opening + b",".join(entries) + b"]}"
            await connection.exchange(self._delete.head(body), body)

    async def _shard(self, number: int) -> None:
        connection = await self._connect()
        iterator = b"AAAA%03d-%012d" % (number, 0)
        limit = self._workload.page
        while True:
            body = b'{"ShardIterator":"%b","Limit":%d}' % (iterator, limit)
            answer = await connection.exchange(self._records.head(body), body)
            found = _NEXT.search(answer, len(answer) - 300)
            assert found is not None
            iterator = found[1]
            pieces = _pieces(answer, b'{"Records":[', b'],"NextShardIterator"', self._start)
            if not pieces:
                await asyncio.sleep(0.05)
                continue
            step = self._workload.records_of_an_event
            for first in range(0, len(pieces), step):
                await self._deliver(connection, pieces[first : first + step])

    async def _deliver(self, connection: Connection, pieces: list[bytes]) -> None:
        event = b'{"Records":[' + self._start + self._joint.join(pieces) + self._end
        await connection.exchange(self._invoke.head(event), event)


def _pieces(answer: bytes, opening: bytes, closing: bytes, start: bytes) -> list[bytes]:
    """The records of an answer without their first name and their closing brace."""
    if not answer.startswith(opening):
        return []
    records = answer[len(opening) : answer.rindex(closing)]
    return records[len(start) : -1].split(b"}," + start) if records else []


if __name__ == "__main__":
    uvloop.run(Floor(Workload(**orjson.loads(sys.argv[1]))).run())
