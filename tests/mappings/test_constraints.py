"""The layer that the service model declares: what it refuses, in AWS's words, and what it lets pass."""

import pytest

from mappings.constraints import request_violations

QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
VALID = {"EventSourceArn": QUEUE, "FunctionName": "audit"}


ONE_TYPE = "ReportBatchItemFailures"


@pytest.mark.parametrize(
    ("member", "value", "shown", "path", "constraint"),
    [
        ("BatchSize", 0, "0", "batchSize", "Member must have value greater than or equal to 1"),
        ("BatchSize", 10_001, "10001", "batchSize", "Member must have value less than or equal to 10000"),
        ("BatchSize", "10", "10", "batchSize", "Member must be of type integer"),
        ("BatchSize", True, "true", "batchSize", "Member must be of type integer"),
        ("BatchSize", 10.0, "10.0", "batchSize", "Member must be of type integer"),
        ("Enabled", "yes", "yes", "enabled", "Member must be of type boolean"),
        (
            "StartingPosition",
            "FIRST",
            "FIRST",
            "startingPosition",
            "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
        ),
        (
            "StartingPositionTimestamp",
            "x",
            "x",
            "startingPositionTimestamp",
            "Member must be of type timestamp",
        ),
        (
            "StartingPositionTimestamp",
            float("nan"),
            "NaN",
            "startingPositionTimestamp",
            "Member must be of type timestamp",
        ),
        (
            "FunctionResponseTypes",
            [ONE_TYPE, ONE_TYPE],
            f'["{ONE_TYPE}", "{ONE_TYPE}"]',
            "functionResponseTypes",
            "Member must have length less than or equal to 1",
        ),
        (
            "FunctionResponseTypes",
            ["All"],
            "All",
            "functionResponseTypes.1.member",
            "Member must satisfy enum value set: [ReportBatchItemFailures]",
        ),
        ("FunctionResponseTypes", "All", "All", "functionResponseTypes", "Member must be of type list"),
        (
            "ScalingConfig",
            {"MaximumConcurrency": 1},
            "1",
            "scalingConfig.maximumConcurrency",
            "Member must have value greater than or equal to 2",
        ),
        ("ScalingConfig", 5, "5", "scalingConfig", "Member must be of type structure"),
        ("Tags", {"": "x"}, "", "tags.", "Member must have length greater than or equal to 1"),
        ("Tags", [], "[]", "tags", "Member must be of type map"),
        (
            "Tags",
            {"k": "!"},
            "!",
            "tags.k",
            r"Member must satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}_.:/=+\-@]*)",
        ),
        (
            "KMSKeyArn",
            "key",
            "key",
            "kMSKeyArn",
            "Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()",
        ),
    ],
)
def test_a_broken_constraint_is_told_in_the_words_of_aws(
    member: str, value: object, shown: str, path: str, constraint: str
) -> None:
    """One value that breaks one declared constraint gives AWS's text for it."""
    (found,) = request_violations({**VALID, member: value})

    assert str(found) == f"Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("EventSourceArn", "orders"),
        ("FunctionName", "a b"),
        ("DestinationConfig", {"OnFailure": {"Destination": "orders"}}),
    ],
)
def test_a_malformed_name_is_told_twice_in_pattern_and_in_words(member: str, value: object) -> None:
    """A client gets the model's pattern, a person gets what is wrong."""
    (found,) = request_violations({**VALID, member: value})

    assert "Member must satisfy regular expression pattern: " in found.constraint
    assert " is not a" in found.sentence


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("EventSourceArn", "arn:aws:sqs:elasticmq:000000000000:orders"),
        ("FunctionName", "arn:aws:lambda:ddblocal:000000000000:function:audit"),
        ("DestinationConfig", {"OnFailure": {"Destination": "arn:aws:sqs:elasticmq:000000000000:dead"}}),
        ("DestinationConfig", {"OnFailure": {"Destination": ""}}),
        ("Tags", {"größe": "x 1_.:/=+-@ ½\u00a0東"}),
        ("KMSKeyArn", ""),
        ("FilterCriteria", {"Filters": [{"Pattern": "{\n}"}]}),
        ("BatchSize", None),
        ("ScalingConfig", {"MaximumConcurrency": None}),
    ],
)
def test_what_the_model_allows_passes(member: str, value: object) -> None:
    """Regions of emulators, Unicode tags, empty destinations, and nulls, which mean absent."""
    assert request_violations({**VALID, member: value}) == ()


def test_a_missing_function_name_is_null_to_aws_and_missing_to_a_person() -> None:
    """FunctionName is the one member that the model requires."""
    (found,) = request_violations({"EventSourceArn": QUEUE, "FunctionName": None})

    assert str(found) == "Value null at 'functionName' failed to satisfy constraint: Member must not be null"
    assert found.sentence == "FunctionName is missing"


@pytest.mark.parametrize(
    ("extra", "field", "sentence"),
    [
        (
            {"Batchsize": 5},
            "Batchsize",
            "Batchsize is not a parameter of CreateEventSourceMapping, did you mean BatchSize?",
        ),
        ({"Zzz": None}, "Zzz", "Zzz is not a parameter of CreateEventSourceMapping"),
        (
            {"ScalingConfig": {"MaxConcurrency": 2}},
            "ScalingConfig.MaxConcurrency",
            "MaxConcurrency is not a parameter of ScalingConfig, did you mean MaximumConcurrency?",
        ),
    ],
)
def test_an_unknown_member_is_refused_by_name(extra: dict[str, object], field: str, sentence: str) -> None:
    """An option that nobody would obey is not accepted, at any depth."""
    (found,) = request_violations({**VALID, **extra})

    assert (found.field, found.constraint) == (field, "Member must be defined")
    assert found.explanation == sentence


def test_everything_broken_is_found_at_once() -> None:
    """The front end reports all violations together."""
    found = request_violations({"BatchSize": 0, "Enabled": 1, "Foo": 1})

    assert [each.field for each in found] == ["BatchSize", "Enabled", "Foo", "FunctionName"]
