"""What each event source allows beyond the declared constraints: fields, defaults and ranges; and what waits.

An option that this version does not obey stands in `NOT_YET`. What `mappings` owes it is done already
(constraints, rules, model, wire form): once something obeys it, its line is deleted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from mappings.arns import EventSource, SourceKind
from mappings.model import StartingPosition
from mappings.service_model import CREATE_REQUEST, members

# Quota "filters per event source mapping": 5, which AWS raises to 10 on request. We have no quota to raise.
MAXIMUM_FILTERS = 10
MINIMUM_RECORD_AGE_S = 60
MINIMUM_POLLERS = 2


class SourceType(Enum):
    """The event sources that differ in what they allow; the value is what a sentence calls one."""

    STANDARD_QUEUE = "an SQS standard queue"
    FIFO_QUEUE = "an SQS FIFO queue"
    KINESIS_STREAM = "a Kinesis stream"
    KINESIS_CONSUMER = "a Kinesis consumer"
    DYNAMODB_STREAM = "a DynamoDB stream"

    @classmethod
    def of(cls, source: EventSource) -> "SourceType":
        match source.kind:
            case SourceKind.SQS:
                return cls.FIFO_QUEUE if source.fifo else cls.STANDARD_QUEUE
            case SourceKind.KINESIS:
                return cls.KINESIS_CONSUMER if source.consumer_arn else cls.KINESIS_STREAM
            case SourceKind.DYNAMODB:
                return cls.DYNAMODB_STREAM


_EVERY_SOURCE = frozenset(
    {
        "EventSourceArn",
        "FunctionName",
        "Enabled",
        "BatchSize",
        "MaximumBatchingWindowInSeconds",
        "FilterCriteria",
        "FunctionResponseTypes",
        "KMSKeyArn",
        "MetricsConfig",
        "Tags",
    }
)
_QUEUE = _EVERY_SOURCE | {"ScalingConfig", "ProvisionedPollerConfig"}
_STREAM = _EVERY_SOURCE | {
    "StartingPosition",
    "StartingPositionTimestamp",
    "ParallelizationFactor",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "BisectBatchOnFunctionError",
    "TumblingWindowInSeconds",
    "DestinationConfig",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLimits:
    fields: frozenset[str]
    batch_size: int  # default
    maximum_batch_size: int = 10_000
    maximum_batch_size_without_window: int = 10_000
    maximum_batching_window: int = 300
    starting_positions: frozenset[StartingPosition] = frozenset()


_KINESIS = SourceLimits(
    fields=_STREAM,
    batch_size=100,
    starting_positions=frozenset(StartingPosition),
)

LIMITS: Mapping[SourceType, SourceLimits] = {
    SourceType.STANDARD_QUEUE: SourceLimits(
        fields=_QUEUE, batch_size=10, maximum_batch_size_without_window=10
    ),
    SourceType.FIFO_QUEUE: SourceLimits(
        fields=_QUEUE, batch_size=10, maximum_batch_size=10, maximum_batching_window=0
    ),
    SourceType.KINESIS_STREAM: _KINESIS,
    SourceType.KINESIS_CONSUMER: _KINESIS,
    SourceType.DYNAMODB_STREAM: replace(
        _KINESIS,
        starting_positions=frozenset({StartingPosition.TRIM_HORIZON, StartingPosition.LATEST}),
    ),
}

NOT_YET: dict[str, str] = {
    "KMSKeyArn": "KMSKeyArn is not supported yet",
}

# What a request may say of a field without asking for anything; NOT_YET lets these values pass.
NEUTRAL: Mapping[str, tuple[object, ...]] = {
    "KMSKeyArn": ("",),
}


def field_refusal(field: str) -> str | None:
    """Return why no mapping may say anything of a field, whatever its source; None where one may."""
    if field in NOT_YET:
        return NOT_YET[field]
    if field not in members(CREATE_REQUEST) or any(field in limits.fields for limits in LIMITS.values()):
        return None
    return f"{field} is for an event source that is not supported; SQS, Kinesis and DynamoDB Streams are"


def limits_of(source: EventSource) -> SourceLimits:
    return LIMITS[SourceType.of(source)]
