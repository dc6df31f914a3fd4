"""CloudFormation templates: a synthesized CDK application, what each function gives, and every refusal."""

from pathlib import Path

import pytest

from tests.mappings.readers.reading import ACCOUNT, DATA, KINESIS, SQS, TABLE_STREAM, problems_in, requests_in

# What aws-cdk-lib 2.276.0 synthesized for queues, a stream, a table, and functions with and without an alias.
CDK = DATA / "intake.template.json"
CDK_ANSWERS = {
    **ACCOUNT,
    "Audit3D8ADE0A": "audit",
    "Refunds5C942FA9.Arn": f"{SQS}:refunds",
    "Images2D38C313.StreamArn": TABLE_STREAM,
}
ORDERS_PLACE = "Resources.AuditSqsEventSourceIntakeOrdersC58846CD469E9C2B"
REFUNDS_PLACE = "Resources.AuditSqsEventSourceIntakeRefunds495BB33775DD92EB"
CLICKS_PLACE = "Resources.ResizeLiveKinesisEventSourceIntakeClicks8568E7026EAC71D4"
IMAGES_PLACE = "Resources.ResizeImages3B93ACAA"
ALWAYS = {
    ORDERS_PLACE: {
        "BatchSize": 10,
        "EventSourceArn": f"{SQS}:orders.fifo",
        "FunctionName": "audit",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    },
    REFUNDS_PLACE: {
        "EventSourceArn": f"{SQS}:refunds",
        "FilterCriteria": {"Filters": [{"Pattern": '{"body":{"amount":[{"numeric":[">",1,"<=",5]}]}}'}]},
        "FunctionName": "audit",
        "ScalingConfig": {"MaximumConcurrency": 5},
    },
    CLICKS_PLACE: {
        "BatchSize": 500,
        "EventSourceArn": f"{KINESIS}/clicks",
        "FunctionName": "resize:live",
        "MaximumBatchingWindowInSeconds": 5,
        "MaximumRetryAttempts": 3,
        "ParallelizationFactor": 4,
        "StartingPosition": "TRIM_HORIZON",
    },
}


def template(tmp_path: Path, properties: str, more: str = "") -> Path:
    """Write a template with one mapping M of these properties, a few named resources, and more sections."""
    path = tmp_path / "t.yaml"
    path.write_text(
        f"""
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Stage: {{Type: String, Default: dev, AllowedValues: [dev, prod]}}
  Size: {{Type: Number, Default: 20}}
  Open: {{Type: String}}
  Account: {{Type: String, Default: 000000000000}}
  Parts: {{Type: CommaDelimitedList, Default: "arn:aws:sqs, eu-west-1"}}
  Stored: {{Type: "AWS::SSM::Parameter::Value<String>", Default: /queues/orders}}
Mappings:
  Sizes: {{dev: {{batch: 1}}, prod: {{batch: 9}}}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsDev: !Not [!Condition IsProd]
  Both: !And [!Condition IsProd, !Condition IsDev]
  Either: !Or [!Condition IsProd, !Condition IsDev]
  Unknown: !Equals [!Ref Open, x]
  Circle: !Not [!Condition Circle]
{more}
Resources:
  Orders: {{Type: "AWS::SQS::Queue", Properties: {{QueueName: !Sub "orders-${{Stage}}"}}}}
  Nameless: {{Type: "AWS::SQS::Queue"}}
  Mirror: {{Type: "AWS::SQS::Queue", Properties: {{QueueName: !GetAtt Mirror.QueueName}}}}
  Clicks: {{Type: "AWS::Kinesis::Stream", Properties: {{Name: clicks}}}}
  Images: {{Type: "AWS::DynamoDB::Table", Properties: {{TableName: images}}}}
  Fan: {{Type: "AWS::Kinesis::StreamConsumer"}}
  Audit: {{Type: "AWS::Lambda::Function", Properties: {{FunctionName: audit}}}}
  AuditVersion: {{Type: "AWS::Lambda::Version", Properties: {{FunctionName: !Ref Audit}}}}
  AuditLive: {{Type: "AWS::Lambda::Alias", Properties: {{FunctionName: !GetAtt Audit.Arn, Name: live}}}}
  M:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {properties}
"""
    )
    return path


def test_a_cdk_application_is_read_with_its_account_and_what_only_a_deployment_knows() -> None:
    """Hashed logical IDs, an alias that is taken apart by its colons, a condition: each comes out whole."""
    assert requests_in(CDK, CDK_ANSWERS) == {
        **ALWAYS,
        IMAGES_PLACE: {
            "BisectBatchOnFunctionError": True,
            "DestinationConfig": {"OnFailure": {"Destination": f"{SQS}:orders-dead"}},
            "EventSourceArn": TABLE_STREAM,
            "FunctionName": "resize:live",
            "StartingPosition": "LATEST",
            "TumblingWindowInSeconds": 60,
        },
    }


def test_a_condition_that_does_not_hold_leaves_its_mapping_out() -> None:
    """A parameter decides it, as on deployment."""
    answers = {name: value for name, value in CDK_ANSWERS.items() if "Images" not in name}

    assert requests_in(CDK, answers | {"WithImages": "off"}) == ALWAYS


def test_what_no_template_knows_is_asked_for_by_name() -> None:
    """Each sentence names resource, property, reference and the flag that gives the value."""
    region = (
        "needs AWS::Region and AWS::AccountId; --set AWS::Region=VALUE --set AWS::AccountId=VALUE give it"
    )
    found = problems_in(CDK)

    assert f"{ORDERS_PLACE} (Audit3D8ADE0A): EventSourceArn: !GetAtt OrdersA9B65338.Arn {region}" in found
    assert (
        f"{REFUNDS_PLACE} (Audit3D8ADE0A): EventSourceArn: !GetAtt Refunds5C942FA9.Arn is known only on "
        "deployment, because Refunds5C942FA9 has no QueueName; --set Refunds5C942FA9.Arn=VALUE gives it"
    ) in found
    assert (
        f"{IMAGES_PLACE}: EventSourceArn: !GetAtt Images2D38C313.StreamArn ends in a label that DynamoDB "
        "makes up when the stream is enabled; --set Images2D38C313.StreamArn=VALUE gives it"
    ) in found
    assert f"{IMAGES_PLACE}: FunctionName[0]: !Ref ResizeLiveFDA3AFBC {region}" in found
    assert len(found) == 9


OF_THE_ACCOUNT = {
    "!GetAtt Orders.Arn": "orders-dev",
    "{'Fn::GetAtt': [Orders, Arn]}": "orders-dev",
    "!Sub 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:${Orders.QueueName}'": "orders-dev",
    "!Join [':', [arn, !Ref AWS::Partition, sqs, !Ref AWS::Region, !Ref AWS::AccountId, x]]": "x",
    "!Sub ['${Arn}', {Arn: !GetAtt Orders.Arn}]": "orders-dev",
    "!If [IsDev, !GetAtt Orders.Arn, !Ref Open]": "orders-dev",
    "!If [Both, !Ref Open, !GetAtt Orders.Arn]": "orders-dev",
    "!If [Either, !GetAtt Orders.Arn, !Ref Open]": "orders-dev",
    "!Select [1, [!Ref Open, !GetAtt Orders.Arn]]": "orders-dev",
}
WRITTEN_OUT = {
    "!Join [':', [!Select [0, !Ref Parts], !Select [1, !Ref Parts], '123456789012', x]]": f"{SQS}:x",
    "!Join [':', !Split ['|', 'arn|aws|sqs|eu-west-1|123456789012|x']]": f"{SQS}:x",
    "!Sub 'arn:aws:sqs:eu-west-1:${Account}:x'": "arn:aws:sqs:eu-west-1:000000000000:x",
}


@pytest.mark.parametrize("expression", OF_THE_ACCOUNT)
def test_functions_give_what_they_give_on_deployment(tmp_path: Path, expression: str) -> None:
    """A branch that is not taken, or an item that is not selected, need not be known."""
    path = template(tmp_path, f"{{FunctionName: !Ref Audit, EventSourceArn: {expression}}}")

    assert (
        requests_in(path, ACCOUNT)["Resources.M"]["EventSourceArn"] == f"{SQS}:{OF_THE_ACCOUNT[expression]}"
    )


@pytest.mark.parametrize("expression", WRITTEN_OUT)
def test_functions_over_written_values_need_no_account(tmp_path: Path, expression: str) -> None:
    """An account of zeros stays the text that it is."""
    path = template(tmp_path, f"{{FunctionName: !Ref Audit, EventSourceArn: {expression}}}")

    assert requests_in(path)["Resources.M"]["EventSourceArn"] == WRITTEN_OUT[expression]


def test_sub_leaves_what_is_written_literally(tmp_path: Path) -> None:
    """`${!Name}` is the text `${Name}`."""
    pattern = """!Sub '{"body":{"a":["${!Stage}", "${Stage}"]}}'"""
    path = template(
        tmp_path,
        f"{{FunctionName: f, EventSourceArn: '{SQS}:x',"
        f" FilterCriteria: {{Filters: [{{Pattern: {pattern}}}]}}}}",
    )

    assert requests_in(path)["Resources.M"]["FilterCriteria"] == {
        "Filters": [{"Pattern": '{"body":{"a":["${Stage}", "dev"]}}'}]
    }


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("!Ref Audit", "audit"),
        ("!GetAtt Audit.Arn", "audit"),
        ("!Sub '${Audit.Arn}:live'", "audit:live"),
        ("!Ref AuditLive", "audit:live"),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:audit",
            "arn:aws:lambda:eu-west-1:123456789012:function:audit",
        ),
    ],
)
def test_a_function_of_the_template_is_its_bare_name(tmp_path: Path, expression: str, name: str) -> None:
    """A mapping file can define it, without region or account; a written ARN stays one."""
    path = template(tmp_path, f"{{EventSourceArn: '{SQS}:x', FunctionName: {expression}}}")

    assert requests_in(path)["Resources.M"]["FunctionName"] == name


@pytest.mark.parametrize(
    ("written", "member", "value"),
    [
        ("BatchSize: !Ref Size", "BatchSize", 20),
        ("BatchSize: '7'", "BatchSize", 7),
        ("BatchSize: !FindInMap [Sizes, !Ref Stage, batch]", "BatchSize", 1),
        ("BatchSize: !FindInMap [Sizes, other, batch, {DefaultValue: 3}]", "BatchSize", 3),
        ("Enabled: 'false'", "Enabled", False),
        (
            "StartingPosition: AT_TIMESTAMP, StartingPositionTimestamp: '1700000000.5'",
            "StartingPositionTimestamp",
            1_700_000_000.5,
        ),
        ("KmsKeyArn: ''", "KMSKeyArn", ""),
        ("Tags: []", "Tags", {}),
        (
            "FilterCriteria: {Filters: [{Pattern: !ToJsonString {data: {a: [1]}}}]}",
            "FilterCriteria",
            {"Filters": [{"Pattern": '{"data":{"a":[1]}}'}]},
        ),
    ],
)
def test_values_get_the_type_that_aws_declares(
    tmp_path: Path, written: str, member: str, value: object
) -> None:
    """Parameters are texts on deployment, too, and CloudFormation converts them."""
    position = "" if "StartingPosition" in written else "StartingPosition: LATEST, "
    path = template(tmp_path, f"{{EventSourceArn: '{KINESIS}/x', FunctionName: f, {position}{written}}}")

    found = requests_in(path)["Resources.M"][member]

    assert (found, type(found)) == (value, type(value))


def test_no_value_leaves_a_property_out(tmp_path: Path) -> None:
    """As if it were not written, in a list as well."""
    path = template(
        tmp_path,
        f"{{EventSourceArn: '{SQS}:x', FunctionName: f, BatchSize: !If [IsProd, 5, !Ref AWS::NoValue],"
        " FunctionResponseTypes: [!Ref AWS::NoValue]}",
    )

    assert requests_in(path)["Resources.M"] == {
        "EventSourceArn": f"{SQS}:x",
        "FunctionName": "f",
        "FunctionResponseTypes": [],
    }


REFUSALS = {
    "!Ref Open": "!Ref Open is a parameter without a default; --set Open=VALUE gives it",
    "!Ref Stored": "!Ref Stored is held by Systems Manager; --set Stored=VALUE gives it",
    "!Ref Orders": "!Ref Orders is the URL of a queue and no ARN; --set Orders=VALUE gives it",
    "!Ref Gone": "!Ref Gone names neither a parameter nor a resource of this template; "
    "--set Gone=VALUE gives it",
    "!GetAtt Gone.Arn": "!GetAtt Gone.Arn names neither a parameter nor a resource of this template; "
    "--set Gone.Arn=VALUE gives it",
    "!GetAtt Orders.Colour": "!GetAtt Orders.Colour is known only on deployment; "
    "--set Orders.Colour=VALUE gives it",
    "!GetAtt Images.StreamArn": "!GetAtt Images.StreamArn ends in a label that DynamoDB makes up when the "
    "stream is enabled; --set Images.StreamArn=VALUE gives it",
    "!Ref Fan": "!Ref Fan ends in the time at which the consumer is registered; --set Fan=VALUE gives it",
    "!GetAtt Mirror.Arn": "the name of Mirror refers to itself",
    "!Ref AWS::StackName": "!Ref AWS::StackName is known only on deployment; "
    "--set AWS::StackName=VALUE gives it",
    "!Ref AWS::Weather": "!Ref AWS::Weather is not a pseudo parameter",
    "!ImportValue orders-arn": "!ImportValue orders-arn is exported by another stack; "
    "--set ImportValue.orders-arn=VALUE gives it",
    "'{{resolve:ssm:/queues/orders:1}}'": "{{resolve:ssm:/queues/orders:1}} is looked up on deployment; "
    "--set resolve:ssm:/queues/orders:1=VALUE gives it",
    "!If [Unknown, a, b]": "!Ref Open is a parameter without a default; --set Open=VALUE gives it",
    "!If [Nowhere, a, b]": "the condition Nowhere is not in the section Conditions",
    "!If [Circle, a, b]": "the condition of Circle refers to itself",
    "!FindInMap [Sizes, test, batch]": "!FindInMap Sizes.test.batch is not in the section Mappings",
    "!Cidr [a, 1, 2]": "!Cidr is not supported",
    "!Select [9, [a]]": '!Select [9, ["a"]] is malformed',
    "!Join [':']": '!Join [":"] is malformed',
    "!Sub ['${A}', {A: [1]}]": "!Sub needs a text where it is given [1]",
    "": "there is no value",
}


@pytest.mark.parametrize("expression", REFUSALS)
def test_a_reference_that_cannot_be_known_is_refused(tmp_path: Path, expression: str) -> None:
    """One sentence: resource, property, reference, and the flag that would give it."""
    path = template(tmp_path, f"{{FunctionName: f, EventSourceArn: {expression}}}")

    assert problems_in(path) == [f"Resources.M (f): EventSourceArn: {REFUSALS[expression]}"]


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("!Ref Open", "Open"),
        ("!Ref Stored", "Stored"),
        ("!Ref Orders", "Orders"),
        ("!Ref Gone", "Gone"),
        ("!GetAtt Images.StreamArn", "Images.StreamArn"),
        ("!GetAtt Nameless.Arn", "Nameless.Arn"),
        ("!ImportValue orders-arn", "ImportValue.orders-arn"),
        ("'{{resolve:ssm:/queues/orders:1}}'", "resolve:ssm:/queues/orders:1"),
    ],
)
def test_the_flag_that_a_refusal_names_gives_the_value(tmp_path: Path, expression: str, name: str) -> None:
    """What the sentence promises is so."""
    path = template(tmp_path, f"{{FunctionName: f, EventSourceArn: {expression}}}")

    assert requests_in(path, {name: f"{SQS}:x"})["Resources.M"]["EventSourceArn"] == f"{SQS}:x"


def test_an_answer_for_a_resource_is_its_name(tmp_path: Path) -> None:
    """Where Ref gives the name, the ARN and the name of a function follow from it."""
    path = template(
        tmp_path,
        "{FunctionName: !GetAtt Audit.Arn, StartingPosition: LATEST, EventSourceArn: !GetAtt Clicks.Arn}",
    )

    request = requests_in(path, {**ACCOUNT, "Clicks": "views", "Audit": "local"})["Resources.M"]

    assert (request["FunctionName"], request["EventSourceArn"]) == ("local", f"{KINESIS}/views")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            "Properties: {FunctionName: f, Batchsize: 1}",
            (
                "Resources.N (f): Batchsize is not a parameter of CreateEventSourceMapping, "
                "did you mean BatchSize?"
            ),
        ),
        ("Properties: {FunctionName: f, Topics: [orders]}", "Resources.N (f): EventSourceArn is missing"),
        ("Properties: [1]", "Resources.N: Properties must be an object"),
        (
            "Condition: Nowhere",
            "Resources.N: Condition: the condition Nowhere is not in the section Conditions",
        ),
        ("UpdatePolicy: {}", "Resources.N: the attribute UpdatePolicy is not supported"),
    ],
)
def test_what_a_mapping_may_not_say_is_refused(tmp_path: Path, lines: str, problem: str) -> None:
    """Nothing is dropped without a word."""
    path = template(tmp_path, f"{{FunctionName: f, EventSourceArn: '{SQS}:x'}}")
    path.write_text(f"{path.read_text()}  N:\n    Type: AWS::Lambda::EventSourceMapping\n    {lines}\n")

    assert problems_in(path) == [problem]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("Transform: [AWS::LanguageExtensions, Teams]", 'Transform: the macro "Teams" is not supported'),
        ("Transform: {Name: AWS::Include}", 'Transform: the macro {"Name": "AWS::Include"} is not supported'),
    ],
)
def test_a_macro_that_may_change_any_mapping_is_refused(tmp_path: Path, line: str, problem: str) -> None:
    """AWS's own by name alone are taken."""
    path = template(tmp_path, f"{{FunctionName: f, EventSourceArn: '{SQS}:x'}}", more=line)

    (told,) = problems_in(path)

    assert told.startswith(f"{problem}; take the template as CloudFormation processed it")


def test_a_loop_over_resources_is_refused(tmp_path: Path) -> None:
    """It may make mappings that nobody here can see."""
    path = template(tmp_path, f"{{FunctionName: f, EventSourceArn: '{SQS}:x'}}")
    path.write_text(f"{path.read_text()}  Fn::ForEach::Queues: [Name, [a], {{}}]\n")

    assert problems_in(path)[0].startswith("Resources.Fn::ForEach::Queues: ")


def test_a_parameter_keeps_to_its_allowed_values(tmp_path: Path) -> None:
    """A slip of the flag must not name another queue."""
    path = template(tmp_path, "{FunctionName: f, EventSourceArn: !GetAtt Orders.Arn}")

    assert problems_in(path, {"Stage": "porduction"}) == [
        'Resources.M (f): EventSourceArn: "porduction" is not one of the AllowedValues of the parameter Stage'
    ]


def test_names_that_double_each_other_do_not_grow_without_end(tmp_path: Path) -> None:
    """Forty queues, each named twice after the one before, would have a name of a terabyte."""
    lines = ["  Q0: {Type: AWS::SQS::Queue, Properties: {QueueName: xx}}"]
    for number in range(1, 40):
        name = f"!Sub '${{Q{number - 1}.QueueName}}${{Q{number - 1}.QueueName}}'"
        lines.append(f"  Q{number}: {{Type: AWS::SQS::Queue, Properties: {{QueueName: {name}}}}}")
    path = template(tmp_path, "{FunctionName: f, EventSourceArn: !GetAtt Q39.Arn}")
    path.write_text("\n".join([path.read_text(), *lines]))

    assert problems_in(path) == ["Resources.M (f): EventSourceArn: its text has more than 65536 characters"]
