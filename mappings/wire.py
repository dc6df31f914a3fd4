"""The JSON in which AWS's API speaks of a mapping: what a request holds, and what a response shows."""

from collections.abc import Mapping
from typing import TypedDict, cast

from mappings.model import EventSourceMapping
from mappings.service_model import CREATE_REQUEST, members
from mappings.states import State, transition_reason
from mappings.store import StoredMapping


class Filter(TypedDict, total=False):
    Pattern: str


class FilterCriteria(TypedDict, total=False):
    Filters: list[Filter]


class Destination(TypedDict, total=False):
    Destination: str


class DestinationConfig(TypedDict, total=False):
    OnSuccess: Destination
    OnFailure: Destination


class ScalingConfig(TypedDict, total=False):
    MaximumConcurrency: int


class ProvisionedPollerConfig(TypedDict, total=False):
    MinimumPollers: int
    MaximumPollers: int
    PollerGroupName: str


class MetricsConfig(TypedDict, total=False):
    Metrics: list[str]


class CreateRequest(TypedDict, total=False):
    """The members of CreateEventSourceMapping that our event sources know, with their constraints kept."""

    EventSourceArn: str
    FunctionName: str
    Enabled: bool
    BatchSize: int
    MaximumBatchingWindowInSeconds: int
    FilterCriteria: FilterCriteria
    FunctionResponseTypes: list[str]
    KMSKeyArn: str
    MetricsConfig: MetricsConfig
    Tags: dict[str, str]
    StartingPosition: str
    StartingPositionTimestamp: float
    ParallelizationFactor: int
    MaximumRetryAttempts: int
    MaximumRecordAgeInSeconds: int
    BisectBatchOnFunctionError: bool
    TumblingWindowInSeconds: int
    DestinationConfig: DestinationConfig
    ScalingConfig: ScalingConfig
    ProvisionedPollerConfig: ProvisionedPollerConfig


def to_configuration(
    mapping: EventSourceMapping,
    *,
    state: State,
    state_transition_reason: str,
    last_modified: float,
    last_processing_result: str,
) -> dict[str, object]:
    """Return the mapping as an EventSourceMappingConfiguration, with exactly the members that AWS shows.

    `last_modified` is in epoch seconds. AWS never shows the LastProcessingResult of a queue, nor do we.
    """
    source = mapping.event_source
    configuration: dict[str, object] = {
        "UUID": mapping.uuid,
        "EventSourceMappingArn": mapping.event_source_mapping_arn,
        "EventSourceArn": source.arn,
        "FunctionArn": mapping.function_arn,
        "BatchSize": mapping.batch_size,
        "MaximumBatchingWindowInSeconds": mapping.maximum_batching_window_in_seconds,
        "FunctionResponseTypes": list(mapping.function_response_types),
        "State": state.value,
        "StateTransitionReason": state_transition_reason,
        "LastModified": last_modified,
    }
    if source.kind.is_stream:
        configuration |= _stream_members(mapping) | {"LastProcessingResult": last_processing_result}
    return configuration | _members_shown_when_set(mapping)


def _stream_members(mapping: EventSourceMapping) -> dict[str, object]:
    destination = mapping.on_failure_destination
    return {
        "StartingPosition": mapping.starting_position,
        "ParallelizationFactor": mapping.parallelization_factor,
        "MaximumRetryAttempts": mapping.maximum_retry_attempts,
        "MaximumRecordAgeInSeconds": mapping.maximum_record_age_in_seconds,
        "BisectBatchOnFunctionError": mapping.bisect_batch_on_function_error,
        "TumblingWindowInSeconds": mapping.tumbling_window_in_seconds,
        "DestinationConfig": {"OnFailure": {"Destination": destination} if destination else {}},
    }


def _members_shown_when_set(mapping: EventSourceMapping) -> dict[str, object]:
    pollers = {"MinimumPollers": mapping.minimum_pollers, "MaximumPollers": mapping.maximum_pollers}
    candidates: dict[str, object] = {
        "StartingPositionTimestamp": mapping.starting_position_timestamp,
        "KMSKeyArn": mapping.kms_key_arn,
    }
    if mapping.filter_patterns:
        candidates["FilterCriteria"] = {"Filters": [{"Pattern": text} for text in mapping.filter_patterns]}
    if mapping.maximum_concurrency is not None:
        candidates["ScalingConfig"] = {"MaximumConcurrency": mapping.maximum_concurrency}
    if mapping.metrics:
        candidates["MetricsConfig"] = {"Metrics": list(mapping.metrics)}
    if any(count is not None for count in pollers.values()):
        candidates["ProvisionedPollerConfig"] = {k: v for k, v in pollers.items() if v is not None}
    return {member: value for member, value in candidates.items() if value is not None}


def configuration_of(stored: StoredMapping) -> dict[str, object]:
    """Return a mapping as every operation of the API answers with it."""
    return to_configuration(
        stored.mapping,
        state=stored.state,
        state_transition_reason=transition_reason(stored.mapping.event_source.kind),
        last_modified=stored.last_modified,
        last_processing_result=stored.last_processing_result,
    )


def request_of(mapping: EventSourceMapping) -> CreateRequest:
    """Return the request that makes this mapping; every member is explicit."""
    configuration = to_configuration(
        mapping,
        state=State.ENABLED,
        state_transition_reason="",
        last_modified=0.0,
        last_processing_result="",
    )
    named = {"FunctionName": mapping.function_name, "Enabled": mapping.enabled}
    return cast("CreateRequest", to_request(configuration) | named)


def without_shown_blanks(request: Mapping[str, object]) -> Mapping[str, object]:
    """Leave out the OnFailure without a Destination by which AWS's own answers say that there is none."""
    config = request.get("DestinationConfig")
    if not isinstance(config, Mapping) or not _is_blank(config.get("OnFailure")):
        return request
    rest = {member: value for member, value in config.items() if member != "OnFailure"}
    others = {member: value for member, value in request.items() if member != "DestinationConfig"}
    return {**others, "DestinationConfig": rest} if rest else others


def _is_blank(value: object) -> bool:
    return isinstance(value, Mapping) and all(member is None for member in value.values())


def to_request(configuration: Mapping[str, object]) -> dict[str, object]:
    """Return the CreateEventSourceMapping request that makes a mapping like the one `configuration` shows.

    A configuration tells the function by its ARN alone, and whether it is enabled by its State alone.
    """
    shown = {member: configuration[member] for member in members(CREATE_REQUEST) if member in configuration}
    enabled = configuration.get("State") not in {State.DISABLED, State.DISABLING}
    request = {**shown, "FunctionName": configuration["FunctionArn"], "Enabled": enabled}
    return dict(without_shown_blanks(request))
