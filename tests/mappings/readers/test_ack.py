"""Manifests of ACK's Lambda controller, among those of others."""

from pathlib import Path

import pytest

from tests.mappings.readers.reading import DATA, KINESIS, SQS, problems_in, requests_in

MANIFESTS = DATA / "ack.yaml"
HEAD = "apiVersion: lambda.services.k8s.aws/v1alpha1\nkind: EventSourceMapping\n"


def test_the_mappings_of_all_documents_and_lists_are_read() -> None:
    """Other kinds are left alone; a reference is answered."""
    assert requests_in(MANIFESTS, {"functionRef.sessions": "sessions"}) == {
        "EventSourceMapping orders": {
            "EventSourceArn": f"{SQS}:orders",
            "FunctionName": "audit",
            "BatchSize": 10,
            "Enabled": True,
            "FilterCriteria": {"Filters": [{"Pattern": '{"body":{"kind":["order"]}}'}]},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": 20},
        },
        "EventSourceMapping clicks": {
            "EventSourceArn": f"{KINESIS}/clicks",
            "FunctionName": "sessions",
            "StartingPosition": "AT_TIMESTAMP",
            "StartingPositionTimestamp": 1_769_860_800.0,
            "ParallelizationFactor": 4,
            "MaximumRetryAttempts": 3,
            "BisectBatchOnFunctionError": True,
            "DestinationConfig": {"OnFailure": {"Destination": f"{SQS}:failed-clicks"}},
        },
    }


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        (
            f"{HEAD}metadata: {{name: m}}\nspec: {{functionName: f, eventSourceRef: {{from: {{name: q}}}}}}",
            (
                "EventSourceMapping m (f): eventSourceRef q is resolved by the controller in its cluster; "
                "--set eventSourceRef.q=VALUE gives it"
            ),
        ),
        (
            f"{HEAD}spec: {{functionName: f, eventSourceRef: q}}",
            'EventSourceMapping number 1 (f): eventSourceRef "q" is malformed',
        ),
        (
            f"{HEAD}spec: {{functionName: f, queueRefs: []}}",
            (
                "EventSourceMapping number 1 (f): queueRefs is not a parameter of CreateEventSourceMapping, "
                "did you mean queues?"
            ),
        ),
        (
            f"{HEAD}spec: {{functionName: f, batchSize: ten}}",
            'EventSourceMapping number 1 (f): batchSize: "ten" is refused: Member must be of type integer',
        ),
        (f"{HEAD}metadata: {{name: m}}", "EventSourceMapping m: spec must be an object, not null"),
        (
            f"{HEAD.replace('v1alpha1', 'v2')}metadata: {{name: m}}\nspec: {{}}",
            (
                "EventSourceMapping m: apiVersion lambda.services.k8s.aws/v2 is not supported; "
                "lambda.services.k8s.aws/v1alpha1 is"
            ),
        ),
    ],
)
def test_what_a_manifest_may_not_say_is_refused(tmp_path: Path, manifest: str, problem: str) -> None:
    """With the name of the object and the field."""
    path = tmp_path / "m.yaml"
    path.write_text(manifest)

    assert problems_in(path) == [problem]


def test_a_reference_to_an_object_of_the_same_file_is_followed(tmp_path: Path) -> None:
    """The function by its name, the queue by the ARN that the controller has written down."""
    path = tmp_path / "m.yaml"
    path.write_text(
        f"{HEAD}metadata: {{name: m}}\n"
        "spec: {functionRef: {from: {name: work}}, eventSourceRef: {from: {name: orders}}}\n---\n"
        "apiVersion: lambda.services.k8s.aws/v1alpha1\nkind: Function\nmetadata: {name: work}\n"
        "spec: {name: worker}\n---\n"
        "apiVersion: sqs.services.k8s.aws/v1alpha1\nkind: Queue\nmetadata: {name: orders}\n"
        f"status: {{ackResourceMetadata: {{arn: '{SQS}:orders'}}}}\n"
    )

    assert requests_in(path)["EventSourceMapping m"] == {
        "FunctionName": "worker",
        "EventSourceArn": f"{SQS}:orders",
    }
    assert requests_in(path, {"functionRef.work": "local"})["EventSourceMapping m"]["FunctionName"] == "local"
