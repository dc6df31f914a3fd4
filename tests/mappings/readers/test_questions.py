"""What is asked: all unknowns at once, conditions before the rest, and nothing that would be refused."""

import json
from pathlib import Path

import pytest

from mappings.errors import InvalidFile
from mappings.files import read_mapping_files
from mappings.readers.answers import Given, answers_of_flags, answers_of_parameters, read_parameters
from tests.mappings.readers.reading import ACCOUNT, KINESIS, NOW, SQS, problems_in, requests_in


def template(folder: Path, properties: str, resource: str = "") -> Path:
    path = folder / "t.yaml"
    path.write_text(
        f"""
Parameters:
  Stage: {{Type: String}}
  Wanted: {{Type: String}}
  Types: {{Type: CommaDelimitedList}}
  Pattern: {{Type: String, Default: "{{}}"}}
  Key: {{Type: String}}
Conditions:
  IsWanted: !Equals [!Ref Wanted, "yes"]
Resources:
  Orders: {{Type: AWS::SQS::Queue}}
  Broker: {{Type: AWS::AmazonMQ::Broker}}
  KmsKey: {{Type: AWS::KMS::Key}}
  M:
    Type: AWS::Lambda::EventSourceMapping
    {resource}
    Properties: {properties}
"""
    )
    return path


def asked(problems: list[str]) -> list[str]:
    return sorted({problem.rpartition("; ")[2].removesuffix(" gives it") for problem in problems})


@pytest.mark.parametrize(
    "arn",
    [
        "!Sub 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:${Stage}'",
        "!Join [':', ['arn:aws:sqs', !Ref AWS::Region, !Ref AWS::AccountId, !Ref Stage]]",
    ],
)
def test_all_unknowns_of_a_value_are_asked_for_at_once(tmp_path: Path, arn: str) -> None:
    """Whichever function puts them together."""
    names = ("AWS::AccountId", "AWS::Region", "Stage")

    assert asked(problems_in(template(tmp_path, f"{{FunctionName: f, EventSourceArn: {arn}}}"))) == [
        f"--set {name}=VALUE" for name in names
    ]


def test_a_condition_is_asked_for_before_what_it_decides(tmp_path: Path) -> None:
    """There may be no mapping at all."""
    path = template(
        tmp_path, "{FunctionName: !Ref Stage, EventSourceArn: !GetAtt Orders.Arn}", "Condition: IsWanted"
    )

    assert asked(problems_in(path)) == ["--set Wanted=VALUE"]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("KmsKeyArn: !GetAtt KmsKey.Arn", "KMSKeyArn is not supported yet"),
        (
            "Queues: [orders]",
            "Queues is for an event source that is not supported; SQS, Kinesis and DynamoDB Streams are",
        ),
        (
            "Topics: [!Ref Stage]",
            "Topics is for an event source that is not supported; SQS, Kinesis and DynamoDB Streams are",
        ),
    ],
)
def test_nothing_is_asked_of_a_mapping_that_will_be_refused(tmp_path: Path, more: str, problem: str) -> None:
    """The refusal comes first, and alone."""
    path = template(tmp_path, f"{{FunctionName: !Ref Stage, EventSourceArn: !Ref Broker, {more}}}")

    (told,) = problems_in(path)

    assert told.endswith(f": {problem}")


def test_what_a_parameter_may_leave_empty_is_asked_for(tmp_path: Path) -> None:
    """An empty key is none."""
    path = template(
        tmp_path, f"{{FunctionName: f, EventSourceArn: '{SQS}:x', KmsKeyArn: !If [IsWanted, !Ref Key, '']}}"
    )

    assert asked(problems_in(path)) == ["--set Wanted=VALUE"]
    assert requests_in(path, {"Wanted": "no"})["Resources.M"]["KMSKeyArn"] == ""


@pytest.mark.parametrize("types", ['["ReportBatchItemFailures"]', "ReportBatchItemFailures"])
def test_a_list_is_given_as_json_or_with_commas(tmp_path: Path, types: str) -> None:
    """As CloudFormation takes it, or as JSON."""
    path = template(
        tmp_path, f"{{FunctionName: f, EventSourceArn: '{SQS}:x', FunctionResponseTypes: !Ref Types}}"
    )

    found = requests_in(path, {"Types": types})["Resources.M"]

    assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_an_object_is_given_as_json(tmp_path: Path) -> None:
    """Where the member is one; a text stays the text that it is."""
    path = template(
        tmp_path,
        f"{{FunctionName: f, EventSourceArn: '{SQS}:x',"
        " FilterCriteria: !Ref Criteria, Tags: !ImportValue tags}",
    )
    criteria = {"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]}

    found = requests_in(path, {"Criteria": json.dumps(criteria), "ImportValue.tags": '{"team": "a"}'})

    assert found["Resources.M"]["FilterCriteria"] == criteria
    assert found["Resources.M"]["Tags"] == {"team": "a"}


def test_a_pattern_is_a_text_though_it_looks_like_an_object(tmp_path: Path) -> None:
    """As it was written, to the letter."""
    path = template(
        tmp_path,
        f"{{FunctionName: f, EventSourceArn: '{SQS}:x',"
        " FilterCriteria: {Filters: [{Pattern: !Ref Pattern}]}}",
    )

    found = requests_in(path, {"Pattern": '{"body":  {"a": [1.0]}}'})["Resources.M"]

    assert found["FilterCriteria"] == {"Filters": [{"Pattern": '{"body":  {"a": [1.0]}}'}]}


def test_an_answer_for_what_the_file_holds_and_does_not_use_is_no_slip(tmp_path: Path) -> None:
    """It may be needed once a condition holds."""
    path = template(
        tmp_path, "{FunctionName: !Ref Stage, EventSourceArn: !GetAtt Orders.Arn}", "Condition: IsWanted"
    )
    path.write_text(
        path.read_text()
        + f"  N: {{Type: AWS::Lambda::EventSourceMapping, Properties: {{EventSourceArn: '{SQS}:n', "
        "FunctionName: n}}\n"
    )

    assert list(requests_in(path, {"Wanted": "no", "Stage": "a", "Orders.Arn": f"{SQS}:a"})) == [
        "Resources.N"
    ]


STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/0a1b"
STACKS = {
    "Stacks": [
        {
            "StackName": "shop",
            "StackId": STACK_ID,
            "Parameters": [
                {"ParameterKey": "Stage", "ParameterValue": "prod"},
                {"ParameterKey": "Stored", "ParameterValue": "/key", "ResolvedValue": f"{SQS}:stored"},
                {"ParameterKey": "Secret", "ParameterValue": "****"},
            ],
            "Outputs": [
                {"OutputKey": "A", "OutputValue": "x"},
                {"OutputKey": "B", "OutputValue": f"{SQS}:orders", "ExportName": "orders-arn"},
            ],
        }
    ]
}
RESOURCES = {
    "StackResources": [
        {
            "StackName": "shop",
            "StackId": STACK_ID,
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceType": kind,
        }
        for logical_id, physical_id, kind in [
            ("Orders", "https://sqs.eu-west-1.amazonaws.com/123456789012/shop-Orders-X", "AWS::SQS::Queue"),
            ("Clicks", "shop-Clicks-Y", "AWS::Kinesis::Stream"),
            ("Worker", "shop-Worker-Z", "AWS::Lambda::Function"),
        ]
    ]
}


def values(document: object) -> dict[str, object]:
    return {name: answer.value for name, answer in answers_of_parameters(document, "s.json").items()}


def test_describe_stacks_answers_for_parameters_exports_and_the_account() -> None:
    """What was not to be shown is no answer."""
    assert values(STACKS) == {
        "AWS::StackName": "shop",
        "AWS::StackId": STACK_ID,
        "AWS::Partition": "aws",
        "AWS::Region": "eu-west-1",
        "AWS::AccountId": "123456789012",
        "Stage": "prod",
        "Stored": f"{SQS}:stored",
        "ImportValue.orders-arn": f"{SQS}:orders",
    }


def test_describe_stack_resources_answers_for_names_and_arns(tmp_path: Path) -> None:
    """Of queues, streams and functions that have no name in the template; what is not needed is no slip."""
    path = tmp_path / "t.yaml"
    mapping = "{{Type: AWS::Lambda::EventSourceMapping, Properties: {{FunctionName: !Ref Worker, {}}}}}"
    path.write_text(
        f"""
Resources:
  Orders: {{Type: AWS::SQS::Queue}}
  Clicks: {{Type: AWS::Kinesis::Stream}}
  Worker: {{Type: AWS::Lambda::Function}}
  M: {mapping.format("EventSourceArn: !GetAtt Orders.Arn")}
  N: {mapping.format("EventSourceArn: !GetAtt Clicks.Arn, StartingPosition: LATEST")}
"""
    )
    answers = answers_of_parameters(RESOURCES, "r.json")

    found = read_mapping_files([path], now=NOW, given=Given(answers=answers))

    assert [(each.event_source.arn, each.function_name) for each in found.mappings] == [
        (f"{SQS}:shop-Orders-X", "shop-Worker-Z"),
        (f"{KINESIS}/shop-Clicks-Y", "shop-Worker-Z"),
    ]


CONFIG = """
version = 0.1
[default.global.parameters]
stack_name = "shop"
[default.deploy.parameters]
region = "eu-west-1"
parameter_overrides = "Stage=\\"dev\\" ParameterKey=Size,ParameterValue=5"
[prod.deploy.parameters]
parameter_overrides = ["Stage=prod", "Names=a,b"]
"""


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ("", {"AWS::StackName": "shop", "AWS::Region": "eu-west-1", "Stage": "dev", "Size": "5"}),
        (":prod", {"Stage": "prod", "Names": "a,b"}),
    ],
)
def test_a_samconfig_answers_for_what_sam_would_deploy(
    tmp_path: Path, environment: str, expected: dict[str, str]
) -> None:
    """Of the default environment, or of the one that is named."""
    path = tmp_path / "samconfig.toml"
    path.write_text(CONFIG)

    found = read_parameters([f"{path}{environment}"])

    assert {name: answer.value for name, answer in found.items()} == expected


@pytest.mark.parametrize(
    ("text", "environment", "problem"),
    [
        (CONFIG, ":qa", "there is no environment qa; FILE:NAME chooses one of default, prod"),
        ("[", "", "not TOML: "),
        (
            '[default.deploy.parameters]\nparameter_overrides = "Stage"',
            "",
            'parameter_overrides: "Stage" is not NAME=VALUE',
        ),
        (
            "[default.deploy.parameters]\nparameter_overrides = 1",
            "",
            "parameter_overrides must be a text or a list, not 1",
        ),
    ],
)
def test_a_samconfig_that_cannot_be_read_is_refused(
    tmp_path: Path, text: str, environment: str, problem: str
) -> None:
    """With what is wrong."""
    path = tmp_path / "samconfig.toml"
    path.write_text(text)

    with pytest.raises(InvalidFile) as refused:
        read_parameters([f"{path}{environment}"])

    assert refused.value.problems[0].startswith(f"{path}{environment}: {problem}")


def test_parameters_files_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    """Both are named; what both say alike is fine."""
    for name, text in (("a", "{Stage: dev, Size: 1}"), ("b", "{Stage: prod, Size: 1}")):
        (tmp_path / f"{name}.yaml").write_text(text)

    with pytest.raises(InvalidFile) as refused:
        read_parameters([f"{tmp_path}/a.yaml", f"{tmp_path}/b.yaml"])

    assert refused.value.problems == (f"{tmp_path}/b.yaml: Stage: {tmp_path}/a.yaml: Stage says otherwise",)


def test_a_flag_comes_before_a_parameters_file(tmp_path: Path) -> None:
    """The nearer wins."""
    path = template(tmp_path, f"{{FunctionName: !Ref Stage, EventSourceArn: '{SQS}:x'}}")
    answers = answers_of_parameters({"Stage": "dev", **ACCOUNT}, "p.json") | answers_of_flags(["Stage=prod"])

    found = read_mapping_files([path], now=NOW, given=Given(answers=answers))

    assert found.mappings[0].function_name == "prod"


def service(folder: Path, event: str) -> Path:
    path = folder / "serverless.yml"
    path.write_text(
        f"""
service: shop
provider: {{name: aws}}
custom: {{unneeded: "${{env:OTHER, 'x'}}"}}
functions:
  f: {{handler: a.b, events: [{event}]}}
"""
    )
    return path


def test_all_variables_of_a_text_are_asked_for_at_once(tmp_path: Path) -> None:
    """One after the other would take as many runs."""
    path = service(tmp_path, 'sqs: "arn:aws:sqs:${param:region}:${param:account}:x"')

    assert asked(problems_in(path)) == ["--set account=VALUE", "--set region=VALUE"]


@pytest.mark.parametrize("name", ["stage", "region", "env:OTHER"])
def test_an_option_of_the_framework_is_never_unused(tmp_path: Path, name: str) -> None:
    """Nor is what a variable asks for that no mapping needs."""
    assert len(requests_in(service(tmp_path, f"sqs: '{SQS}:x'"), {name: "eu-west-1"})) == 1


def test_an_event_is_given_as_json(tmp_path: Path) -> None:
    """Where a variable stands for one."""
    path = service(tmp_path, '"${self:custom.orders}"')

    found = requests_in(
        path, {"self:custom.orders": json.dumps({"sqs": {"arn": f"{SQS}:x", "batchSize": 3}})}
    )

    assert found["functions.f.events[0].sqs"]["BatchSize"] == 3
