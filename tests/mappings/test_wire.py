"""What a response shows of a mapping, and the way back to a request."""

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.arns import SourceKind
from mappings.limits import NOT_YET
from mappings.model import EventSourceMapping
from mappings.service_model import members
from mappings.states import State
from mappings.validation import mapping_from_request
from mappings.wire import to_configuration, to_request

NOW = 1_700_000_000.0
UUID_4 = "5f0e6a6c-0d5b-4c4b-9a53-2f4f3b0f8a11"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
KINESIS = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
DYNAMODB = "arn:aws:dynamodb:eu-west-1:123456789012:table/users/stream/2024-06-10T19:26:16.525"

COMMON = {
    "BatchSize", "EventSourceArn", "EventSourceMappingArn", "FunctionArn", "FunctionResponseTypes",
    "LastModified", "MaximumBatchingWindowInSeconds", "State", "StateTransitionReason", "UUID",
}  # fmt: skip
STREAM = COMMON | {
    "BisectBatchOnFunctionError", "DestinationConfig", "LastProcessingResult", "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts", "ParallelizationFactor", "StartingPosition", "TumblingWindowInSeconds",
}  # fmt: skip


def configuration_of(mapping: EventSourceMapping, state: State = State.ENABLED) -> dict[str, object]:
    return to_configuration(
        mapping,
        state=state,
        state_transition_reason="User action",
        last_modified=NOW,
        last_processing_result="OK",
    )


@pytest.mark.parametrize(
    ("arn", "position", "expected"),
    [(QUEUE, None, COMMON), (KINESIS, "LATEST", STREAM), (DYNAMODB, "LATEST", STREAM)],
)
def test_a_plain_mapping_shows_exactly_the_members_of_its_source(
    arn: str, position: str | None, expected: set[str]
) -> None:
    """A queue shows no stream field and no LastProcessingResult; nothing unset is shown."""
    request = {"EventSourceArn": arn, "FunctionName": "audit", "StartingPosition": position}

    assert set(configuration_of(mapping_from_request(request, now=NOW))) == expected


def test_a_queue_shows_its_values() -> None:
    """Numbers stay numbers, times are epoch seconds, an empty list is shown."""
    mapping = mapping_from_request(
        {"EventSourceArn": QUEUE, "FunctionName": "audit:live"}, now=NOW, uuid=UUID_4
    )

    assert configuration_of(mapping, State.CREATING) == {
        "UUID": UUID_4,
        "EventSourceMappingArn": f"arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:{UUID_4}",
        "EventSourceArn": QUEUE,
        "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:audit:live",
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        "State": "Creating",
        "StateTransitionReason": "User action",
        "LastModified": NOW,
    }


def test_a_stream_without_destination_shows_an_empty_on_failure() -> None:
    """AWS writes `{"OnFailure": {}}`, and -1 for no limit."""
    request = {"EventSourceArn": KINESIS, "FunctionName": "audit", "StartingPosition": "LATEST"}
    shown = configuration_of(mapping_from_request(request, now=NOW))

    assert shown["DestinationConfig"] == {"OnFailure": {}}
    assert (shown["MaximumRetryAttempts"], shown["MaximumRecordAgeInSeconds"]) == (-1, -1)
    assert shown["LastProcessingResult"] == "OK"


COMMON_FIELDS = {
    "Enabled": st.booleans(),
    "BatchSize": st.integers(1, 10_000),
    "MaximumBatchingWindowInSeconds": st.integers(1, 300),
    "FunctionResponseTypes": st.sampled_from([[], ["ReportBatchItemFailures"]]),
    "FilterCriteria": st.sampled_from(
        [{}, {"Filters": [{"Pattern": '{"a":[1]}'}, {"Pattern": '{"b":["x"]}'}]}]
    ),
    "KMSKeyArn": st.sampled_from(["", "arn:aws:kms:eu-west-1:123456789012:key/1"]),
    "MetricsConfig": st.sampled_from([{}, {"Metrics": []}, {"Metrics": ["EventCount"]}]),
}
POLLERS = st.builds(
    lambda low, more: {"MinimumPollers": low, "MaximumPollers": low + more},
    st.integers(2, 200),
    st.integers(0, 1000),
)
SCALING = st.builds(lambda most: {"MaximumConcurrency": most}, st.integers(2, 1000))
STREAM_FIELDS = {
    **COMMON_FIELDS,
    "ParallelizationFactor": st.integers(1, 10),
    "MaximumRetryAttempts": st.integers(-1, 10_000),
    "MaximumRecordAgeInSeconds": st.just(-1) | st.integers(60, 604_800),
    "BisectBatchOnFunctionError": st.booleans(),
    "DestinationConfig": st.sampled_from([{}, {"OnFailure": {"Destination": "arn:aws:s3:::dead"}}]),
}


def requests() -> st.SearchStrategy[dict[str, object]]:
    """Return every kind of request that AWS takes for our sources."""
    name = st.sampled_from(
        ["audit", "audit:live", "arn:aws:lambda:eu-west-1:123456789012:function:audit:$LATEST"]
    )
    queue = {"EventSourceArn": st.just(QUEUE), "FunctionName": name}
    stream = {"EventSourceArn": st.sampled_from([KINESIS, DYNAMODB]), "FunctionName": name}
    return st.one_of(
        st.fixed_dictionaries(queue, optional={**COMMON_FIELDS, "ScalingConfig": SCALING}),
        st.fixed_dictionaries(queue, optional={**COMMON_FIELDS, "ProvisionedPollerConfig": POLLERS}),
        st.fixed_dictionaries(
            {**stream, "StartingPosition": st.sampled_from(["TRIM_HORIZON", "LATEST"])},
            optional=STREAM_FIELDS,
        ),
        st.fixed_dictionaries(
            {
                **stream,
                "EventSourceArn": st.just(KINESIS),
                "StartingPosition": st.just("AT_TIMESTAMP"),
                "StartingPositionTimestamp": st.floats(0, NOW),
            },
            optional=STREAM_FIELDS,
        ),
    )  # fmt: skip


@given(request=requests())
def test_a_configuration_makes_the_same_mapping_again(request: dict[str, object]) -> None:
    """Nothing is lost between mapping and wire, for every field of every source, waiting ones included.

    Only how the function was written is not on the wire.
    """
    if "MaximumBatchingWindowInSeconds" not in request:
        request["BatchSize"] = 10
    with patch.dict(NOT_YET, clear=True):
        mapping = mapping_from_request(request, now=NOW, uuid=UUID_4)
        shown = configuration_of(mapping, State.ENABLED if mapping.enabled else State.DISABLED)
        again = mapping_from_request(to_request(shown), now=NOW, uuid=UUID_4)

    assert shown == configuration_of(again, State(str(shown["State"])))
    assert (again.function_name, again.enabled) == (mapping.function_arn, mapping.enabled)


@given(request=requests())
def test_a_configuration_holds_only_members_that_the_service_model_knows(request: dict[str, object]) -> None:
    """A client's parser would drop any other."""
    if "MaximumBatchingWindowInSeconds" not in request:
        request["BatchSize"] = 10
    with patch.dict(NOT_YET, clear=True):
        mapping = mapping_from_request(request, now=NOW)

    known = set(members("EventSourceMappingConfiguration"))
    required = COMMON if mapping.event_source.kind is SourceKind.SQS else STREAM
    assert required <= set(configuration_of(mapping)) <= known
