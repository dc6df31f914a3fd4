"""Sources: the queues and streams records are read from. The registry: one entry per kind."""

from collections.abc import Callable

from mappings.arns import SourceKind
from mappings.model import EventSourceMapping
from poller.aws import Aws
from poller.interfaces import Clock, Source
from poller.sources.dynamodb import DynamoDbSource
from poller.sources.kinesis import KinesisSource
from poller.sources.sqs import SqsSource

_MAKERS: dict[SourceKind, Callable[[EventSourceMapping, Aws, Clock, float], Source]] = {
    SourceKind.SQS: lambda mapping, aws, clock, long_poll_s: SqsSource(
        mapping.event_source,
        aws,
        clock,
        long_poll_s=long_poll_s,
        null_md5=mapping.maximum_batching_window_in_seconds > 0,
    ),
    SourceKind.KINESIS: lambda mapping, aws, _clock, _wait: KinesisSource(mapping.event_source, aws),
    SourceKind.DYNAMODB: lambda mapping, aws, _clock, _wait: DynamoDbSource(mapping.event_source, aws),
}


def make_source(mapping: EventSourceMapping, aws: Aws, clock: Clock, long_poll_s: float) -> Source:
    """The event source of a mapping."""
    return _MAKERS[mapping.event_source.kind](mapping, aws, clock, long_poll_s)
