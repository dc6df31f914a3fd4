"""The Lambda API of a fleet: a call may go to any worker, and what it says is true of all."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3

from tests.aws.running import until
from tests.conftest import Moto, unique
from tests.fleet.processes import FleetProcesses, WorkerProcess
from tests.fleet.recording import recording
from tests.servers.dynamodb_local import REGION, DynamoDbLocal
from tests.servers.flowing import flowing

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


def client(worker: WorkerProcess) -> Any:
    """Of the API of one worker, where that says it listens."""
    return boto3.client(
        "lambda",
        endpoint_url=f"http://{worker.logged('api_listening')[-1]['address']}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def test_a_mapping_made_at_one_worker_is_ended_at_another(
    moto_server: Moto, dynamodb_server: DynamoDbLocal, tmp_path: Path
) -> None:
    """Once it says Disabled no worker begins an invocation, and once it is gone its leases are too."""
    state = f"dynamodb://{unique('fleet')}?region={REGION}"
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    subprocess.run(
        [sys.executable, "-m", "poller", "state", "init", "--state", state],
        env={**os.environ, **keys, "AWS_ENDPOINT_URL": dynamodb_server.endpoint},
        check=True,
    )
    stream, arn = moto_server.stream(4)
    kinesis = moto_server.client("kinesis")

    def put(numbers: range) -> None:
        kinesis.put_records(
            StreamName=stream, Records=[{"Data": b"x", "PartitionKey": str(n)} for n in numbers]
        )

    upstreams = {"": moto_server.endpoint, "DynamoDB_20120810": dynamodb_server.endpoint}
    with recording(upstreams) as recorder:
        fleet = FleetProcesses(tmp_path, {**keys, "AWS_ENDPOINT_URL": recorder.url}, state)
        try:
            more = ("--api", "127.0.0.1:0", "--lease", "3")
            workers = [fleet.start(name, url="", mappings=[], arguments=more) for name in "ab"]
            one, other = map(client, workers)
            with flowing(put):
                made = one.create_event_source_mapping(
                    EventSourceArn=arn, FunctionName=FUNCTION, StartingPosition="TRIM_HORIZON"
                )
                uuid = made["UUID"]

                def state_at(api: Any) -> str:
                    return str(api.get_event_source_mapping(UUID=uuid)["State"])

                until(lambda: state_at(other) == "Enabled")
                until(lambda: all(fleet.workers[name].started() for name in "ab"))
                other.update_event_source_mapping(UUID=uuid, Enabled=False)
                until(lambda: state_at(one) == "Disabled")
                disabled_at = time.monotonic()
                time.sleep(2.0)
                assert [at for at in recorder.invoked if at > disabled_at] == []

                one.delete_event_source_mapping(UUID=uuid)
                until(lambda: not other.list_event_source_mappings()["EventSourceMappings"])
        finally:
            fleet.close()
    assert _leases(dynamodb_server, state) == []


def _leases(server: DynamoDbLocal, state: str) -> list[str]:
    table = state.removeprefix("dynamodb://").partition("?")[0]
    items = server._client("dynamodb").scan(TableName=table)["Items"]
    return [item["pk"]["S"] for item in items if "/lease" in item["pk"]["S"]]
