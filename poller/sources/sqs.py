"""SQS queues: long polling, deletion, and the event Lambda makes of a message."""

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from mappings.arns import EventSource
from poller.aws import NO_ACCOUNT, Aws, source_errors
from poller.core.payload import encode_json
from poller.core.records import Page, Position, Record, Shard, Topology
from poller.core.visibility import receive_visibility_s, visibility_problem
from poller.errors import SourceUnsuitable
from poller.interfaces import Clock, Unsettled

BATCH_ENTRIES = 10  # per ReceiveMessage, DeleteMessageBatch and ChangeMessageVisibilityBatch
# A long poll is answered within its wait; the rest is for the network (faults 12).
LONG_POLL_MARGIN_S = 10.0


class SqsSource:
    """One queue."""

    def __init__(
        self,
        queue: EventSource,
        aws: Aws,
        clock: Clock,
        *,
        long_poll_s: float,
        window_s: float = 0.0,
        timeout_s: float | None = None,
    ) -> None:
        """Make a source.

        Args:
            queue: The queue.
            aws: Session.
            clock: Tells when a message was received.
            long_poll_s: Longest wait of a receive.
            window_s: The mapping's batching window.
            timeout_s: The function's timeout, None where it is not known.
        """
        self.queue = queue
        self.window_s = window_s
        self.clock = clock
        self.url = ""
        self.asked_visibility_s: float | None = None
        self.visibility_s = 30.0
        self._aws = aws
        self._long_poll_s = long_poll_s
        self._timeout_s = timeout_s

    async def discover(self) -> Topology:
        """Find the queue by its name; the host of its URL is advisory."""
        client = await self._aws.client("sqs", self.queue.region)
        owner = {} if self.queue.account == NO_ACCOUNT else {"QueueOwnerAWSAccountId": self.queue.account}
        with source_errors(self.queue.name):
            found = await client.get_queue_url(QueueName=self.queue.name, **owner)
            answer = await client.get_queue_attributes(
                QueueUrl=found["QueueUrl"], AttributeNames=["VisibilityTimeout", "CreatedTimestamp"]
            )
        attributes = answer.get("Attributes", {})
        self.url = found["QueueUrl"]
        self._adopt(float(attributes.get("VisibilityTimeout", 30)))
        return Topology(incarnation=attributes.get("CreatedTimestamp", ""), shards=(Shard(id="queue"),))

    def _adopt(self, queue_s: float) -> None:
        """Follow the queue's visibility timeout, which may change while it is polled."""
        problem = visibility_problem(queue_s=queue_s, timeout_s=self._timeout_s)
        if problem is not None:
            raise SourceUnsuitable(problem)
        self.asked_visibility_s = receive_visibility_s(
            queue_s=queue_s, window_s=self.window_s, timeout_s=self._timeout_s
        )
        self.visibility_s = queue_s if self.asked_visibility_s is None else self.asked_visibility_s

    async def open(self, shard: Shard, after: Position) -> "SqsReader":  # noqa: ARG002  # a queue has one end
        """Open the queue."""
        if not self.url:
            await self.discover()
        return SqsReader(
            self,
            receiving=await self._aws.client(
                "sqs", self.queue.region, read_timeout_s=self._long_poll_s + LONG_POLL_MARGIN_S
            ),
            settling=await self._aws.client("sqs", self.queue.region),
        )


class SqsReader:
    """An open queue. Receives and settles through separate clients, so that neither waits for the other."""

    def __init__(self, source: SqsSource, *, receiving: Any, settling: Any) -> None:
        self._source = source
        self._receiving = receiving
        self._settling = settling

    async def receive(self, limit: int, wait_s: float) -> Page:
        """Receive up to ten messages, waiting for the first up to `wait_s`."""
        source = self._source
        asked = source.asked_visibility_s
        with source_errors(source.queue.name):
            answer = await self._receiving.receive_message(
                QueueUrl=source.url,
                MaxNumberOfMessages=min(limit, BATCH_ENTRIES),
                WaitTimeSeconds=math.ceil(wait_s),
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
                **({} if asked is None else {"VisibilityTimeout": math.ceil(asked)}),
            )
        held_until = source.clock.monotonic() + source.visibility_s
        messages = answer.get("Messages", ())
        return Page(records=[self._record(message, held_until) for message in messages])

    async def settle(self, done: Sequence[Record], release: Sequence[Record]) -> Unsettled:
        """Delete what is done; make what is released visible."""
        again: list[Record] = []
        lost: list[Record] = []
        with source_errors(self._source.queue.name):
            for chunk in _chunks(done):
                answer = await self._settling.delete_message_batch(
                    QueueUrl=self._source.url, Entries=_entries(chunk)
                )
                for failure in answer.get("Failed", ()):
                    # A sender's fault (an expired receipt) stays one; the message comes again by itself.
                    (lost if failure.get("SenderFault") else again).append(chunk[int(failure["Id"])])
            for chunk in _chunks(release):
                shown = [{**entry, "VisibilityTimeout": 0} for entry in _entries(chunk)]
                await self._settling.change_message_visibility_batch(QueueUrl=self._source.url, Entries=shown)
        return Unsettled(again=again, lost=lost)

    def _record(self, message: Mapping[str, Any], held_until: float) -> Record:
        attributes = message.get("Attributes", {})
        return Record(
            item_identifier=message["MessageId"],
            event=encode_json(sqs_event(message, self._source.queue, null_md5=self._source.window_s > 0)),
            arrived_at=int(attributes.get("SentTimestamp", 0)) / 1000,
            order_key=attributes.get("MessageGroupId"),
            position=None,
            receipt=message["ReceiptHandle"],
            held_until=held_until,
        )


def sqs_event(message: Mapping[str, Any], queue: EventSource, *, null_md5: bool) -> dict[str, Any]:
    """One entry of `Records`, keys in AWS's order (semantics 2.8).

    Args:
        message: As ReceiveMessage gives it.
        queue: Its queue.
        null_md5: Without message attributes, whether md5OfMessageAttributes is null and not absent: so it was
            recorded for mappings with a batching window (semantics 2.8.4).
    """
    attributes = message.get("MessageAttributes") or {}
    event: dict[str, Any] = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {name: _attribute(value) for name, value in attributes.items()},
    }
    if attributes or null_md5:
        event["md5OfMessageAttributes"] = message.get("MD5OfMessageAttributes")
    event |= {
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.arn,
        "awsRegion": queue.region,
    }
    return event


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    given = "stringValue" if "StringValue" in value else "binaryValue"
    return {
        given: value.get("StringValue", value.get("BinaryValue")),
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value["DataType"],
    }


def _entries(records: Sequence[Record]) -> list[dict[str, str]]:
    """Entries named by index: a message received twice may stand in one request twice."""
    return [{"Id": str(i), "ReceiptHandle": record.receipt} for i, record in enumerate(records)]


def _chunks(records: Sequence[Record]) -> list[list[Record]]:
    remaining = iter(records)
    return list(iter(lambda: list(islice(remaining, BATCH_ENTRIES)), []))
