"""serverless.yml: events, the framework's defaults, its variables, and every refusal."""

import json
from pathlib import Path

import pytest

from tests.mappings.readers.reading import (
    CASES,
    DATA,
    KINESIS,
    SNS,
    SQS,
    TABLE_STREAM,
    problems_in,
    read,
    requests_in,
    same_mappings,
)

SHOP = DATA / "serverless.yml"
NOTHING = "names nothing in the folder, and has no default"
ANSWERS = {"AWS::AccountId": "123456789012", "stage": "prod", "Images.StreamArn": TABLE_STREAM}


def service(tmp_path: Path, event: str, more: str = "", function: str = "handler: a.b") -> Path:
    """Write a service with one function f of one event, and more sections."""
    path = tmp_path / "serverless.yml"
    path.write_text(
        f"""
service: shop
provider: {{name: aws, stage: "${{opt:stage, 'dev'}}"}}
functions:
  f:
    {function}
    events:
      - {event}
{more}
"""
    )
    return path


def test_a_service_is_read_as_the_framework_would_deploy_it() -> None:
    """Variables, merged anchors, parameters by stage, aliases, references into resources."""
    assert requests_in(SHOP, ANSWERS) == {
        "functions.audit.events[0].sqs": {
            "EventSourceArn": f"{SQS}:plain",
            "FunctionName": "shop-prod-audit",
            "BatchSize": 10,
            "Enabled": True,
        },
        "functions.audit.events[1].sqs": {
            "EventSourceArn": f"{SQS}:orders-prod",
            "FunctionName": "shop-prod-audit",
            "BatchSize": 25,
            "Enabled": True,
            "MaximumBatchingWindowInSeconds": 5,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": 40},
            "FilterCriteria": {
                "Filters": [
                    {"Pattern": '{"body":{"kind":["order"],"total":[{"numeric":[">",100]}]}}'},
                    {"Pattern": '{"body":{"note":[null]}}'},
                ]
            },
        },
        "functions.sessions.events[0].stream": {
            "EventSourceArn": f"{KINESIS}/clicks-prod",
            "FunctionName": "sessions-of-prod:provisioned",
            "BatchSize": 500,
            "Enabled": True,
            "StartingPosition": "LATEST",
            "ParallelizationFactor": 4,
            "BisectBatchOnFunctionError": True,
            "MaximumRetryAttempts": 3,
            "DestinationConfig": {"OnFailure": {"Destination": f"{SNS}:failed-clicks"}},
        },
        "functions.sessions.events[1].stream": {
            "EventSourceArn": TABLE_STREAM,
            "FunctionName": "sessions-of-prod:provisioned",
            "BatchSize": 10,
            "Enabled": False,
            "StartingPosition": "TRIM_HORIZON",
            "TumblingWindowInSeconds": 30,
        },
        "resources.Resources.Replay": {
            "EventSourceArn": f"{SQS}:replay",
            "FunctionName": "shop-prod-audit",
            "Enabled": False,
        },
    }


def test_the_frameworks_own_compiler_gives_the_same_mappings() -> None:
    """Its 4.3.1 (osls) made a template of this file, which is cut to what mappings refer to."""
    answers = {name: value for name, value in ANSWERS.items() if name != "stage"}
    compiled = requests_in(DATA / "serverless_compiled.json", {**answers, "AWS::Region": "eu-west-1"})

    assert same_mappings(compiled, requests_in(SHOP, ANSWERS))


def test_the_stage_has_a_default() -> None:
    """The account of that stage is zeros, and stays a text; references need an account all the same."""
    account = "needs AWS::AccountId; --set AWS::AccountId=VALUE gives it"
    label = "ends in a label that DynamoDB makes up when the stream is enabled"
    sessions = "functions.sessions.events[%d].stream (sessions-of-dev:provisioned): "

    assert problems_in(SHOP) == [
        f"{sessions % 0}arn: !GetAtt Clicks.Arn {account}",
        f"{sessions % 0}destinations.OnFailure.Destination: !Ref FailedClicks {account}",
        f"{sessions % 1}arn: !GetAtt Images.StreamArn {label}; --set Images.StreamArn=VALUE gives it",
    ]


@pytest.mark.parametrize(
    ("answers", "name"), [({}, "shop-dev-f:provisioned"), ({"functions.f": "local"}, "local")]
)
def test_the_name_of_a_function_may_be_given(tmp_path: Path, answers: dict[str, str], name: str) -> None:
    """So that a mapping file can define one that has an alias."""
    path = service(tmp_path, f"sqs: {SQS}:x", function="provisionedConcurrency: 1")

    assert requests_in(path, answers)["functions.f.events[0].sqs"]["FunctionName"] == name


@pytest.mark.parametrize(
    ("value", "member", "expected"),
    [
        (
            "provisionedPollers: {min: 2, max: 5}",
            "ProvisionedPollerConfig",
            {"MinimumPollers": 2, "MaximumPollers": 5},
        ),
        ("provisionedPollers: false", "ProvisionedPollerConfig", None),
        ("batchSize: '${param:size, 7}'", "BatchSize", 7),
        ("enabled: '${self:custom.on}'", "Enabled", False),
        (
            "filterPatterns: '${self:custom.patterns}'",
            "FilterCriteria",
            {"Filters": [{"Pattern": '{"body":{"a":[1]}}'}]},
        ),
        (
            "maximumConcurrency: '${self:custom.${opt:stage, self:custom.fallback}.most}'",
            "ScalingConfig",
            {"MaximumConcurrency": 3},
        ),
    ],
)
def test_values_are_read_through_their_variables(
    tmp_path: Path, value: str, member: str, expected: object
) -> None:
    """Objects and booleans as well as texts; the first source that has a value is taken."""
    custom = "custom: {on: false, fallback: qa, qa: {most: 3}, patterns: [{body: {a: [1]}}]}"
    path = service(tmp_path, f"sqs: {{arn: '{SQS}:x', {value}}}", custom)

    assert requests_in(path)["functions.f.events[0].sqs"].get(member) == expected


def test_a_consumer_is_read_instead_of_its_stream(tmp_path: Path) -> None:
    """Wherever it stands; the stream itself then need not be known."""
    consumer = f"{KINESIS}/clicks/consumer/fan:1"
    path = service(tmp_path, f"stream: {{consumer: '{consumer}', type: kinesis, arn: '{KINESIS}/clicks'}}")

    assert requests_in(path)["functions.f.events[0].stream"]["EventSourceArn"] == consumer


def test_functions_and_resources_may_be_lists(tmp_path: Path) -> None:
    """Of objects to merge."""
    path = tmp_path / "serverless.yml"
    path.write_text(
        f"""
service: {{name: shop}}
provider: {{name: aws}}
functions:
  - a: {{events: [{{sqs: "{SQS}:a"}}]}}
  - b: {{events: [{{sqs: {{arn: !Sub "arn:aws:sqs:eu-west-1:123456789012:${{Q.QueueName}}"}}}}]}}
resources:
  - Resources: {{Q: {{Type: AWS::SQS::Queue, Properties: {{QueueName: b}}}}}}
  - Resources: {{}}
"""
    )

    found = requests_in(path)

    assert [(each["FunctionName"], each["EventSourceArn"]) for each in found.values()] == [
        ("shop-dev-a", f"{SQS}:a"),
        ("shop-dev-b", f"{SQS}:b"),
    ]


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (
            "sqs: ${env:QUEUE}",
            "arn: ${env:QUEUE} has no value and no default; --set env:QUEUE=VALUE gives it",
        ),
        (
            "sqs: ${ssm:/queue}",
            "arn: ${ssm:/queue} is looked up on deployment; --set ssm:/queue=VALUE gives it",
        ),
        (
            "sqs: '${file(a.yml):arn}'",
            f"arn: ${{file(a.yml):arn}} {NOTHING}; --set 'file(a.yml):arn=VALUE' gives it",
        ),
        (
            "sqs: '${file(a.yml)}'",
            f"arn: ${{file(a.yml)}} {NOTHING}; --set 'file(a.yml)=VALUE' gives it",
        ),
        (
            "sqs: ${cf:stack.Arn}",
            "arn: ${cf:stack.Arn} is looked up on deployment; --set cf:stack.Arn=VALUE gives it",
        ),
        ("sqs: ${opt:queue}", "arn: ${opt:queue} has no value and no default; --set queue=VALUE gives it"),
        (
            "sqs: ${param:queue}",
            "arn: ${param:queue} has no value and no default; --set queue=VALUE gives it",
        ),
        (
            "sqs: ${self:custom.queue}",
            "arn: ${self:custom.queue} has no value and no default; --set self:custom.queue=VALUE gives it",
        ),
        ("sqs: ${self:custom.loop}", "arn: ${self:custom.loop} refers to itself, or to too much"),
        ("sqs: '${self:custom.list}/x'", "arn: ${self:custom.list}/x needs a text where it is given [1]"),
        ("sqs: '${opt:a'", 'arn: "${opt:a" has a variable without an end'),
        (
            "sqs: ${sls:instanceId}",
            "arn: ${sls:instanceId} is known only on deployment; --set sls:instanceId=VALUE gives it",
        ),
        (
            "sqs: ${aws:accountId}",
            "arn: ${aws:accountId} is known only on deployment; --set aws:accountId=VALUE gives it",
        ),
        (
            "sqs: !ImportValue q",
            "arn: !ImportValue q is exported by another stack; --set ImportValue.q=VALUE gives it",
        ),
        ("sqs: {batchSize: 1, enabled: true}", "arn is missing"),
        (f"sqs: {{arn: '{SQS}:x', batchWindow: 1}}", "batchWindow is not a property of a sqs event"),
        (
            f"stream: {{arn: '{KINESIS}/x', maximumBatchingWindow: 1}}",
            "maximumBatchingWindow is not a property of a stream event",
        ),
        (
            f"stream: {{arn: '{KINESIS}/x', consumer: true}}",
            (
                "consumer: true makes the framework register a consumer, whose ARN is known only then; "
                "write that ARN instead"
            ),
        ),
        (
            f"stream: {{arn: '{KINESIS}/x', destinations: {{onSuccess: a}}}}",
            'destinations: onFailure with an ARN is expected, not {"onSuccess": "a"}',
        ),
        (
            f"sqs: {{arn: '{SQS}:x', filterPatterns: {{a: [1]}}}}",
            'filterPatterns: a list of patterns is expected, not {"a": [1]}',
        ),
        (
            f"sqs: {{arn: '{SQS}:x', provisionedPollers: {{least: 1}}}}",
            'provisionedPollers: min and max are expected, not {"least": 1}',
        ),
        ("msk: {arn: a, topic: b}", "msk events are not supported; sqs and stream events are"),
        ("kafka: {topic: b}", "kafka events are not supported; sqs and stream events are"),
    ],
)
def test_an_event_that_cannot_be_known_or_obeyed_is_refused(tmp_path: Path, event: str, problem: str) -> None:
    """With the function, the event, the property, and the flag that would give a value."""
    path = service(tmp_path, event, "custom: {loop: '${self:custom.loop}', list: [1]}")

    (told,) = problems_in(path)

    assert told.startswith("functions.f.events[0]")
    assert told.endswith(f": {problem}")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            "resources: ${file(r.yml)}",
            f"resources: ${{file(r.yml)}} {NOTHING}; --set 'file(r.yml)=VALUE' gives it",
        ),
        (
            "resources: {extensions: {FEventSourceMappingSQSX: {}}}",
            (
                "resources.extensions.FEventSourceMappingSQSX: "
                "an extension of an event source mapping is not supported"
            ),
        ),
        ("resources: text", 'resources: "text" is no object'),
    ],
)
def test_resources_that_cannot_be_seen_are_refused(tmp_path: Path, more: str, problem: str) -> None:
    """A mapping may be among them."""
    assert problems_in(service(tmp_path, f"sqs: {SQS}:x", more)) == [problem]


def test_a_file_that_holds_no_mapping_may_be_answered_away(tmp_path: Path) -> None:
    """With nothing."""
    path = service(tmp_path, f"sqs: {SQS}:x", "resources: ['${file(r.yml)}']")

    assert len(requests_in(path, {"file(r.yml)": ""})) == 1


def test_functions_that_cannot_be_seen_are_refused(tmp_path: Path) -> None:
    """All of them, one of them, or its events."""
    path = tmp_path / "serverless.yml"
    path.write_text(
        "service: shop\nprovider: {name: aws}\nfunctions: {f: '${file(f.yml)}', g: {events: {sqs: x}}}\n"
    )

    assert problems_in(path) == [
        f"functions.f: ${{file(f.yml)}} {NOTHING}; --set 'file(f.yml)=VALUE' gives it",
        'functions.g.events: {"sqs": "x"} is no list',
    ]


def test_variables_that_multiply_do_not_grow_without_end(tmp_path: Path) -> None:
    """Forty lists, each holding the one before twice, would have a million million entries."""
    custom = ["custom:", "  c0: [1]"]
    custom += [
        f"  c{number}: ['${{self:custom.c{number - 1}}}', '${{self:custom.c{number - 1}}}']"
        for number in range(1, 40)
    ]
    path = service(
        tmp_path, f"sqs: {{arn: '{SQS}:x', filterPatterns: '${{self:custom.c39}}'}}", "\n".join(custom)
    )

    (told,) = problems_in(path)

    assert "refers to itself, or to too much" in told


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (f"sqs: {{arn: '{SQS}:x', batchSize: 0}}", "batchSize: "),
        (f"sqs: {{arn: '{SQS}:x', maximumConcurrency: 1}}", "maximumConcurrency: "),
        ("sqs: 'arn:aws:kafka:eu-west-1:1:c'", "arn: "),
    ],
)
def test_a_problem_names_the_property_that_the_author_wrote(tmp_path: Path, event: str, named: str) -> None:
    """Not the member that the framework makes of it."""
    (problem,) = problems_in(service(tmp_path, event))

    assert problem.partition("): ")[2].startswith(named)


def test_what_stands_in_a_file_of_the_folder_is_read() -> None:
    """The account is all that is asked for."""
    path = CASES / "service_with_file" / "serverless.yml"

    (problem,) = problems_in(path)
    assert problem.endswith(
        "arn: !GetAtt Orders.Arn needs AWS::AccountId; --set AWS::AccountId=VALUE gives it"
    )
    found = requests_in(path, {"AWS::AccountId": "123456789012"})
    assert found["functions.work.events[0].sqs"]["EventSourceArn"] == f"{SQS}:orders"


def test_files_stand_for_functions_events_and_values(tmp_path: Path) -> None:
    """An address takes a part; what no mapping needs is not asked for."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "dev.json").write_text(json.dumps({"queue": {"arn": f"{SQS}:orders"}}))
    (tmp_path / "functions.yml").write_text(
        "work:\n  environment: {SECRET: '${ssm:/secret}'}\n  events: ${file(events.yml):work}\n"
    )
    (tmp_path / "events.yml").write_text(
        "work: [{sqs: '${file(./config/${opt:stage, \"dev\"}.json):queue.arn}'}]\n"
    )
    path = tmp_path / "serverless.yml"
    path.write_text("service: shop\nprovider: {name: aws}\nfunctions: ${file(functions.yml)}\n")

    found = read([path])

    assert [mapping.event_source.arn for mapping in found.mappings] == [f"{SQS}:orders"]
    names = ["config/dev.json", "events.yml", "functions.yml"]
    assert sorted(found.included) == [str(tmp_path / name) for name in names]


COMPILED = (
    "import what the framework makes of the service: serverless package, then "
    ".serverless/cloudformation-template-update-stack.json"
)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("../secret.yml", f"is outside of the folder and is not read; {COMPILED}"),
        ("/etc/hostname", f"is outside of the folder and is not read; {COMPILED}"),
        ("link.yml", f"is outside of the folder and is not read; {COMPILED}"),
        ("program.js", f"is a program and is not run; {COMPILED}"),
        ("large.yml", f"the file is larger than 1 MiB; {COMPILED}"),
        ("broken.yml", f"line 1, column 2: expected the node content, but found '<stream end>'; {COMPILED}"),
    ],
)
def test_no_file_outside_and_no_program_is_read(tmp_path: Path, name: str, problem: str) -> None:
    """The sentence names the way that the framework itself opens."""
    folder = tmp_path / "service"
    folder.mkdir()
    (tmp_path / "secret.yml").write_text("arn: secret\n")
    (folder / "link.yml").symlink_to(tmp_path / "secret.yml")
    (folder / "large.yml").write_text(f"arn: {'x' * 2**20}")
    (folder / "broken.yml").write_text("[")
    path = service(folder, f"sqs: '${{file({name}):arn}}'")

    (told,) = problems_in(path)

    assert told.partition("arn: ")[2].startswith(f"${{file({name}):arn}} {problem}; --set ")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("strToBool(true)", True),
        ("strToBool(${self:custom.on})", False),
        ("strToBool(${env:ON, '1'})", True),
        ("env:BATCH, true", True),
    ],
)
def test_a_text_becomes_a_boolean(tmp_path: Path, value: str, expected: object) -> None:
    """As the framework makes it."""
    path = service(tmp_path, f"sqs: {{arn: '{SQS}:x', enabled: \"${{{value}}}\"}}", "custom: {on: 'false'}")

    assert requests_in(path)["functions.f.events[0].sqs"]["Enabled"] is expected


def test_a_text_that_is_no_boolean_is_refused(tmp_path: Path) -> None:
    """With what is expected."""
    (problem,) = problems_in(service(tmp_path, f"sqs: {{arn: '{SQS}:x', enabled: '${{strToBool(maybe)}}'}}"))

    assert problem.endswith('enabled: strToBool(maybe): true, false, 1 or 0 is expected, not "maybe"')


def test_the_default_of_a_variable_of_the_environment_counts(tmp_path: Path) -> None:
    """An answer comes before it; the environment of the poller is none of the deployment's."""
    path = service(tmp_path, f"sqs: \"${{env:QUEUE, '{SQS}:default'}}\"")

    sources = [requests_in(path, given) for given in ({}, {"env:QUEUE": f"{SQS}:given"})]

    assert [each["functions.f.events[0].sqs"]["EventSourceArn"] for each in sources] == [
        f"{SQS}:default",
        f"{SQS}:given",
    ]


def test_a_file_that_takes_itself_in_is_refused(tmp_path: Path) -> None:
    """And not read for ever."""
    (tmp_path / "loop.yml").write_text("patterns: ['${file(loop.yml):patterns}']\n")
    path = service(tmp_path, f"sqs: {{arn: '{SQS}:x', filterPatterns: '${{file(loop.yml):patterns}}'}}")

    (problem,) = problems_in(path)

    assert "refers to itself, or to too much" in problem
