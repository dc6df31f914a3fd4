"""The rules that bind legal values together, per event source, with the texts that clients match on."""

from collections.abc import Mapping

import pytest

from mappings.errors import InvalidParameterValueException, MappingError
from mappings.limits import NEUTRAL, NOT_YET
from mappings.validation import mapping_from_request, request_errors

NOW = 1_700_000_000.0
QUEUE = {"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:orders", "FunctionName": "audit"}
FIFO = {**QUEUE, "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:orders.fifo"}
KINESIS = {
    "EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
    "FunctionName": "audit",
    "StartingPosition": "TRIM_HORIZON",
}
CONSUMER = {
    **KINESIS,
    "EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/clicks/consumer/app:1",
}
DYNAMODB = {
    **KINESIS,
    "EventSourceArn": "arn:aws:dynamodb:us-east-1:000000000000:table/users/stream/2024-06-10T19:26:16.525",
}


def errors(request: Mapping[str, object], **changes: object) -> tuple[MappingError, ...]:
    return request_errors({**request, **changes}, now=NOW)


@pytest.fixture
def everything_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules alone, as they will stand once nothing waits in NOT_YET."""
    for field in tuple(NOT_YET):
        monkeypatch.delitem(NOT_YET, field)


@pytest.mark.usefixtures("everything_supported")
@pytest.mark.parametrize(
    ("request_", "changes", "field", "message"),
    [
        (QUEUE, {"EventSourceArn": None}, "EventSourceArn", "Unrecognized event source."),
        (
            QUEUE,
            {"EventSourceArn": "arn:aws:kafka:us-east-1:000000000000:cluster/a/b"},
            "EventSourceArn",
            "Unrecognized event source.",
        ),
        (
            QUEUE,
            {"EventSourceArn": "arn:aws:sqs::000000000000:orders"},
            "EventSourceArn",
            '"arn:aws:sqs::000000000000:orders" names no region',
        ),
        (
            QUEUE,
            {"BatchSize": 11},
            "MaximumBatchingWindowInSeconds",
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        ),
        (
            FIFO,
            {"MaximumBatchingWindowInSeconds": 1},
            "MaximumBatchingWindowInSeconds",
            "Batching window is not supported for FIFO queues",
        ),
        (FIFO, {"BatchSize": 11}, "BatchSize", "Batch size must not exceed 10 for FIFO queues"),
        (
            KINESIS,
            {"StartingPosition": None},
            "StartingPosition",
            (
                "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
                "Member must not be null."
            ),
        ),
        (
            DYNAMODB,
            {"StartingPosition": "AT_TIMESTAMP"},
            "StartingPosition",
            (
                "Unsupported starting position for arn type: "
                "arn:aws:dynamodb:us-east-1:000000000000:table/users/stream/2024-06-10T19:26:16.525"
            ),
        ),
        (
            KINESIS,
            {"StartingPosition": "AT_TIMESTAMP"},
            "StartingPositionTimestamp",
            "StartingPositionTimestamp is required when StartingPosition is AT_TIMESTAMP",
        ),
        (
            KINESIS,
            {"StartingPositionTimestamp": NOW},
            "StartingPositionTimestamp",
            "Timestamp only valid with StartingPosition AT_TIMESTAMP",
        ),
        (
            KINESIS,
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": NOW + 1},
            "StartingPositionTimestamp",
            "StartingPositionTimestamp must not be in the future",
        ),
        (
            KINESIS,
            {"MaximumRecordAgeInSeconds": 0},
            "MaximumRecordAgeInSeconds",
            "MaximumRecordAgeInSeconds must be -1 or at least 60",
        ),
        (
            KINESIS,
            {"MaximumRecordAgeInSeconds": 59},
            "MaximumRecordAgeInSeconds",
            "MaximumRecordAgeInSeconds must be -1 or at least 60",
        ),
        (
            KINESIS,
            {"TumblingWindowInSeconds": 1, "ParallelizationFactor": 2},
            "TumblingWindowInSeconds",
            "TumblingWindowInSeconds cannot be combined with a ParallelizationFactor above 1",
        ),
        (
            KINESIS,
            {"TumblingWindowInSeconds": 1, "FilterCriteria": {"Filters": [{"Pattern": '{"a":[1]}'}]}},
            "TumblingWindowInSeconds",
            "TumblingWindowInSeconds cannot be combined with FilterCriteria",
        ),
        (
            KINESIS,
            {"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:sqs:us-east-1:000000000000:q"}}},
            "DestinationConfig",
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        (
            KINESIS,
            {"DestinationConfig": {"OnFailure": {"Destination": "kafka://topic"}}},
            "DestinationConfig.OnFailure.Destination",
            '"kafka://topic" is not an ARN: arn:partition:service:region:account:resource is expected',
        ),
        (
            KINESIS,
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sns::000000000000:t"}}},
            "DestinationConfig.OnFailure.Destination",
            '"arn:aws:sns::000000000000:t" names no region',
        ),
        (
            KINESIS,
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:lambda:us-east-1:000000000000:f"}}},
            "DestinationConfig.OnFailure.Destination",
            "An on-failure destination must be an SQS queue, an SNS topic or an S3 bucket",
        ),
        (
            KINESIS,
            {
                "DestinationConfig": {
                    "OnFailure": {"Destination": "arn:aws:sns:us-east-1:000000000000:t.fifo"}
                }
            },
            "DestinationConfig.OnFailure.Destination",
            "An on-failure destination must not be a FIFO queue or FIFO topic",
        ),
        (
            QUEUE,
            {"ProvisionedPollerConfig": {}},
            "ProvisionedPollerConfig",
            "Either MinimumPollers or MaximumPollers are required if ProvisionedPollerConfig is provided.",
        ),
        (
            QUEUE,
            {"ProvisionedPollerConfig": {"MinimumPollers": 1}},
            "ProvisionedPollerConfig",
            (
                "MinimumPollers should be between [2, 200] and MaximumPollers should be between "
                "[MinimumPollers, 10000]"
            ),
        ),
        (
            QUEUE,
            {"ProvisionedPollerConfig": {"MinimumPollers": 5, "MaximumPollers": 4}},
            "ProvisionedPollerConfig",
            (
                "MinimumPollers should be between [2, 200] and MaximumPollers should be between "
                "[MinimumPollers, 10000]"
            ),
        ),
        (
            QUEUE,
            {
                "ProvisionedPollerConfig": {"MinimumPollers": 2},
                "ScalingConfig": {"MaximumConcurrency": 2},
            },
            "ProvisionedPollerConfig",
            (
                "Provisioned mode for SQS ESM does not support maximum concurrency feature. "
                "Use MaximumPollers as the control mechanism and remove maximum concurrency."
            ),
        ),
        (
            QUEUE,
            {"ProvisionedPollerConfig": {"MinimumPollers": 2, "PollerGroupName": "g"}},
            "ProvisionedPollerConfig.PollerGroupName",
            "Unsupported PollerGroupName parameter for given event source mapping type.",
        ),
        (
            QUEUE,
            {"MetricsConfig": {"Metrics": ["EventCount", "KafkaMetrics"]}},
            "MetricsConfig.Metrics",
            "MetricsConfig.Metrics may hold EventCount only for this event source",
        ),
        (
            KINESIS,
            {"MetricsConfig": {"Metrics": ["ErrorCount"]}},
            "MetricsConfig.Metrics",
            "MetricsConfig.Metrics may hold EventCount only for this event source",
        ),
        (
            QUEUE,
            {"FilterCriteria": {"Filters": [{"Pattern": '{"body":["a"]}'}] * 11}},
            "FilterCriteria.Filters",
            "FilterCriteria.Filters may hold up to 10 filters",
        ),
        (
            QUEUE,
            {"FilterCriteria": {"Filters": [{"Pattern": '{"body":["a"]}'}, {"Pattern": '{"body":"a"}'}]}},
            "FilterCriteria.Filters[1].Pattern",
            "Invalid filter pattern definition.",
        ),
        (
            KINESIS,
            {"FilterCriteria": {"Filters": [{"Pattern": '{"data":["text"]}'}]}},
            "FilterCriteria.Filters[0].Pattern",
            "Invalid filter pattern definition.",
        ),
        (
            QUEUE,
            {"FilterCriteria": {"Filters": [{}]}},
            "FilterCriteria.Filters[0].Pattern",
            "Invalid filter pattern definition.",
        ),
    ],
)
def test_a_broken_rule_is_told_alone_with_its_field(
    request_: dict[str, object], changes: dict[str, object], field: str, message: str
) -> None:
    """Each rule gives InvalidParameterValueException with its text, once, and names the field."""
    (error,) = errors(request_, **changes)

    assert isinstance(error, InvalidParameterValueException)
    assert (error.field, error.message) == (field, message)


QUEUE_ONLY = {
    "ScalingConfig": {"MaximumConcurrency": 2},
    "ProvisionedPollerConfig": {"MinimumPollers": 2},
}
STREAM_ONLY = {
    "ParallelizationFactor": 1,
    "MaximumRetryAttempts": -1,
    "MaximumRecordAgeInSeconds": 30,
    "BisectBatchOnFunctionError": False,
    "TumblingWindowInSeconds": 1,
    "DestinationConfig": {"OnFailure": {}},
}
OTHER_SOURCES = {
    "Topics": ["topic"],
    "Queues": ["q"],
    "SourceAccessConfigurations": [],
    "SelfManagedEventSource": {},
    "AmazonManagedKafkaEventSourceConfig": {},
    "SelfManagedKafkaEventSourceConfig": {},
    "DocumentDBEventSourceConfig": {},
    "LoggingConfig": {"SystemLogLevel": "INFO"},
}


@pytest.mark.parametrize(
    ("request_", "name", "foreign"),
    [
        (QUEUE, "an SQS standard queue", {**STREAM_ONLY, **OTHER_SOURCES}),
        (KINESIS, "a Kinesis stream", {**QUEUE_ONLY, **OTHER_SOURCES}),
        (DYNAMODB, "a DynamoDB stream", {**QUEUE_ONLY, **OTHER_SOURCES}),
    ],
)
def test_a_field_of_another_source_is_refused_whatever_its_value(
    request_: dict[str, object], name: str, foreign: dict[str, object]
) -> None:
    """AWS's text names the parameter, ours the kind of source; nothing else is said about the field."""
    for field, value in foreign.items():
        (error,) = errors(request_, **{field: value})

        assert error.message == f"Unsupported {field} parameter for given event source mapping type."
        assert error.sentences() == (f"{field} does not apply to {name}",)


@pytest.mark.parametrize(
    ("request_", "changes", "messages"),
    [
        (
            QUEUE,
            {"StartingPosition": "LATEST"},
            ["StartingPosition is not valid for SQS event sources."],
        ),
        (
            QUEUE,
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": NOW},
            ["StartingPosition is not valid for SQS event sources."] * 2,
        ),
        (
            DYNAMODB,
            {"StartingPosition": "LATEST", "StartingPositionTimestamp": NOW},
            ["Timestamp only valid with StartingPosition AT_TIMESTAMP"],
        ),
        (
            DYNAMODB,
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": -1},
            [f"Unsupported starting position for arn type: {DYNAMODB['EventSourceArn']}"],
        ),
        (
            KINESIS,
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": -1},
            [
                (
                    "Received Exception while reading from provided stream. "
                    "class java.lang.Long can not be converted to a Timestamp"
                )
            ],
        ),
    ],
)
def test_a_starting_position_that_does_not_fit_is_refused_in_recorded_words(
    request_: dict[str, object], changes: dict[str, object], messages: list[str]
) -> None:
    """Each kind of source has texts of its own for it."""
    assert [error.message for error in errors(request_, **changes)] == messages


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"aws:team": "a"}, "The tag key aws:team is reserved: it begins with aws: or poller:"),
        ({"poller:file": "a"}, "The tag key poller:file is reserved: it begins with aws: or poller:"),
        ({f"k{n}": "" for n in range(51)}, "Number of tags exceeds resource tag limit."),
    ],
)
def test_tags_that_may_not_be_set_are_refused(tags: dict[str, str], message: str) -> None:
    """Reserved keys, and more than 50."""
    (error,) = errors(QUEUE, Tags=tags)

    assert (error.field, error.message) == ("Tags", message)


@pytest.mark.parametrize(
    ("request_", "changes"),
    [
        (QUEUE, {"BatchSize": 10}),
        (QUEUE, {"BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 1}),
        (QUEUE, {"FunctionResponseTypes": ["ReportBatchItemFailures"]}),
        (KINESIS, {"BatchSize": 10_000}),
        (DYNAMODB, {"BatchSize": 10_000, "StartingPosition": "LATEST"}),
        (KINESIS, {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": NOW}),
        (KINESIS, {"Enabled": False, "MaximumBatchingWindowInSeconds": 300}),
    ],
)
def test_what_aws_takes_passes(request_: dict[str, object], changes: dict[str, object]) -> None:
    """In particular a stream needs no window for a large batch, though API texts say so."""
    assert errors(request_, **changes) == ()


ASKING = {
    "FilterCriteria": {"Filters": [{"Pattern": '{"body":["a"]}'}]},
    "ScalingConfig": {"MaximumConcurrency": 2},
    "ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 10},
    "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:dead"}},
    "ParallelizationFactor": 2,
    "BisectBatchOnFunctionError": True,
    "MaximumRetryAttempts": 0,
    "MaximumRecordAgeInSeconds": 60,
    "TumblingWindowInSeconds": 1,
    "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1",
    "MetricsConfig": {"Metrics": ["EventCount"]},
    "Tags": {"team": "a"},
}


def base_for(field: str) -> dict[str, object]:
    return dict(QUEUE if field in QUEUE_ONLY else KINESIS)


@pytest.mark.parametrize("field", NOT_YET)
def test_what_is_not_supported_yet_is_refused_by_name(field: str) -> None:
    """A legal value that this version does not obey is refused in one sentence that names the field."""
    (error,) = errors(base_for(field), **{field: ASKING[field]})

    assert (error.code, error.field) == ("InvalidParameterValueException", field)
    assert error.message == NOT_YET[field]
    assert error.message.startswith(field)
    assert "not supported yet" in error.message


@pytest.mark.parametrize(("field", "value"), [(field, each) for field in NEUTRAL for each in NEUTRAL[field]])
def test_a_neutral_value_asks_for_nothing(field: str, value: object) -> None:
    """A request that says the default makes the very mapping of one that says nothing."""
    base = base_for(field)

    assert mapping_from_request({**base, field: value}, now=NOW) == mapping_from_request(base, now=NOW)


@pytest.mark.parametrize("field", [field for field in NOT_YET if field != "Tags"])
def test_deleting_its_line_is_all_that_lifts_a_refusal(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules, model and wire form of a waiting field are ready: the mapping differs from the neutral one."""
    monkeypatch.delitem(NOT_YET, field)
    asking = mapping_from_request({**base_for(field), field: ASKING[field]}, now=NOW)

    assert asking != mapping_from_request(base_for(field), now=NOW)


def test_all_broken_rules_are_found() -> None:
    """A client is told the first; the author of a file is told all."""
    found = errors(KINESIS, StartingPosition=None, KMSKeyArn=ASKING["KMSKeyArn"], ScalingConfig={})

    fields = [error.field for error in found]
    assert fields == ["ScalingConfig", "StartingPosition", "KMSKeyArn"]
