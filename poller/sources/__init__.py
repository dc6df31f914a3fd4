"""Sources: the queues and streams records are read from. The registry: one entry per kind."""

from collections.abc import Callable
from dataclasses import dataclass

from mappings.arns import EventSource, SourceKind
from mappings.model import EventSourceMapping
from poller.aws import Aws
from poller.interfaces import Clock, Source
from poller.sources.dynamodb import DynamoDbSource
from poller.sources.kinesis import KinesisSource
from poller.sources.kinesis_fan_out import KinesisFanOutSource
from poller.sources.sqs import SqsSource


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceParts:
    """What a source may need besides its mapping."""

    aws: Aws
    clock: Clock
    long_poll_s: float
    timeout_s: float | None
    """The function's timeout, None where it is not known."""


_MAKERS: dict[SourceKind, Callable[[EventSourceMapping, SourceParts], Source]] = {
    SourceKind.SQS: lambda mapping, parts: SqsSource(
        mapping.event_source,
        parts.aws,
        parts.clock,
        long_poll_s=parts.long_poll_s,
        window_s=mapping.maximum_batching_window_in_seconds,
        timeout_s=parts.timeout_s,
    ),
    SourceKind.KINESIS: lambda mapping, parts: _kinesis(mapping.event_source, parts.aws),
    SourceKind.DYNAMODB: lambda mapping, parts: DynamoDbSource(mapping.event_source, parts.aws),
}


def _kinesis(source: EventSource, aws: Aws) -> Source:
    return KinesisSource(source, aws) if source.consumer_arn is None else KinesisFanOutSource(source, aws)


def make_source(mapping: EventSourceMapping, parts: SourceParts) -> Source:
    """The event source of a mapping."""
    return _MAKERS[mapping.event_source.kind](mapping, parts)
