"""Kinesis data streams through a registered consumer: records are pushed over SubscribeToShard."""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from mappings.arns import EventSource
from poller.aws import Aws, server_time, source_errors
from poller.calls import wire_form
from poller.core.payload import encode_json
from poller.core.records import Page, Position, PositionKind, Shard, Topology
from poller.errors import SourceDenied, SourceUnauthenticated
from poller.sources.kinesis import KinesisEvents, KinesisSource
from poller.sources.turns import in_turns
from poller.sources.wire import decode_kinesis_records, read

# An event comes at least every five seconds, with or without records.
READ_TIMEOUT_S = 30.0


async def check_consumer(consumer: EventSource, aws: Aws) -> None:
    """Raise SourceGone where there is no such consumer. Who may not ask is believed: reading tells."""
    client = await aws.client("kinesis", consumer.region)
    try:
        with source_errors(consumer.name):
            await client.describe_stream_consumer(ConsumerARN=consumer.arn)
    except SourceUnauthenticated:
        raise
    except SourceDenied:
        return


class KinesisFanOutSource:
    """One stream, read with the dedicated throughput of one consumer."""

    def __init__(self, consumer: EventSource, aws: Aws) -> None:
        stream_arn = consumer.arn.partition("/consumer/")[0]
        self._consumer = consumer
        self._aws = aws
        self._stream = KinesisSource(replace(consumer, arn=stream_arn, consumer_arn=None), aws)

    async def discover(self) -> Topology:
        """List the shards of the stream."""
        return await self._stream.discover()

    async def open(self, shard: Shard, after: Position) -> "KinesisFanOutReader":
        """Subscribe to a shard at a position.

        At once, not at the first read: LATEST is the tip at the time of opening.
        """
        client = await self._aws.client("kinesis", self._consumer.region, read_timeout_s=READ_TIMEOUT_S)
        reader = KinesisFanOutReader(self._consumer, shard.id, client, after)
        await reader.subscribe()
        return reader


class KinesisFanOutReader:
    """An open shard. A subscription lasts five minutes; the next one goes on where it ended."""

    def __init__(self, consumer: EventSource, shard: str, client: Any, after: Position) -> None:
        self._consumer = consumer
        self._shard = shard
        self._client = client
        self._after = after
        self._kinesis_events = KinesisEvents(consumer, shard)
        self._events: AsyncIterator[Mapping[str, Any]] | None = None
        self._stream: Any = None
        self._served_at: float | None = None

    async def subscribe(self) -> None:
        """Ask for the records after what was read last."""
        with source_errors(f"{self._consumer.name}/{self._shard}"):
            answer = await self._client.subscribe_to_shard(
                ConsumerARN=self._consumer.arn,
                ShardId=self._shard,
                StartingPosition=_starting_position(self._after),
            )
        self._served_at = server_time(answer)
        self._stream = answer["EventStream"]
        self._events = aiter(self._stream)

    async def receive(self, limit: int, wait_s: float) -> Page:  # noqa: ARG002  # pushed as it comes
        """Wait for the next event, which comes within seconds also where there is nothing to read."""
        if self._events is None:
            await self.subscribe()
        event = await self._next_event()
        if event is None:
            return Page()
        continuation = event.get("ContinuationSequenceNumber")
        if continuation is not None:
            self._after = Position.after(continuation)
        with source_errors(f"{self._consumer.name}/{self._shard}"):
            found = read(decode_kinesis_records, encode_json(wire_form(event.get("Records", []))))
        served_at, self._served_at = self._served_at, None  # of the subscription; its events say none
        behind_ms = event.get("MillisBehindLatest")
        unknown_at = time.time() if served_at is None else served_at
        return Page(
            records=await in_turns(found, lambda some: self._kinesis_events.records(some, unknown_at)),
            behind=bool(behind_ms),
            behind_s=None if behind_ms is None else behind_ms / 1000,
            end_of_shard=continuation is None,
            served_at=served_at,
        )

    async def _next_event(self) -> Mapping[str, Any] | None:
        """The next event; None where the subscription has ended and another is needed."""
        assert self._events is not None
        try:
            with source_errors(f"{self._consumer.name}/{self._shard}"):
                async for event in self._events:
                    found: Mapping[str, Any] = event["SubscribeToShardEvent"]
                    return found
        except BaseException:
            self._end()
            raise
        self._end()
        return None

    def _end(self) -> None:
        """The connection is of no more use: what was not read of it will be read again."""
        self._stream.close()
        self._events = None


def _starting_position(after: Position) -> dict[str, Any]:
    position: dict[str, Any] = {"Type": after.kind.value}
    if after.kind is PositionKind.AFTER_SEQUENCE_NUMBER:
        position["SequenceNumber"] = after.sequence_number
    elif after.kind is PositionKind.AT_TIMESTAMP:
        position["Timestamp"] = after.timestamp
    return position
