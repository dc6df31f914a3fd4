"""What `terraform show -json` prints, as Terraform 1.11.4 with the AWS provider 5.100.0 printed it.

Cut to the mappings, without the names of hosts. The state was applied to moto.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.mappings.readers.reading import (
    CASES,
    DATA,
    KINESIS,
    SQS,
    TABLE_STREAM,
    problems_in,
    read,
    requests_in,
)

PLAN = DATA / "terraform_plan.json"
UNKNOWN = DATA / "terraform_plan_unknown.json"
STATE = DATA / "terraform_state.json"
KIND = "aws_lambda_event_source_mapping"
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:audit"
ORDERS_FILTER = {"Pattern": '{"body":{"kind":["order"]}}'}
NOON = 1_769_860_800.0  # 2026-01-31T12:00:00Z


def consumer(stream: str, number: int) -> dict[str, object]:
    position = (
        {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": NOON}
        if number
        else {"StartingPosition": "TRIM_HORIZON"}
    )
    return {
        "Enabled": True,
        "EventSourceArn": f"{KINESIS}/{stream}",
        "FunctionName": f"{stream}-{number}",
        "ParallelizationFactor": 4,
        **position,
    }


def changed(tmp_path: Path, source: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Write a plan or state with the values of its mapping `orders` changed."""
    document = json.loads(source.read_text())
    root = document.get("planned_values", document.get("values"))["root_module"]
    change(next(each for each in root["resources"] if each["address"] == f"{KIND}.orders")["values"])
    path = tmp_path / "t.json"
    path.write_text(json.dumps(document))
    return path


def test_a_plan_is_read_with_its_modules_and_their_instances() -> None:
    """Nulls and empty blocks ask for nothing; what AWS will make up is not waited for."""
    assert requests_in(PLAN) == {
        f"{KIND}.images": {
            "BisectBatchOnFunctionError": True,
            "DestinationConfig": {"OnFailure": {"Destination": f"{SQS}:failed-images"}},
            "Enabled": False,
            "EventSourceArn": TABLE_STREAM,
            "FunctionName": "resize",
            "MaximumRecordAgeInSeconds": 3600,
            "MaximumRetryAttempts": 5,
            "StartingPosition": "LATEST",
        },
        f"{KIND}.orders": {
            "BatchSize": 25,
            "Enabled": True,
            "EventSourceArn": f"{SQS}:orders",
            "FilterCriteria": {"Filters": [ORDERS_FILTER, {"Pattern": '{"body":{"kind":["refund"]}}'}]},
            "FunctionName": f"{LAMBDA}:live",
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "MaximumBatchingWindowInSeconds": 5,
            "ScalingConfig": {"MaximumConcurrency": 20},
        },
        f"{KIND}.plain": {"Enabled": True, "EventSourceArn": f"{SQS}:plain", "FunctionName": "plain"},
        **{
            f'module.streams["{stream}"].{KIND}.this[{number}]': consumer(stream, number)
            for stream in ("clicks", "views")
            for number in (0, 1)
        },
    }


def test_a_state_is_read_without_the_zeros_of_the_provider() -> None:
    """A queue has no retries, ages or positions; the provider stores zeros and empty texts for them."""
    stream = {"BatchSize": 100, "Enabled": True, "FunctionName": LAMBDA, "ParallelizationFactor": 4}

    found = requests_in(STATE)

    assert found[f"{KIND}.orders"] == {
        "BatchSize": 25,
        "Enabled": True,
        "EventSourceArn": f"{SQS}:orders",
        "FilterCriteria": {"Filters": [ORDERS_FILTER]},
        "FunctionName": LAMBDA,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "MaximumBatchingWindowInSeconds": 5,
        "ScalingConfig": {"MaximumConcurrency": 20},
    }
    assert found[f'module.streams["clicks"].{KIND}.this'] == {
        **stream,
        "EventSourceArn": f"{KINESIS}/clicks",
        "StartingPosition": "TRIM_HORIZON",
    }
    assert len(found) == 3


def test_what_is_known_only_after_apply_is_refused_with_its_address() -> None:
    """What the configuration leaves to AWS is unknown, too, and not asked for."""
    after = "is known only after apply; --set"
    clicks, images = (f'module.streams["{name}"].{KIND}.this' for name in ("clicks", "images"))

    assert problems_in(UNKNOWN) == [
        f"{KIND}.orders: event_source_arn {after} {KIND}.orders.event_source_arn=VALUE gives it",
        f"{KIND}.orders: function_name {after} {KIND}.orders.function_name=VALUE gives it",
        f"{clicks} (audit): event_source_arn {after} '{clicks}.event_source_arn=VALUE' gives it",
        f"{images} (audit): event_source_arn {after} '{images}.event_source_arn=VALUE' gives it",
    ]


def test_answers_complete_a_plan() -> None:
    """Under the address and the attribute that the refusal names."""
    clicks, images = (f'module.streams["{name}"].{KIND}.this' for name in ("clicks", "images"))

    found = requests_in(
        UNKNOWN,
        {
            f"{KIND}.orders.event_source_arn": f"{SQS}:orders",
            f"{KIND}.orders.function_name": "audit",
            f"{clicks}.event_source_arn": f"{KINESIS}/clicks",
            f"{images}.event_source_arn": TABLE_STREAM,
        },
    )

    assert (found[f"{KIND}.orders"]["FunctionName"], found[images]["EventSourceArn"]) == (
        "audit",
        TABLE_STREAM,
    )


def test_an_answer_replaces_what_the_file_says() -> None:
    """So the functions of a state, which are ARNs, can be made those of a mapping file."""
    found = requests_in(STATE, {f"{KIND}.orders.function_name": "audit", f"{KIND}.orders.batch_size": "7"})

    assert (found[f"{KIND}.orders"]["FunctionName"], found[f"{KIND}.orders"]["BatchSize"]) == ("audit", 7)


def test_an_unknown_value_that_the_configuration_sets_is_asked_for(tmp_path: Path) -> None:
    """In a block as well; the configuration tells it from one that AWS makes up."""
    document = json.loads(PLAN.read_text())
    change = next(each for each in document["resource_changes"] if each["address"] == f"{KIND}.images")
    change["change"]["after_unknown"] |= {
        "maximum_retry_attempts": True,
        "destination_config": [{"on_failure": [{"destination_arn": True}]}],
    }
    path = tmp_path / "t.json"
    path.write_text(json.dumps(document))
    destination = f"{KIND}.images.destination_config[0].on_failure[0].destination_arn"

    assert [problem.partition("): ")[2].partition(" is known")[0] for problem in problems_in(path)] == [
        "destination_config[0].on_failure[0].destination_arn",
        "maximum_retry_attempts",
    ]
    found = requests_in(path, {f"{KIND}.images.maximum_retry_attempts": "2", destination: f"{SQS}:other"})
    assert found[f"{KIND}.images"]["MaximumRetryAttempts"] == 2
    assert found[f"{KIND}.images"]["DestinationConfig"] == {"OnFailure": {"Destination": f"{SQS}:other"}}


def test_no_retry_at_all_is_told_from_no_answer(tmp_path: Path) -> None:
    """0 attempts beside an age is what somebody asked for; 0 beside an age of 0 is what nobody said."""
    stream = {"event_source_arn": f"{KINESIS}/x", "starting_position": "LATEST", "scaling_config": []}
    asked = changed(tmp_path, STATE, lambda values: values.update(stream, maximum_record_age_in_seconds=-1))

    assert requests_in(asked)[f"{KIND}.orders"]["MaximumRetryAttempts"] == 0
    assert "MaximumRetryAttempts" not in requests_in(STATE)[f"{KIND}.orders"]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"tags": {"team": "orders"}}, {"team": "orders"}),
        (
            {"tags": {"team": "orders"}, "tags_all": {"team": "orders", "env": "qa"}},
            {"team": "orders", "env": "qa"},
        ),
        ({"tags": {}, "tags_all": {}}, None),
    ],
)
def test_the_default_tags_of_the_provider_are_tags(
    tmp_path: Path, tags: dict[str, Any], expected: object
) -> None:
    """They are sent to AWS with those of the resource."""
    path = changed(tmp_path, PLAN, lambda known: known.update(tags))

    assert requests_in(path)[f"{KIND}.orders"].get("Tags") == expected


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"topics": ["orders"]}, "topics does not apply to an SQS standard queue"),
        (
            {"logging_config": [{"system_log_level": "DEBUG"}]},
            "logging_config does not apply to an SQS standard queue",
        ),
        ({"order_of_delivery": "none"}, "order_of_delivery is not a parameter of CreateEventSourceMapping"),
        (
            {"event_source_arn": "arn:aws:kafka:eu-west-1:123456789012:cluster/a/b"},
            (
                'event_source_arn: "arn:aws:kafka:eu-west-1:123456789012:cluster/a/b" is not an SQS queue, '
                "a Kinesis stream or a DynamoDB stream"
            ),
        ),
    ],
)
def test_what_a_mapping_cannot_obey_is_refused(tmp_path: Path, values: dict[str, Any], problem: str) -> None:
    """With the address of the resource."""
    path = changed(tmp_path, PLAN, lambda known: known.update(values))

    (told,) = problems_in(path)

    assert told.startswith(f"{KIND}.orders ")
    assert told.endswith(f": {problem}")


def test_a_state_without_mappings_gives_none(tmp_path: Path) -> None:
    """It is read as what it is."""
    path = tmp_path / "t.json"
    path.write_text('{"format_version": "1.0", "terraform_version": "1.11.4"}')

    assert problems_in(path) == ["neither a mapping nor a function is given"]


def test_a_plan_finds_the_function_of_the_same_plan() -> None:
    """Its name is known before apply; tags that are not are left out, and may be given."""
    path = CASES / "plan.json"

    found = read([path])

    assert found.mappings[0].function_name == "worker"
    place = f"{path}: {KIND}.m"
    assert found.notes == (
        (
            f"{place}: function_name is taken for worker, the function that the configuration refers to; "
            f"--set {KIND}.m.function_name=VALUE gives another"
        ),
        f"{place}: tags is known only after apply, and left out; --set {KIND}.m.tags=VALUE gives it",
    )
    assert requests_in(path, {f"{KIND}.m.tags": '{"team": "a"}'})[f"{KIND}.m"]["Tags"] == {"team": "a"}


def refers(reference: str) -> dict[str, Any]:
    return {"function_name": {"references": [f"{reference}.arn", reference]}}


def configured(address: str, expressions: dict[str, Any]) -> dict[str, Any]:
    return {"address": address, "expressions": expressions}


def planned(address: str, index: object = None, **values: object) -> dict[str, Any]:
    name = address.rpartition("[")[0] or address
    kind, name = name.split(".")[-2:]
    return {
        "address": address, "mode": "managed", "type": kind, "name": name, "values": values,
        **({} if index is None else {"index": index}),
    }  # fmt: skip


def plan(folder: Path, values: dict[str, Any], configuration: dict[str, Any], *unknown: str) -> Path:
    path = folder / "plan.json"
    changes = [
        {"address": address, "change": {"after_unknown": {"function_name": True}}} for address in unknown
    ]
    document = {
        "format_version": "1.2",
        "planned_values": {"root_module": values},
        "resource_changes": changes,
        "configuration": {"root_module": configuration},
    }
    path.write_text(json.dumps(document))
    return path


def test_each_instance_finds_the_function_of_its_own_key(tmp_path: Path) -> None:
    """With for_each, the mapping refers to the function by each.key."""
    mappings = [
        planned(f'{KIND}.m["{key}"]', key, event_source_arn=f"{SQS}:{key}", enabled=True) for key in "ab"
    ]
    functions = [planned(f'aws_lambda_function.f["{key}"]', key, function_name=f"work-{key}") for key in "ab"]
    path = plan(
        tmp_path,
        {"resources": mappings + functions},
        {"resources": [configured(f"{KIND}.m", refers("aws_lambda_function.f"))]},
        *(f'{KIND}.m["{key}"]' for key in "ab"),
    )

    assert [each["FunctionName"] for each in requests_in(path).values()] == ["work-a", "work-b"]


def test_an_alias_is_followed_to_its_function(tmp_path: Path) -> None:
    """Both together are the name."""
    path = plan(
        tmp_path,
        {
            "resources": [
                planned(f"{KIND}.m", event_source_arn=f"{SQS}:x", enabled=True),
                planned("aws_lambda_function.f", function_name="worker"),
                planned("aws_lambda_alias.live", name="live"),
            ]
        },
        {
            "resources": [
                configured(f"{KIND}.m", refers("aws_lambda_alias.live")),
                configured("aws_lambda_alias.live", refers("aws_lambda_function.f")),
            ]
        },
        f"{KIND}.m",
    )

    assert requests_in(path)[f"{KIND}.m"]["FunctionName"] == "worker:live"


def test_a_function_is_found_through_an_output_and_a_variable(tmp_path: Path) -> None:
    """The function in one module, the mapping in another."""
    function = planned("module.work.aws_lambda_function.this[0]", 0, function_name="worker")
    mapping = planned(f"module.poll.{KIND}.m", event_source_arn=f"{SQS}:x", enabled=True)
    output = {"references": ["aws_lambda_function.this[0].arn", "aws_lambda_function.this[0]"]}
    path = plan(
        tmp_path,
        {
            "child_modules": [
                {"address": "module.work", "resources": [function]},
                {"address": "module.poll", "resources": [mapping]},
            ]
        },
        {
            "module_calls": {
                "work": {"module": {"outputs": {"arn": {"expression": output}}}},
                "poll": {
                    "expressions": {"target": {"references": ["module.work.arn", "module.work"]}},
                    "module": {
                        "resources": [
                            configured(f"{KIND}.m", {"function_name": {"references": ["var.target"]}})
                        ]
                    },
                },
            }
        },
        f"module.poll.{KIND}.m",
    )

    assert requests_in(path)[f"module.poll.{KIND}.m"]["FunctionName"] == "worker"


def test_an_expression_of_two_functions_is_asked_for(tmp_path: Path) -> None:
    """Which of them it is, is known only after apply."""
    names = [f"aws_lambda_function.{name}" for name in "ab"]
    path = plan(
        tmp_path,
        {
            "resources": [
                planned(f"{KIND}.m", event_source_arn=f"{SQS}:x", enabled=True),
                *(planned(name, function_name=name[-1]) for name in names),
            ]
        },
        {"resources": [configured(f"{KIND}.m", {"function_name": {"references": names}})]},
        f"{KIND}.m",
    )

    (problem,) = problems_in(path)

    assert problem.endswith(f"--set {KIND}.m.function_name=VALUE gives it")
