"""What the AWS CLI prints of mappings, and what it takes: lists, single mappings, `poller export`."""

import json
from pathlib import Path

import pytest

from tests.mappings.readers.reading import KINESIS, NOW, SQS, problems_in, read, requests_in

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:audit:live"
SHOWN = {
    "UUID": "7ed54f4c-45f1-4a4e-8d08-0bb7a8f5c1a2",
    "StartingPosition": "AT_TIMESTAMP",
    "StartingPositionTimestamp": "2026-01-31T12:00:00+00:00",
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 0,
    "ParallelizationFactor": 1,
    "EventSourceArn": f"{KINESIS}/clicks",
    "FunctionArn": FUNCTION,
    "LastModified": "2026-02-01T12:00:00+00:00",
    "LastProcessingResult": "OK",
    "State": "Disabled",
    "StateTransitionReason": "User action",
    "DestinationConfig": {"OnFailure": {}},
    "MaximumRecordAgeInSeconds": -1,
    "BisectBatchOnFunctionError": False,
    "MaximumRetryAttempts": -1,
    "TumblingWindowInSeconds": 0,
    "FunctionResponseTypes": [],
    "EventSourceMappingArn": "arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:7ed54f4c",
}
QUEUE = {"EventSourceArn": f"{SQS}:orders", "FunctionName": "audit"}


def written(folder: Path, document: object) -> Path:
    path = folder / "mappings.json"
    path.write_text(json.dumps(document))
    return path


def test_a_list_of_mappings_is_read(tmp_path: Path) -> None:
    """What AWS makes up of them is left; an empty destination is none."""
    path = written(tmp_path, {"EventSourceMappings": [SHOWN]})

    (request,) = requests_in(path).values()

    assert (request["FunctionName"], request["Enabled"]) == (FUNCTION, False)
    assert "DestinationConfig" not in request
    assert request["StartingPositionTimestamp"] == NOW - 30_139_200


def test_a_single_mapping_is_read(tmp_path: Path) -> None:
    """As get-event-source-mapping prints it."""
    assert list(requests_in(written(tmp_path, SHOWN))) == ["the mapping"]


def test_a_mapping_that_aws_is_deleting_is_left_out(tmp_path: Path) -> None:
    """And said to be."""
    path = written(tmp_path, {"EventSourceMappings": [SHOWN, {**SHOWN, "State": "Deleting"}]})

    found = read([path])

    assert len(found.mappings) == 1
    assert found.notes == (f"{path}: EventSourceMappings[1]: left out: AWS is deleting it",)


@pytest.mark.parametrize("document", [QUEUE, [QUEUE], [QUEUE, {**QUEUE, "FunctionName": "other"}]])
def test_what_export_prints_is_read(tmp_path: Path, document: object) -> None:
    """One input of the AWS CLI, or a list of them."""
    assert next(iter(requests_in(written(tmp_path, document)).values())) == QUEUE


def test_a_mapping_of_another_source_is_refused(tmp_path: Path) -> None:
    """By its place."""
    kafka = {**SHOWN, "EventSourceArn": "arn:aws:kafka:eu-west-1:123456789012:cluster/a/b"}

    (problem,) = problems_in(written(tmp_path, {"EventSourceMappings": [SHOWN, kafka]}))

    assert problem.startswith("EventSourceMappings[1] ")
    assert "is not an SQS queue, a Kinesis stream or a DynamoDB stream" in problem
