"""The service calls nothing that the policy it prints does not allow."""

import os
import subprocess
import sys
from pathlib import Path

from tests.aws.control import endpoint, lambda_client
from tests.aws.invoking import HANDLERS, invoke
from tests.aws.running import Run, stop, until
from tests.conftest import Moto, unique
from tests.fleet.processes import FleetProcesses
from tests.fleet.recording import actions_of, recording
from tests.servers.dynamodb_local import REGION, DynamoDbLocal

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


def test_what_is_called_is_allowed(moto_server: Moto, dynamodb_server: DynamoDbLocal, tmp_path: Path) -> None:
    """A queue, both streams, Lambda, and a state in a table: from the start to the drain."""
    state = f"dynamodb://{unique('fleet')}?namespace=blue&region={REGION}"
    url, queue = moto_server.queue()
    stream_name, stream = moto_server.stream(2)
    table_name, table = moto_server.table()
    upstreams = {"": moto_server.endpoint, "DynamoDB_20120810": dynamodb_server.endpoint}
    environment = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    subprocess.run(
        [sys.executable, "-m", "poller", "state", "init", "--state", state],
        env={**os.environ, **environment, "AWS_ENDPOINT_URL": dynamodb_server.endpoint},
        check=True,
    )
    start = {"StartingPosition": "TRIM_HORIZON", "FunctionName": FUNCTION}
    mappings = [
        {"EventSourceArn": queue, "FunctionName": FUNCTION},
        {"EventSourceArn": stream, **start},
        {"EventSourceArn": table, **start},
    ]
    with recording(upstreams) as recorder:
        fleet = FleetProcesses(tmp_path, {**environment, "AWS_ENDPOINT_URL": recorder.url}, state)
        try:
            worker = fleet.start("a", url="", mappings=mappings, arguments=("--profile", "test"))
            moto_server.client("sqs").send_message(QueueUrl=url, MessageBody="x")
            kinesis = moto_server.client("kinesis")
            kinesis.put_record(StreamName=stream_name, Data=b"x", PartitionKey="k")
            moto_server.client("dynamodb").put_item(TableName=table_name, Item={"id": {"S": "x"}})
            wanted = {"sqs:DeleteMessage", "kinesis:GetRecords", "dynamodb:GetRecords", "dynamodb:UpdateItem"}
            until(lambda: wanted <= recorder.actions)
            assert worker.end() == 0
        finally:
            fleet.close()
    printed = subprocess.run(
        [sys.executable, "-m", "poller", "policy", str(tmp_path / "a.yaml"), "--state", state],
        check=True,
        capture_output=True,
        text=True,
    )

    allowed = actions_of(printed.stdout)
    assert recorder.actions <= allowed
    # Messages are given back only where some were received and not begun.
    assert allowed - recorder.actions <= {"sqs:ChangeMessageVisibility", "dynamodb:DeleteItem"}


def test_what_is_called_for_asynchronous_events_is_allowed(
    dynamodb_server: DynamoDbLocal, tmp_path: Path
) -> None:
    """Accepted, large, tried again, taken over from a worker that was killed, and given up."""
    with recording({"": dynamodb_server.endpoint}) as recorder:
        run = Run(tmp_path, {**dynamodb_server.environment, "AWS_ENDPOINT_URL_DYNAMODB": recorder.url})
        run.state = f"dynamodb://{unique('fleet')}?namespace=blue&region={REGION}"
        run.api = "127.0.0.1:0"
        (tmp_path / "app.py").write_text(HANDLERS)
        run.write_file({"audit": {"handler": "app:handler"}}, [])
        subprocess.run(
            [sys.executable, "-m", "poller", "state", "init", "--state", run.state],
            env={**os.environ, **dynamodb_server.environment},
            check=True,
        )
        try:
            first = run.start("--lease", "2")
            event = {"sleep": 1, "raise": "no", "say": os.urandom(10_000).hex()}
            invoke(lambda_client(endpoint(run)), event=event, InvocationType="Event")
            until(run.events)
            first.kill()
            second = run.start("--lease", "2")
            until(lambda: run.logged("event_given_up"))
            assert stop(second) == 0
        finally:
            run.close()
    printed = subprocess.run(
        [sys.executable, "-m", "poller", "policy", str(run.file), "--state", run.state],
        check=True,
        capture_output=True,
        text=True,
    )

    assert run.logged("events_inherited")
    assert recorder.actions == actions_of(printed.stdout)
