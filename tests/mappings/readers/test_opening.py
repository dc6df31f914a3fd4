"""Which files are taken for which format, and what holds for the text of each."""

import json
from pathlib import Path

import pytest

from tests.mappings.readers.reading import DATA, SQS, problems_in, read, requests_in

TEMPLATE = f"""
Resources:
  M:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {{EventSourceArn: '{SQS}:x', FunctionName: f}}
"""


def written(tmp_path: Path, text: str, name: str = "t.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", [path.name for path in DATA.iterdir()])
def test_a_format_is_told_by_content_and_not_by_name(tmp_path: Path, name: str) -> None:
    """Every sample is read the same under a name that says nothing."""
    named = sorted(problems_or_requests(DATA / name))
    unnamed = sorted(problems_or_requests(written(tmp_path, (DATA / name).read_text(), "file")))

    assert unnamed == named


def problems_or_requests(path: Path) -> list[str]:
    try:
        return problems_in(path)
    except BaseException:  # noqa: BLE001 - pytest.fail raises one that is no Exception
        return [f"{place} {request}" for place, request in requests_in(path).items()]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Resources: {}\n", '"Resources" is unknown; a file has the keys functions and mappings'),
        ("a: !Ref x\n", "line 1, column 4: the tag !Ref is not accepted"),
        ("a: null\n", 'line 1, column 1: the key "a" has no value'),
        ("mappings: []\n---\nmappings: []\n", "line 2, column 1: but found another document"),
        (
            "apiVersion: v1\nkind: Pod\n",
            '"apiVersion" is unknown; a file has the keys functions and mappings',
        ),
    ],
)
def test_what_is_not_recognised_is_held_for_a_mapping_file(tmp_path: Path, text: str, problem: str) -> None:
    """The sentences are those of a mapping file."""
    assert problems_in(written(tmp_path, text))[0] == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{TEMPLATE}  Q: !Ref [\n", "line 7, column 1: expected the node content, but found '<stream end>'"),
        (f"{TEMPLATE}  Q: &a [!Ref x, *a]\n", "line 6, column 6: an alias stands inside of what it names"),
        (
            f"{TEMPLATE}---\nmappings: []\n",
            "the file holds 2 documents where a CloudFormation or SAM template is one",
        ),
        (f"{TEMPLATE}  Q: {'[' * 100}{']' * 100}\n", "line 6, column 104: nested too deeply"),
        (f"{TEMPLATE}  Q: {{? [a] : !Ref b}}\n", "line 6, column 9: a key must be a text"),
        (
            f"{TEMPLATE}  Q: !Ref a\n  D: 2026-02-30\n",
            "a value cannot be read: day is out of range for month",
        ),
    ],
)
def test_a_broken_template_is_told_by_the_rules_of_templates(tmp_path: Path, text: str, problem: str) -> None:
    """Not by those of a mapping file, which would find fault with its tags first."""
    assert problems_in(written(tmp_path, text)) == [problem]


def test_aliases_that_unfold_without_end_are_refused(tmp_path: Path) -> None:
    """Nine levels of nine aliases are 400 million values."""
    lines = ["L0: &l0 [a]"]
    lines += [f"L{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 10)]

    (problem,) = problems_in(written(tmp_path, f"{TEMPLATE}\n" + "\n".join(lines)))

    assert "the aliases unfold to" in problem


def test_aliases_and_merged_keys_are_taken(tmp_path: Path) -> None:
    """Merging may override, and what is merged may itself be merged."""
    text = f"""
Common: &common {{BatchSize: 1, EventSourceArn: '{SQS}:x'}}
More: &more {{<<: *common, BatchSize: 2, FunctionName: f}}
Resources:
  M: {{Type: AWS::Lambda::EventSourceMapping, Properties: {{<<: *more, BatchSize: 3}}}}
  N: {{Type: AWS::Lambda::EventSourceMapping, Properties: {{<<: *more, FunctionName: g}}}}
"""
    found = requests_in(written(tmp_path, text))

    assert [(each["BatchSize"], each["FunctionName"]) for each in found.values()] == [(3, "f"), (2, "g")]


def test_a_plan_may_be_large_and_nothing_else(tmp_path: Path) -> None:
    """32 MiB, because it holds every resource of a project; a template has CloudFormation's own 1 MiB."""
    plan = {**json.loads((DATA / "terraform_plan.json").read_text()), "padding": "x" * 2**20}
    template = {
        "Resources": {
            "M": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {"EventSourceArn": f"{SQS}:x", "FunctionName": "f"},
            }
        },
        "padding": "x" * 2**20,
    }

    assert len(requests_in(written(tmp_path, json.dumps(plan), "plan.json"))) == 7
    assert problems_in(written(tmp_path, json.dumps(template), "t.json")) == ["the file is larger than 1 MiB"]
    assert problems_in(written(tmp_path, json.dumps({**plan, "padding": "x" * 2**25}), "p.json")) == [
        "the file is larger than 32 MiB"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"Resources": {"M": {"Type": "A::B", "a": NaN}}}', "NaN is not JSON"),
        (f'{{"Resources": {{"M": {{"Type": "A::B", "a": {"[" * 100_000}', "the file is nested too deeply"),
    ],
)
def test_broken_json_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """Each with what is wrong."""
    assert problems_in(written(tmp_path, text, "t.json")) == [problem]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            TEMPLATE.replace("FunctionName: f", "FunctionName: e, FunctionName: f"),
            'line 5, column 91: the key "FunctionName" is given twice',
        ),
        (
            json.dumps(
                {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"M": {"Type": "T", "Properties": 1}}}
            ).replace(
                '"Type": "T", "Properties": 1',
                '"Type": "AWS::Lambda::EventSourceMapping", "Properties": 1, '
                f'"Properties": {{"EventSourceArn": "{SQS}:x", "FunctionName": "f"}}',
            ),
            'the key "Properties" is given twice in one object',
        ),
    ],
)
def test_the_last_of_two_keys_counts_in_a_template(tmp_path: Path, text: str, note: str) -> None:
    """As CloudFormation takes it; the author is told."""
    path = written(tmp_path, text)

    found = read([path])

    assert [mapping.function_name for mapping in found.mappings] == ["f"]
    assert found.notes == (f"{path}: {note}; the last one counts, as for CloudFormation",)


@pytest.mark.parametrize(
    "text",
    [
        "service: a\nprovider: {name: aws}\nservice: b\n",
        "apiVersion: lambda.services.k8s.aws/v1alpha1\nkind: EventSourceMapping\nkind: Function\n",
        '{"format_version": "1.2", "terraform_version": "1", "terraform_version": "2"}',
    ],
)
def test_a_key_may_not_be_given_twice_elsewhere(tmp_path: Path, text: str) -> None:
    """The tools that own these formats refuse it, too."""
    (problem,) = problems_in(written(tmp_path, text))

    assert "is given twice" in problem


def test_sections_without_a_value_are_as_if_they_were_not_written(tmp_path: Path) -> None:
    """Of the template, and of a function."""
    text = f"""
AWSTemplateFormatVersion: "2010-09-09"
Transform:
Parameters:
Conditions:
Mappings:
{TEMPLATE}
  F: {{Type: AWS::Serverless::Function, Properties: {{Events: }}}}
  G: {{Type: AWS::Serverless::Function, Properties: }}
"""

    assert len(requests_in(written(tmp_path, text))) == 1


SHOW = "give what terraform show -json prints of a plan or of the state"


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        (
            "terraform.tfstate",
            '{"version": 4, "terraform_version": "1.11.4", "serial": 3, "lineage": "x", "resources": []}',
            f"the file is a raw state of Terraform; {SHOW}",
        ),
        (
            "main.tf",
            'resource "aws_lambda_event_source_mapping" "m" {\n  batch_size = 1\n}\n',
            f"the file is a configuration of Terraform; {SHOW}",
        ),
        (
            "serverless.js",
            "module.exports = {\n  service: 'a',\n}\n",
            (
                "the file is a program; give what it makes of the service or the application: serverless "
                "package, then .serverless/cloudformation-template-update-stack.json, or cdk synth, "
                "then cdk.out"
            ),
        ),
    ],
)
def test_a_file_of_a_kind_that_is_not_read_names_the_way(
    tmp_path: Path, name: str, text: str, problem: str
) -> None:
    """It is not held for a mapping file."""
    assert problems_in(written(tmp_path, text, name)) == [problem]
