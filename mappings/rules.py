"""The rules that need more than one value, or the kind of event source, but no I/O; in AWS's words if known.

A request comes here with its declared constraints kept. Each rule yields what it finds; a client gets the
first.
"""

from collections.abc import Iterator
from typing import cast

from mappings.arns import Arn, EventSource, SourceKind
from mappings.errors import InvalidArn, InvalidParameterValueException, MappingError
from mappings.limits import (
    MAXIMUM_FILTERS,
    MINIMUM_POLLERS,
    MINIMUM_RECORD_AGE_S,
    NEUTRAL,
    NOT_YET,
    SourceLimits,
    SourceType,
    limits_of,
)
from mappings.model import StartingPosition
from mappings.patterns import Constraint, InvalidPattern, Pattern
from mappings.tags import tag_problem
from mappings.wire import CreateRequest

Findings = Iterator[MappingError]


def broken_rules(request: CreateRequest, source: EventSource, *, now: float) -> Findings:
    """Yield every rule that the request breaks, in AWS's order."""
    yield from setting_rules(request, source, now=now)
    yield from filter_rules(request, source)


def setting_rules(request: CreateRequest, source: EventSource, *, now: float) -> Findings:
    """Yield what is broken before AWS looks at the source itself; last, what this version does not do."""
    limits = limits_of(source)
    yield from _foreign_fields(request, source, limits)
    # A foreign field is reported once; no rule about it follows.
    own = cast("CreateRequest", {field: value for field, value in request.items() if field in limits.fields})
    yield from _batch_rules(own, limits)
    if limits.starting_positions:
        yield from _position_rules(own, source, limits, now)
    yield from _age_rules(own)
    yield from _tumbling_window_rules(own)
    yield from _destination_rules(own)
    yield from _poller_rules(own)
    yield from _metrics_rules(own)
    yield from _tag_rules(own)
    yield from _not_yet(own)


def _foreign_fields(request: CreateRequest, source: EventSource, limits: SourceLimits) -> Findings:
    for field in request:
        if field not in limits.fields:
            yield _foreign_field(field, source)


def _foreign_field(field: str, source: EventSource) -> InvalidParameterValueException:
    explanation = f"{field} does not apply to {SourceType.of(source).value}"
    if field.startswith("StartingPosition") and not source.kind.is_stream:
        # AWS has a text of its own for this one.
        return InvalidParameterValueException(
            "StartingPosition is not valid for SQS event sources.", field=field, explanation=explanation
        )
    return unsupported(field, explanation)


def unsupported(field: str, explanation: str) -> InvalidParameterValueException:
    """Return AWS's refusal of a parameter of some other kind of event source."""
    name = field.rpartition(".")[2]
    return InvalidParameterValueException(
        f"Unsupported {name} parameter for given event source mapping type.",
        field=field,
        explanation=explanation,
    )


def _batch_rules(request: CreateRequest, limits: SourceLimits) -> Findings:
    size = request.get("BatchSize", limits.batch_size)
    window = request.get("MaximumBatchingWindowInSeconds", 0)
    if window > limits.maximum_batching_window:
        yield InvalidParameterValueException(
            "Batching window is not supported for FIFO queues", field="MaximumBatchingWindowInSeconds"
        )
    if size > limits.maximum_batch_size:
        yield InvalidParameterValueException(
            f"Batch size must not exceed {limits.maximum_batch_size} for FIFO queues", field="BatchSize"
        )
    if window == 0 and size > limits.maximum_batch_size_without_window:
        yield InvalidParameterValueException(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than "
            f"{limits.maximum_batch_size_without_window}",
            field="MaximumBatchingWindowInSeconds",
        )


def _position_rules(
    request: CreateRequest, source: EventSource, limits: SourceLimits, now: float
) -> Findings:
    position = request.get("StartingPosition")
    if position is None:
        yield InvalidParameterValueException(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null.",
            field="StartingPosition",
            explanation=f"StartingPosition is required for {SourceType.of(source).value}",
        )
    elif position not in limits.starting_positions:
        yield InvalidParameterValueException(
            f"Unsupported starting position for arn type: {source.arn}",
            field="StartingPosition",
            explanation=f"StartingPosition {position} does not apply to {SourceType.of(source).value}",
        )
    elif message := _timestamp_problem(position, request.get("StartingPositionTimestamp"), now):
        yield InvalidParameterValueException(message, field="StartingPositionTimestamp")


def _timestamp_problem(position: str, timestamp: float | None, now: float) -> str | None:
    at_timestamp = position == StartingPosition.AT_TIMESTAMP
    if timestamp is None:
        missing = "StartingPositionTimestamp is required when StartingPosition is AT_TIMESTAMP"
        return missing if at_timestamp else None
    if not at_timestamp:
        return "Timestamp only valid with StartingPosition AT_TIMESTAMP"
    if timestamp < 0:
        # AWS passes on what Kinesis says of it.
        return (
            "Received Exception while reading from provided stream. "
            "class java.lang.Long can not be converted to a Timestamp"
        )
    return "StartingPositionTimestamp must not be in the future" if timestamp > now else None


def _age_rules(request: CreateRequest) -> Findings:
    if 0 <= request.get("MaximumRecordAgeInSeconds", -1) < MINIMUM_RECORD_AGE_S:
        yield InvalidParameterValueException(
            f"MaximumRecordAgeInSeconds must be -1 or at least {MINIMUM_RECORD_AGE_S}",
            field="MaximumRecordAgeInSeconds",
        )


def _tumbling_window_rules(request: CreateRequest) -> Findings:
    if request.get("TumblingWindowInSeconds", 0) == 0:
        return
    if request.get("ParallelizationFactor", 1) > 1:
        yield InvalidParameterValueException(
            "TumblingWindowInSeconds cannot be combined with a ParallelizationFactor above 1",
            field="TumblingWindowInSeconds",
        )
    if request.get("FilterCriteria", {}).get("Filters"):
        yield InvalidParameterValueException(
            "TumblingWindowInSeconds cannot be combined with FilterCriteria", field="TumblingWindowInSeconds"
        )


def _destination_rules(request: CreateRequest) -> Findings:
    config = request.get("DestinationConfig", {})
    if "OnSuccess" in config:
        yield unsupported(
            "DestinationConfig", "DestinationConfig.OnSuccess does not apply to an event source mapping"
        )
    if config.get("OnFailure") == {}:
        yield InvalidParameterValueException(
            "The Destination field is required for an OnFailure configuration.",
            field="DestinationConfig.OnFailure",
        )
    destination = config.get("OnFailure", {}).get("Destination")
    if destination and (problem := _destination_problem(destination)):
        yield InvalidParameterValueException(problem, field="DestinationConfig.OnFailure.Destination")


def _destination_problem(destination: str) -> str | None:
    try:
        arn = Arn.parse(destination)
        if arn.service in {"sqs", "sns"}:
            arn.require("region", "account")
    except InvalidArn as error:
        return str(error)
    if arn.service not in {"sqs", "sns", "s3"}:
        return "An on-failure destination must be an SQS queue, an SNS topic or an S3 bucket"
    if arn.service != "s3" and arn.resource.endswith(".fifo"):
        return "An on-failure destination must not be a FIFO queue or FIFO topic"
    return None


def _poller_rules(request: CreateRequest) -> Findings:
    config = request.get("ProvisionedPollerConfig")
    if config is None:
        return
    field = "ProvisionedPollerConfig"
    minimum, maximum = config.get("MinimumPollers"), config.get("MaximumPollers")
    if "PollerGroupName" in config:
        yield unsupported(f"{field}.PollerGroupName", f"{field}.PollerGroupName applies to Kafka only")
    if "MaximumConcurrency" in request.get("ScalingConfig", {}):
        yield InvalidParameterValueException(
            "Provisioned mode for SQS ESM does not support maximum concurrency feature. "
            "Use MaximumPollers as the control mechanism and remove maximum concurrency.",
            field=field,
        )
    if minimum is None and maximum is None:
        yield InvalidParameterValueException(
            "Either MinimumPollers or MaximumPollers are required if ProvisionedPollerConfig is provided.",
            field=field,
        )
    elif (minimum or MINIMUM_POLLERS) < MINIMUM_POLLERS or (maximum or 10_000) < (minimum or MINIMUM_POLLERS):
        yield InvalidParameterValueException(
            "MinimumPollers should be between [2, 200] and "
            "MaximumPollers should be between [MinimumPollers, 10000]",
            field=field,
        )


def _metrics_rules(request: CreateRequest) -> Findings:
    if set(request.get("MetricsConfig", {}).get("Metrics", ())) - {"EventCount"}:
        yield InvalidParameterValueException(
            "MetricsConfig.Metrics may hold EventCount only for this event source",
            field="MetricsConfig.Metrics",
        )


def _tag_rules(request: CreateRequest) -> Findings:
    if problem := tag_problem(request.get("Tags", {})):
        yield InvalidParameterValueException(problem, field="Tags")


# What a filter names to look into the record itself. It is JSON: a list of plain values is an error.
_DATA_KEYS = {SourceKind.KINESIS: "data", SourceKind.DYNAMODB: "dynamodb"}


def filter_rules(request: CreateRequest, source: EventSource) -> Findings:
    """Yield what is broken about filters, which AWS reads after it has looked at the source."""
    filters = request.get("FilterCriteria", {}).get("Filters", [])
    if len(filters) > MAXIMUM_FILTERS:
        yield InvalidParameterValueException(
            f"FilterCriteria.Filters may hold up to {MAXIMUM_FILTERS} filters", field="FilterCriteria.Filters"
        )
    for index, each in enumerate(filters):
        problem = _pattern_problem(each.get("Pattern", ""), source)
        if problem is not None:
            yield InvalidParameterValueException(
                "Invalid filter pattern definition.",
                field=f"FilterCriteria.Filters[{index}].Pattern",
                explanation=problem,
            )


def _pattern_problem(text: str, source: EventSource) -> str | None:
    try:
        pattern = Pattern.parse(text)
    except InvalidPattern as error:
        return str(error)
    key = _DATA_KEYS.get(source.kind)
    if key is not None and pattern.constraint_on(key) & Constraint.VALUES:
        return f'"{key}" must be an object: the data of a record is compared as JSON'
    return None


def _not_yet(request: CreateRequest) -> Findings:
    for field, value in request.items():
        if field in NOT_YET and value not in NEUTRAL.get(field, ()):
            yield InvalidParameterValueException(NOT_YET[field], field=field)
