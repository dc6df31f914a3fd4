"""What may define a mapping and is not one itself is read, or refused by its place."""

import json
from pathlib import Path

import pytest

from tests.mappings.readers.reading import CASES, SQS, problems_in, read, refused, requests_in

PROCESSED = (
    "take the template as CloudFormation processed it: aws cloudformation get-template "
    "--template-stage Processed --stack-name STACK"
)


def written(folder: Path, text: str, name: str = "t.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_the_queue_between_a_topic_and_a_function_is_a_source() -> None:
    """SAM makes a mapping of an SNS event with SqsSubscription."""
    found = requests_in(CASES / "sns_with_queue.yaml")

    assert found["Resources.Worker.Events.Alerts"] == {
        "EventSourceArn": f"{SQS}:alerts",
        "FunctionName": "worker",
        "BatchSize": 5,
    }
    assert len(found) == 2


def sns(folder: Path, subscription: str) -> Path:
    return written(
        folder,
        f"""
Transform: AWS::Serverless-2016-10-31
Parameters: {{Buffered: {{Type: String}}}}
Conditions: {{IsBuffered: !Equals [!Ref Buffered, "yes"]}}
Resources:
  Plain:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {{EventSourceArn: "{SQS}:plain", FunctionName: f}}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: worker
      Events:
        Alerts: {{Type: SNS, Properties: {{Topic: t{subscription}}}}}
""",
    )


@pytest.mark.parametrize(
    "subscription",
    ["", ", SqsSubscription: false", ", SqsSubscription: !If [IsBuffered, true, !Ref AWS::NoValue]"],
)
def test_a_topic_that_calls_the_function_itself_is_no_mapping(tmp_path: Path, subscription: str) -> None:
    """Nothing polls for it."""
    assert list(requests_in(sns(tmp_path, subscription), {"Buffered": "no"})) == ["Resources.Plain"]


def test_the_queue_that_sam_makes_is_asked_for(tmp_path: Path) -> None:
    """Under the logical ID that SAM gives it."""
    path = sns(tmp_path, ", SqsSubscription: true")

    (problem,) = problems_in(path)

    assert problem == (
        "Resources.Worker.Events.Alerts (worker): SqsSubscription: WorkerAlertsQueue.Arn is the ARN of a "
        "queue that SAM makes, known only on deployment; --set WorkerAlertsQueue.Arn=VALUE gives it"
    )
    found = requests_in(path, {"WorkerAlertsQueue.Arn": f"{SQS}:made"})
    assert found["Resources.Worker.Events.Alerts"]["EventSourceArn"] == f"{SQS}:made"


def test_a_subscription_that_is_no_queue_is_refused(tmp_path: Path) -> None:
    """With what is expected."""
    (problem,) = problems_in(sns(tmp_path, ", SqsSubscription: {Queue: a}"))

    assert problem.endswith(
        'SqsSubscription: true, or an object with QueueArn and QueueUrl is expected, not {"Queue": "a"}'
    )


MAPPING = f"""
  M:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {{EventSourceArn: "{SQS}:x", FunctionName: g}}
"""
PROPERTIES = "X: {Type: AWS::Serverless::Function, Properties: {FunctionName: f, %s}}"
ANOTHER = "may define mappings in another template; give that as a file, and --skip this one"


@pytest.mark.parametrize(
    ("resource", "place", "problem"),
    [
        (
            "Fn::ForEach::Loop: [Name, [a], {}]",
            "Resources.Fn::ForEach::Loop",
            f"Resources.Fn::ForEach::Loop is not supported; {PROCESSED}",
        ),
        (
            "Fn::Transform: {Name: AWS::Include}",
            "Resources.Fn::Transform",
            f"Resources.Fn::Transform is not supported; {PROCESSED}",
        ),
        (
            "X: {Fn::Transform: {Name: AWS::Include}}",
            "Resources.X",
            f"Fn::Transform is not supported; {PROCESSED}",
        ),
        (
            "X: {Type: My::Team::Queue::MODULE}",
            "Resources.X",
            f"the module My::Team::Queue::MODULE may define mappings; {PROCESSED}",
        ),
        (
            "X: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: 'https://a/b.yaml'}}",
            "Resources.X",
            f"AWS::CloudFormation::Stack {ANOTHER}",
        ),
        (
            "X: {Type: AWS::Serverless::Application, Properties: {Location: {ApplicationId: a}}}",
            "Resources.X",
            f"AWS::Serverless::Application {ANOTHER}",
        ),
        (
            "X: {Type: AWS::Serverless::Application, Properties: {Location: ./nested/t.yaml}}",
            "Resources.X",
            "Location: ./nested/t.yaml may define mappings and is not read; give it as a file as well",
        ),
        (
            PROPERTIES % "Fn::Transform: {Name: AWS::Include}",
            "Resources.X.Properties",
            f"Fn::Transform is not supported; {PROCESSED}",
        ),
        (
            PROPERTIES % "Events: {Fn::Transform: {Name: M}}",
            "Resources.X.Events.Fn::Transform (f)",
            f"Fn::Transform is not supported; {PROCESSED}",
        ),
    ],
)
def test_what_stands_for_resources_is_refused(
    tmp_path: Path, resource: str, place: str, problem: str
) -> None:
    """Each kind, by its place and with the way to get what it makes."""
    path = written(tmp_path, f"Resources:{MAPPING}  {resource}\n")

    assert problems_in(path) == [f"{place}: {problem}"]


def test_a_template_of_loops_alone_is_a_template() -> None:
    """It is not taken for a mapping file."""
    (problem,) = problems_in(CASES / "for_each.yaml")

    assert problem.endswith(f"Resources.Fn::ForEach::Workers is not supported; {PROCESSED}")


def test_a_stack_that_is_not_wanted_is_not_asked_for(tmp_path: Path) -> None:
    """Its condition does not hold."""
    path = written(
        tmp_path,
        f"""
Conditions: {{Never: !Equals [a, b]}}
Resources:
  M: {{Type: AWS::Lambda::EventSourceMapping, Properties: {{EventSourceArn: "{SQS}:x", FunctionName: g}}}}
  X: {{Type: AWS::CloudFormation::Stack, Condition: Never, Properties: {{TemplateURL: "https://a"}}}}
""",
    )

    assert list(requests_in(path)) == ["Resources.M"]


def test_a_nested_template_that_is_read_too_is_not_refused(tmp_path: Path) -> None:
    """The file beside it is one of the files."""
    nested = written(tmp_path, f"Resources:{MAPPING}", "nested/t.yaml")
    outer = written(
        tmp_path,
        "Resources: {X: {Type: AWS::Serverless::Application, Properties: {Location: ./nested/t.yaml}}}",
    )

    assert len(read([outer, nested]).mappings) == 1
    assert len(refused([outer])) == 1


def service(folder: Path, event: str, more: str = "") -> Path:
    return written(
        folder,
        f"""
service: shop
provider: {{name: aws}}
functions:
  f:
    handler: a.b
    events:
      - sqs: {SQS}:x
      - {event}
{more}
""",
        "serverless.yml",
    )


def test_an_event_that_is_a_variable_is_read() -> None:
    """Whatever it stands for is an event."""
    assert [each["EventSourceArn"] for each in requests_in(CASES / "event_variable.yml").values()] == [
        f"{SQS}:orders",
        f"{SQS}:other",
    ]


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (
            "snsSqs: {name: q}",
            "snsSqs is not an event of the framework; what a plugin makes of it is not known here",
        ),
        (
            "${self:custom.gone}",
            "${self:custom.gone} has no value and no default; --set self:custom.gone=VALUE gives it",
        ),
        ("[1]", "[1] is no event"),
    ],
)
def test_an_event_that_is_not_known_is_refused(tmp_path: Path, event: str, problem: str) -> None:
    """It may be a mapping."""
    assert problems_in(service(tmp_path, event)) == [f"functions.f.events[1]: {problem}"]


def test_events_that_call_the_function_are_no_mappings(tmp_path: Path) -> None:
    """By name alone, too."""
    for event in ("schedule: rate(1 minute)", "alexaSkill", "http: GET /", "'${self:custom.e}'"):
        found = requests_in(service(tmp_path, event, "custom: {e: {httpApi: '*'}}"))
        assert list(found) == ["functions.f.events[0].sqs"]


@pytest.mark.parametrize(
    ("more", "place", "problem"),
    [
        (
            "constructs: {orders: {type: queue, worker: {handler: a.b}}}",
            "constructs.orders",
            "a queue of serverless-lift defines a mapping and is not supported; ",
        ),
        (
            "resources: {Resources: {FEventSourceMappingSQSX: {Properties: {BatchSize: 1}}}}",
            "resources.Resources.FEventSourceMappingSQSX",
            "a change of a mapping that the framework makes is not supported",
        ),
        (
            "resources: {Resources: {Fn::Transform: {Name: AWS::Include}}}",
            "resources.Resources.Fn::Transform",
            f"resources.Resources.Fn::Transform is not supported; {PROCESSED}",
        ),
    ],
)
def test_what_else_in_a_service_makes_mappings_is_refused(
    tmp_path: Path, more: str, place: str, problem: str
) -> None:
    """Constructs of a plugin, and changes of what the framework makes."""
    (told,) = problems_in(service(tmp_path, "alexaSkill", more))

    assert told.startswith(f"{place}: {problem}")


def test_a_mapping_of_another_controller_is_refused(tmp_path: Path) -> None:
    """Its manifest stands beside one of ACK's."""
    ours = "apiVersion: lambda.services.k8s.aws/v1alpha1\nkind: EventSourceMapping\nmetadata: {name: a}\n"
    path = written(
        tmp_path,
        f"{ours}spec: {{eventSourceARN: '{SQS}:x', functionName: f}}\n---\n"
        "apiVersion: lambda.aws.upbound.io/v1beta1\nkind: EventSourceMapping\nmetadata: {name: b}\n",
    )

    assert problems_in(path) == [
        (
            "EventSourceMapping b: apiVersion lambda.aws.upbound.io/v1beta1 is not supported; "
            "lambda.services.k8s.aws/v1alpha1 is"
        )
    ]


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (
            "aws_cloudformation_stack",
            (
                "aws_cloudformation_stack may define mappings in a template; give that as a file, "
                "and --skip this one"
            ),
        ),
        (
            "awscc_lambda_event_source_mapping",
            "awscc_lambda_event_source_mapping is not supported; aws_lambda_event_source_mapping is",
        ),
    ],
)
def test_a_resource_of_a_plan_that_may_be_a_mapping_is_refused(
    tmp_path: Path, kind: str, problem: str
) -> None:
    """With its address."""
    resource = {"address": f"{kind}.x", "mode": "managed", "type": kind, "name": "x", "values": {}}
    document = {"format_version": "1.2", "planned_values": {"root_module": {"resources": [resource]}}}
    path = written(tmp_path, json.dumps(document), "plan.json")

    assert problems_in(path) == [f"{kind}.x: {problem}"]


def test_what_a_plan_leaves_for_later_is_refused(tmp_path: Path) -> None:
    """It may be any number of mappings."""
    kind = "aws_lambda_event_source_mapping"
    change = {"resource_change": {"address": f"module.m.{kind}.x", "type": kind}}
    document = {"format_version": "1.2", "terraform_version": "1.13.0", "deferred_changes": [change]}
    path = written(tmp_path, json.dumps(document), "plan.json")

    (problem,) = problems_in(path)

    assert problem.endswith("x: the plan leaves it for a later one; apply this one first")
