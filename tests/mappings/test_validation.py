"""From a request to a mapping: both layers in order, and what an accepted request becomes."""

from uuid import UUID

import pytest

from mappings.arns import EventSource
from mappings.errors import InvalidParameterValueException, ValidationException
from mappings.limits import NOT_YET
from mappings.model import EventSourceMapping, StartingPosition
from mappings.validation import mapping_from_request, stable_uuid

NOW = 1_700_000_000.0
QUEUE_ARN = "arn:aws:sqs:eu-west-1:123456789012:orders"
STREAM_ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
TABLE_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/users/stream/2024-06-10T19:26:16.525"
UUID_4 = "5f0e6a6c-0d5b-4c4b-9a53-2f4f3b0f8a11"


@pytest.mark.parametrize(
    ("arn", "position", "batch_size"),
    [(QUEUE_ARN, None, 10), (STREAM_ARN, "LATEST", 100), (TABLE_ARN, "TRIM_HORIZON", 100)],
)
def test_the_smallest_request_gets_the_defaults_of_its_source(
    arn: str, position: str | None, batch_size: int
) -> None:
    """Batch size differs per source; all else is neutral."""
    request = {"EventSourceArn": arn, "FunctionName": "audit", "StartingPosition": position}

    assert mapping_from_request(request, now=NOW, uuid=UUID_4) == EventSourceMapping(
        uuid=UUID_4,
        event_source=EventSource.parse(arn),
        function_name="audit",
        function_arn="arn:aws:lambda:eu-west-1:123456789012:function:audit",
        batch_size=batch_size,
        starting_position=StartingPosition(position) if position else None,
    )


def test_every_field_of_a_stream_reaches_the_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing waiting in NOT_YET, what is asked is what the mapping holds."""
    for field in tuple(NOT_YET):
        monkeypatch.delitem(NOT_YET, field)

    made = mapping_from_request(
        {
            "EventSourceArn": STREAM_ARN,
            "FunctionName": "audit:live",
            "Enabled": False,
            "BatchSize": 7,
            "MaximumBatchingWindowInSeconds": 8,
            "FilterCriteria": {"Filters": [{"Pattern": '{"data":{"a":[1]}}'}]},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "KMSKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1",
            "MetricsConfig": {"Metrics": ["EventCount"]},
            "StartingPosition": "AT_TIMESTAMP",
            "StartingPositionTimestamp": 1.5,
            "ParallelizationFactor": 2,
            "MaximumRetryAttempts": 3,
            "MaximumRecordAgeInSeconds": 60,
            "BisectBatchOnFunctionError": True,
            "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::dead"}},
        },
        now=NOW,
        uuid=UUID_4,
    )

    assert made == EventSourceMapping(
        uuid=UUID_4,
        event_source=EventSource.parse(STREAM_ARN),
        function_name="audit:live",
        function_arn="arn:aws:lambda:eu-west-1:123456789012:function:audit:live",
        enabled=False,
        batch_size=7,
        maximum_batching_window_in_seconds=8,
        filter_patterns=('{"data":{"a":[1]}}',),
        function_response_types=("ReportBatchItemFailures",),
        kms_key_arn="arn:aws:kms:eu-west-1:123456789012:key/1",
        metrics=("EventCount",),
        starting_position=StartingPosition.AT_TIMESTAMP,
        starting_position_timestamp=1.5,
        parallelization_factor=2,
        maximum_retry_attempts=3,
        maximum_record_age_in_seconds=60,
        bisect_batch_on_function_error=True,
        on_failure_destination="arn:aws:s3:::dead",
    )


def test_a_broken_constraint_hides_the_rules() -> None:
    """AWS's front end answers before any rule is looked at."""
    request = {"EventSourceArn": "arn:aws:kafka:eu-west-1:1:x", "FunctionName": "audit", "BatchSize": 0}

    with pytest.raises(ValidationException) as refused:
        mapping_from_request(request, now=NOW)

    assert refused.value.field == "EventSourceArn"
    assert [each.field for each in refused.value.violations] == ["EventSourceArn", "BatchSize"]


def test_the_first_broken_rule_is_what_a_client_gets() -> None:
    """A field of another source comes before a rule about batches."""
    request = {
        "EventSourceArn": QUEUE_ARN,
        "FunctionName": "audit",
        "BatchSize": 11,
        "ParallelizationFactor": 2,
    }

    with pytest.raises(InvalidParameterValueException, match="Unsupported ParallelizationFactor parameter"):
        mapping_from_request(request, now=NOW)


def test_nulls_mean_absent_at_every_depth() -> None:
    """A JSON null is no value, in a structure inside a list as well."""
    plain = {"EventSourceArn": QUEUE_ARN, "FunctionName": "audit"}
    nulls = {**plain, "BatchSize": None, "StartingPosition": None, "FilterCriteria": {"Filters": None}}

    assert mapping_from_request(nulls, now=NOW) == mapping_from_request(plain, now=NOW)


def test_the_uuid_of_a_mapping_stays_the_same() -> None:
    """A checkpoint is found again after a restart, by this or by a later version: the value is pinned."""
    one = mapping_from_request({"EventSourceArn": QUEUE_ARN, "FunctionName": "audit"}, now=NOW)
    other = mapping_from_request(
        {"EventSourceArn": QUEUE_ARN, "FunctionName": "audit", "BatchSize": 1}, now=NOW + 1
    )

    assert one.uuid == other.uuid == "71daa1c6-274b-4fde-b589-420a3323a9ae"


def test_the_uuid_has_the_shape_of_awss() -> None:
    """Lower-case, version 4, and another one for another function or source."""
    made = {stable_uuid(source, function) for source in ("a", "b") for function in ("f", "f:live")}

    assert len(made) == 4
    assert all(UUID(each).version == 4 and each == each.lower() for each in made)


def test_an_unqualified_name_and_its_arn_are_one_mapping() -> None:
    """The spelling of the function does not matter to its identity; the qualifier does."""
    by_name, by_arn, by_alias = (
        mapping_from_request({"EventSourceArn": QUEUE_ARN, "FunctionName": name}, now=NOW).uuid
        for name in ("audit", "arn:aws:lambda:eu-west-1:123456789012:function:audit", "audit:live")
    )

    assert by_name == by_arn != by_alias
