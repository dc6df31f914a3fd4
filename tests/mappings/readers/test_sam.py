"""SAM templates: functions with events, beside plain mappings in the same file."""

from pathlib import Path

import pytest

from tests.mappings.readers.reading import (
    ACCOUNT,
    CASES,
    DATA,
    KINESIS,
    SNS,
    SQS,
    TABLE_STREAM,
    problems_in,
    requests_in,
    same_mappings,
)

SAM = DATA / "sam.yaml"
NAMES = {"Sessions": "sessions", "Audit": "audit"}  # functions without a name
DEV = {
    "Resources.ReplayMapping": {
        "EventSourceArn": f"{SQS}:orders-dev-dead",
        "FunctionName": "order-intake-dev",
        "Enabled": False,
    },
    "Resources.OrderIntake.Events.Orders": {
        "EventSourceArn": f"{SQS}:orders-dev",
        "FunctionName": "order-intake-dev",
        "BatchSize": 25,
        "MaximumBatchingWindowInSeconds": 5,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "FilterCriteria": {"Filters": [{"Pattern": '{"body": {"kind": ["order"]}}'}]},
        "ScalingConfig": {"MaximumConcurrency": 2},
    },
    "Resources.Sessions.Events.Clicks": {
        "EventSourceArn": f"{KINESIS}/clicks-dev",
        "FunctionName": "sessions:live",
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 500,
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 3,
        "DestinationConfig": {"OnFailure": {"Destination": f"{SNS}:failed-clicks"}},
    },
}


def template(tmp_path: Path, event: str, function: str = "FunctionName: F") -> Path:
    """Write a template with a function F of one event E."""
    path = tmp_path / "t.yaml"
    path.write_text(
        f"""
Transform: AWS::Serverless-2016-10-31
Globals: {{Function: {{Timeout: 3}}}}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      {function}
      Events:
        E: {event}
  Plain:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {{EventSourceArn: "{SQS}:plain", FunctionName: !Ref F}}
"""
    )
    return path


def test_an_application_is_read_as_sam_would_deploy_it() -> None:
    """Events, an alias that SAM publishes, a plain mapping; Api and Schedule events are no mappings."""
    assert requests_in(SAM, ACCOUNT | NAMES | {"AuditTableStream": "unused"}) == DEV


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_translator_of_sam_gives_the_same_mappings(stage: str) -> None:
    """aws-sam-translator 1.115.0 made a template of this file, which is cut to what mappings refer to."""
    answers = ACCOUNT | NAMES | {"Stage": stage, "AuditTableStream": TABLE_STREAM}

    assert same_mappings(requests_in(DATA / "sam_translated.json", answers), requests_in(SAM, answers))


def test_parameters_and_conditions_change_what_is_deployed() -> None:
    """The function under a condition comes in, the size by stage changes, the factor is set."""
    found = requests_in(SAM, ACCOUNT | NAMES | {"Stage": "prod", "AuditTableStream": TABLE_STREAM})

    assert found["Resources.Audit.Events.Changes"] == {
        "EventSourceArn": TABLE_STREAM,
        "FunctionName": "audit",
        "StartingPosition": "LATEST",
        "Enabled": True,
    }
    assert found["Resources.OrderIntake.Events.Orders"]["ScalingConfig"] == {"MaximumConcurrency": 40}
    assert found["Resources.Sessions.Events.Clicks"]["ParallelizationFactor"] == 4


@pytest.mark.parametrize(
    ("answers", "name"), [({"F": "local"}, "local:live"), ({"F.Alias": "local"}, "local")]
)
def test_the_name_of_the_function_may_be_given(tmp_path: Path, answers: dict[str, str], name: str) -> None:
    """The function has none otherwise; an answer for the alias is the whole name."""
    path = template(
        tmp_path,
        f"{{Type: SQS, Properties: {{Queue: '{SQS}:x'}}}}",
        "FunctionName: F\n      AutoPublishAlias: live",
    )

    assert requests_in(path, answers)["Resources.F.Events.E"]["FunctionName"] == name


def test_an_alias_for_all_functions_is_one_for_each(tmp_path: Path) -> None:
    """It stands in Globals."""
    path = template(tmp_path, f"{{Type: SQS, Properties: {{Queue: '{SQS}:x'}}}}")
    path.write_text(path.read_text().replace("Timeout: 3", "AutoPublishAlias: live"))

    assert requests_in(path)["Resources.F.Events.E"]["FunctionName"] == "F:live"


QUEUE = f"Queue: '{SQS}:x'"


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ("{Type: MSK, Properties: {}}", "Type MSK is not supported; SQS, Kinesis, DynamoDB are"),
        ("{Type: SelfManagedKafka}", "Type SelfManagedKafka is not supported; SQS, Kinesis, DynamoDB are"),
        ("{Type: MQ}", "Type MQ is not supported; SQS, Kinesis, DynamoDB are"),
        ("{Type: DocumentDB}", "Type DocumentDB is not supported; SQS, Kinesis, DynamoDB are"),
        ("{Type: Sqs}", 'Type "Sqs" is not an event of SAM'),
        ("[]", "Type null is not an event of SAM"),
        ("{Type: SQS, Properties: {BatchSize: 1}}", "Queue is missing"),
        ("{Type: SQS, Properties: [1]}", "Properties must be an object"),
        (
            "{Type: SQS, Properties: {Queue: !Ref Q}}",
            "Queue: !Ref Q names neither a parameter nor a resource of this template; --set Q=VALUE gives it",
        ),
        (
            f"{{Type: SQS, Properties: {{{QUEUE}, Stream: a}}}}",
            "Stream is not a parameter of CreateEventSourceMapping",
        ),
        (
            f"{{Type: SQS, Properties: {{{QUEUE}, FunctionName: a}}}}",
            "FunctionName is not a property of a SAM event",
        ),
        (
            f"{{Type: SQS, Properties: {{{QUEUE}, Topics: [orders]}}}}",
            "Topics does not apply to an SQS standard queue",
        ),
    ],
)
def test_an_event_that_cannot_be_obeyed_is_refused(tmp_path: Path, event: str, problem: str) -> None:
    """With the function, the event and the property."""
    (told,) = problems_in(template(tmp_path, event))

    assert told.startswith("Resources.F.Events.E")
    assert told.endswith(f": {problem}")


def test_a_name_that_is_not_known_is_refused(tmp_path: Path) -> None:
    """So is one that needs a deployment."""
    path = template(
        tmp_path, f"{{Type: SQS, Properties: {{{QUEUE}}}}}", "FunctionName: !Sub '${AWS::StackName}-f'"
    )

    assert problems_in(path)[-1].endswith(
        "the name of the function: !Ref AWS::StackName is known only on deployment; "
        "--set AWS::StackName=VALUE gives it"
    )


def test_events_that_are_no_object_are_refused(tmp_path: Path) -> None:
    """They may hide any number of mappings."""
    path = tmp_path / "t.yaml"
    path.write_text(
        "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Events: [a]}}}", encoding="utf-8"
    )

    assert problems_in(path)[0] == "Resources.F: Events must be an object whose names are written out"


def test_the_type_of_a_destination_is_for_the_role_alone() -> None:
    """A bucket takes failures, as a queue or a topic does."""
    found = requests_in(CASES / "s3_destination.yaml")["Resources.Worker.Events.Clicks"]

    assert found["DestinationConfig"] == {"OnFailure": {"Destination": "arn:aws:s3:::failed-clicks"}}


def test_a_problem_names_the_property_that_the_author_wrote(tmp_path: Path) -> None:
    """Not the member that AWS makes of it."""
    (problem,) = problems_in(
        template(tmp_path, "{Type: SQS, Properties: {Queue: 'arn:aws:kafka:eu-west-1:1:c'}}")
    )

    assert ": Queue: " in problem
