"""Whether a CreateEventSourceMapping request makes a mapping: AWS's two layers, constraints before rules."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import cast
from uuid import UUID

from mappings.arns import EventSource, FunctionName
from mappings.constraints import request_violations
from mappings.directory import FunctionDirectory
from mappings.errors import (
    InvalidArn,
    InvalidParameterValueException,
    MappingError,
    UnrecognizedEventSource,
    ValidationException,
)
from mappings.limits import limits_of
from mappings.model import EventSourceMapping, StartingPosition
from mappings.rules import broken_rules
from mappings.wire import CreateRequest


def mapping_from_request(
    request: Mapping[str, object],
    *,
    now: float,
    uuid: str | None = None,
    directory: FunctionDirectory | None = None,
) -> EventSourceMapping:
    """Return the mapping that the request describes, or raise what AWS would answer first.

    `now` is in epoch seconds. Without a `uuid` the mapping gets the one that `stable_uuid` derives. The
    `directory` says what its function is called.
    """
    for error in _errors(request, now):
        raise error
    return built_mapping(typed_request(request), uuid, directory or FunctionDirectory())


def request_errors(request: Mapping[str, object], *, now: float) -> tuple[MappingError, ...]:
    """Return everything that is wrong with the request, the one that AWS would answer first."""
    return tuple(_errors(request, now))


def stable_uuid(event_source_arn: str, function_arn: str) -> str:
    """Return the UUID of the one mapping that can exist between this source and this qualified function.

    It has the shape of AWS's random ones (lower-case, version 4) and is the same in every process, so a
    mapping that stands in a file keeps its checkpoints over restarts, whatever else of it changes.
    """
    digest = hashlib.sha256(f"{event_source_arn}\n{function_arn}".encode()).digest()
    return str(UUID(bytes=digest[:16], version=4))


def _errors(request: Mapping[str, object], now: float) -> Iterator[MappingError]:
    violations = request_violations(request)
    if violations:
        yield ValidationException(violations)
        return
    typed = typed_request(request)
    try:
        source = event_source_of(typed)
    except InvalidParameterValueException as error:
        yield error
    else:
        yield from broken_rules(typed, source, now=now)


def typed_request(request: Mapping[str, object]) -> CreateRequest:
    """Drop the nulls, which mean absent; the declared constraints, which are kept, prove every other type."""
    return cast("CreateRequest", without_nulls(request))


def patched_request(current: CreateRequest, changes: CreateRequest) -> CreateRequest:
    """Return the request that `current` becomes by an update (semantics 1.2.4).

    What is absent stays; an empty value clears. An empty ProvisionedPollerConfig, which a create refuses, is
    how clients take it away.
    """
    patched = current | changes
    if changes.get("ProvisionedPollerConfig") == {}:
        del patched["ProvisionedPollerConfig"]
    return patched


def without_nulls(value: object) -> object:
    """Return JSON data without the members that are null: to AWS they are as if they were not written."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_nulls(item) for item in value]
    return value


def event_source_of(request: CreateRequest) -> EventSource:
    """Read the event source, or raise InvalidParameterValueException as AWS does for one it does not know."""
    text = request.get("EventSourceArn")
    if text is None:
        raise InvalidParameterValueException(
            "Unrecognized event source.", field="EventSourceArn", explanation="EventSourceArn is missing"
        )
    try:
        return EventSource.parse(text)
    except UnrecognizedEventSource as error:
        raise InvalidParameterValueException(
            "Unrecognized event source.", field="EventSourceArn", explanation=str(error)
        ) from error
    except InvalidArn as error:
        raise InvalidParameterValueException(str(error), field="EventSourceArn") from error


def built_mapping(
    request: CreateRequest, uuid: str | None, directory: FunctionDirectory
) -> EventSourceMapping:
    """Return the mapping of a request that breaks nothing."""
    source = EventSource.parse(request["EventSourceArn"])
    function = FunctionName.parse(request["FunctionName"])
    # Of the name alone: where a function is called something else, its mapping keeps its checkpoints.
    named = function.arn(region=source.region, account=source.account, partition=source.partition)
    position = request.get("StartingPosition")
    pollers = request.get("ProvisionedPollerConfig", {})
    return EventSourceMapping(
        uuid=uuid or stable_uuid(source.arn, named),
        event_source=source,
        function_name=request["FunctionName"],
        function_arn=directory.arn_of(request["FunctionName"], source),
        enabled=request.get("Enabled", True),
        batch_size=request.get("BatchSize", limits_of(source).batch_size),
        maximum_batching_window_in_seconds=request.get("MaximumBatchingWindowInSeconds", 0),
        filter_patterns=tuple(
            each.get("Pattern", "") for each in request.get("FilterCriteria", {}).get("Filters", ())
        ),
        function_response_types=tuple(request.get("FunctionResponseTypes", ())),
        metrics=tuple(request.get("MetricsConfig", {}).get("Metrics", ())),
        kms_key_arn=request.get("KMSKeyArn") or None,
        starting_position=StartingPosition(position) if position else None,
        starting_position_timestamp=request.get("StartingPositionTimestamp"),
        parallelization_factor=request.get("ParallelizationFactor", 1),
        maximum_retry_attempts=request.get("MaximumRetryAttempts", -1),
        maximum_record_age_in_seconds=request.get("MaximumRecordAgeInSeconds", -1),
        bisect_batch_on_function_error=request.get("BisectBatchOnFunctionError", False),
        tumbling_window_in_seconds=request.get("TumblingWindowInSeconds", 0),
        on_failure_destination=request.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        or None,
        maximum_concurrency=request.get("ScalingConfig", {}).get("MaximumConcurrency"),
        minimum_pollers=pollers.get("MinimumPollers"),
        maximum_pollers=pollers.get("MaximumPollers"),
    )
