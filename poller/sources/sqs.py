"""SQS queues: long polling, deletion, and the event Lambda makes of a message."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from mappings.arns import EventSource
from poller.aws import DENIED_CODES, NO_ACCOUNT, Aws, source_errors
from poller.calls import Call
from poller.core.payload import decode_json, encode_json
from poller.core.queue_flow import REQUEST_MESSAGES
from poller.core.records import Page, Position, Record, Shard, Topology
from poller.core.visibility import Visibility, hidden_since
from poller.errors import SourceDenied, SourceUnsuitable
from poller.interfaces import Clock, Unsettled
from poller.sources.wire import (
    Message,
    Settled,
    decode_attributes,
    decode_messages,
    decode_settled,
    given,
    is_given,
    read,
    required_text,
)

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
        self.clock = clock
        self.url = ""
        self.visibility = Visibility(queue_s=30.0, window_s=window_s, timeout_s=timeout_s)
        self.longest_s = long_poll_s + LONG_POLL_MARGIN_S
        self._aws = aws
        self.events = SqsEvents(queue, null_md5=window_s > 0)
        self._calls: _Calls | None = None

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
        visibility = replace(self.visibility, queue_s=queue_s)
        if visibility.problem is not None:
            raise SourceUnsuitable(visibility.problem)
        self.visibility = visibility

    async def open(self, shard: Shard, after: Position) -> "SqsReader":  # noqa: ARG002  # a queue has one end
        """Open the queue."""
        if not self.url:
            await self.discover()
        if self._calls is None:
            with source_errors(self.queue.name):
                self._calls = await self._make_calls()
        return SqsReader(self, self._calls)

    async def _make_calls(self) -> "_Calls":
        """Separate ones for receiving and settling, so that neither waits for the other."""
        region = self.queue.region
        entry = {"Id": "0", "ReceiptHandle": "-"}
        entries = {"QueueUrl": self.url, "Entries": [entry]}
        shown = {"QueueUrl": self.url, "Entries": [{**entry, "VisibilityTimeout": 0}]}
        return _Calls(
            receive=await self._aws.call(
                "sqs",
                region,
                "ReceiveMessage",
                self.receive_request(1, 0.0),
                read_timeout_s=self.longest_s,
            ),
            delete=await self._aws.call("sqs", region, "DeleteMessageBatch", entries),
            hide=await self._aws.call("sqs", region, "ChangeMessageVisibilityBatch", shown),
        )

    def receive_request(self, limit: int, wait_s: float) -> dict[str, Any]:
        """What a receive asks for."""
        asked = self.visibility.asked_s
        request: dict[str, Any] = {
            "QueueUrl": self.url,
            "MaxNumberOfMessages": min(limit, REQUEST_MESSAGES),
            "WaitTimeSeconds": math.ceil(wait_s),
            # Two names of one member: servers that stand in for AWS may know only the older one.
            "AttributeNames": ["All"],
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        if asked is not None:
            request["VisibilityTimeout"] = math.ceil(asked)
        return request


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """What all readers of a queue call."""

    receive: Call
    delete: Call
    hide: Call


class SqsReader:
    """An open queue."""

    def __init__(self, source: SqsSource, calls: _Calls) -> None:
        self._source = source
        self._calls = calls

    async def receive(self, limit: int, wait_s: float) -> Page:
        """Receive up to ten messages, waiting for the first up to `wait_s`."""
        source = self._source
        with source_errors(source.queue.name):
            hidden_s = source.visibility.effective_s
            asked_at = source.clock.monotonic()
            reply = await self._calls.receive(source.receive_request(limit, wait_s))
            answered_at = source.clock.monotonic()
            answer = read(decode_messages, reply.body)
            unknown_at = source.clock.wall() if reply.served_at is None else reply.served_at
            records = source.events.records(answer.Messages or (), unknown_at)
        since = hidden_since(asked_at=asked_at, answered_at=answered_at, longest_s=source.longest_s)
        return Page(records=records, hidden=(since, since + hidden_s))

    async def delete(self, records: Sequence[Record]) -> Unsettled:
        """Delete up to ten messages."""
        return await self._settle("DeleteMessageBatch", self._calls.delete, records, {})

    async def hide(self, records: Sequence[Record], seconds: float) -> Unsettled:
        """Hide up to ten messages from others for so long from now on."""
        shown = {"VisibilityTimeout": math.ceil(seconds)}
        return await self._settle("ChangeMessageVisibilityBatch", self._calls.hide, records, shown)

    async def _settle(
        self, operation: str, call: Call, records: Sequence[Record], more: Mapping[str, Any]
    ) -> Unsettled:
        source = self._source
        entries = [{**entry, **more} for entry in _entries(records)]
        with source_errors(source.queue.name):
            reply = await call({"QueueUrl": source.url, "Entries": entries})
            answer = read(decode_settled, reply.body)
        unsettled = _unsettled(records, answer)
        if unsettled.reason in DENIED_CODES:
            raise SourceDenied(f"{operation} on {source.queue.name}: {unsettled.reason}")
        return unsettled


def _unsettled(records: Sequence[Record], answer: Settled) -> Unsettled:
    """Read the answer to a batch strictly: an entry is obeyed that is named once, and as a success.

    A sender's fault (an expired receipt) stays one; the message comes again by itself.
    """
    succeeded = [entry.Id for entry in answer.Successful or ()]
    failed = answer.Failed or ()
    if not failed and len(succeeded) == len(records) and set(succeeded) == _identifiers(len(records)):
        return Unsettled()
    named = Counter([*succeeded, *(entry.Id for entry in failed)])
    by_sender = {entry.Id for entry in failed if entry.SenderFault and named[entry.Id] == 1}
    again = []
    lost = []
    for number, record in enumerate(records):
        identifier = str(number)
        if identifier in by_sender:
            lost.append(record)
        elif named[identifier] != 1 or identifier not in succeeded:
            again.append(record)
    codes = [entry.Code for entry in failed if entry.Code]
    reason = codes[0] if codes else "the answer does not name each entry once"
    return Unsettled(again=again, lost=lost, reason=reason)


@lru_cache(maxsize=REQUEST_MESSAGES)
def _identifiers(count: int) -> frozenset[str]:
    return frozenset(str(number) for number in range(count))


class SqsEvents:
    """Makes entries of `Records` from messages of one queue, keys in AWS's order (semantics 2.8)."""

    def __init__(self, queue: EventSource, *, null_md5: bool) -> None:
        """Make it.

        Args:
            queue: The queue.
            null_md5: Without message attributes, whether md5OfMessageAttributes is null and not absent: so it
                was recorded for mappings with a batching window (semantics 2.8.4).
        """
        origin = {"eventSource": "aws:sqs", "eventSourceARN": queue.arn, "awsRegion": queue.region}
        self._origin = b"," + encode_json(origin)[1:]
        self._without_attributes = b"{}" + (b',"md5OfMessageAttributes":null' if null_md5 else b"")

    def records(self, messages: Sequence[Message], unknown_at: float) -> list[Record]:
        """Messages in order; what is not renamed is passed on as it is.

        Args:
            messages: As they were received.
            unknown_at: Epoch seconds; when a message was sent that does not say so.
        """
        made: list[Record] = []
        for message in messages:
            attributes = given(message.Attributes) or b"{}"
            known = decode_attributes(attributes)
            sent_ms = known.SentTimestamp
            body, digest = message.Body, message.MD5OfBody
            event = b"".join(
                (
                    b'{"messageId":',
                    message.MessageId,
                    b',"receiptHandle":',
                    message.ReceiptHandle,
                    b',"body":' + bytes(body) if is_given(body) else b"",
                    b',"attributes":',
                    attributes,
                    b',"messageAttributes":',
                    self._renamed(message) if message.MessageAttributes else self._without_attributes,
                    b',"md5OfBody":' + bytes(digest) if is_given(digest) else b"",
                    self._origin,
                )
            )
            made.append(
                Record(
                    item_identifier=required_text(message.MessageId),
                    event=event,
                    arrived_at=unknown_at if sent_ms is None else float(sent_ms) / 1000,
                    order_key=known.MessageGroupId,
                    position=None,
                    receipt=required_text(message.ReceiptHandle),
                    receives=0 if attributes == b"{}" else _count(known.ApproximateReceiveCount),
                )
            )
        return made

    def _renamed(self, message: Message) -> bytes:
        """Message attributes, with their digest behind them."""
        given = decode_json(bytes(message.MessageAttributes))
        if not isinstance(given, dict) or not given:
            return self._without_attributes
        renamed = encode_json({name: _attribute(value) for name, value in given.items()})
        return renamed + b',"md5OfMessageAttributes":' + bytes(message.MD5OfMessageAttributes or b"null")


def _count(receives: str | float | None) -> int:
    """The number of receives; 1 where the queue does not say it, or says what is no number."""
    try:
        return max(int(receives or 1), 1)
    except ValueError:
        return 1


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    text = value.get("StringValue")
    return {
        **({"binaryValue": value.get("BinaryValue")} if text is None else {"stringValue": text}),
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value.get("DataType"),
    }


def _entries(records: Sequence[Record]) -> list[dict[str, str]]:
    """Entries named by index: a message received twice may stand in one request twice."""
    return [{"Id": str(i), "ReceiptHandle": record.receipt} for i, record in enumerate(records)]
