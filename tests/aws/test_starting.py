"""What a start says, and what it refuses."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.aws.control import endpoint, lambda_client
from tests.aws.running import Run, until
from tests.conftest import Moto

QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
AUDIT = {"audit": {"url": "http://127.0.0.1:9/"}}


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (
            {"AWS_ENDPOINT_URL": "localhost:4566"},
            "'localhost:4566' is not of the form http://host[:port] or https://host[:port], such as http://local",
        ),
        ({"AWS_ENDPOINT_URL_SQS": "http:///"}, "AWS_ENDPOINT_URL_SQS: 'http:///' is not of the form"),
        ({"AWS_PROFILE": "nobody"}, "AWS_PROFILE: The config profile (nobody) could not be found: add it"),
        ({"AWS_CONFIG_FILE": "broken.cfg"}, "the AWS SDK cannot be used as it is configured: "),
    ],
)
def test_an_environment_that_allows_no_client_is_refused(
    tmp_path: Path, environment: dict[str, str], told: str
) -> None:
    """Exit code 2 with the mend: a restart would meet the same."""
    run = Run(tmp_path, environment)
    (tmp_path / "broken.cfg").write_text("[profile")
    run.write_file(AUDIT, [{"EventSourceArn": QUEUE, "FunctionName": "audit"}])
    try:
        process = run.start(ready=False)

        assert process.wait(timeout=60) == 2
        assert told in run.log()
        assert "Traceback" not in run.log()
    finally:
        run.close()


def test_an_idle_poller_says_what_its_end_waits_for(moto_server: Moto, tmp_path: Path) -> None:
    """At once, for how long at most, and that a second signal ends it; and which state it opened."""
    _, queue = moto_server.queue()
    run = Run(tmp_path, moto_server.environment)
    run.write_file({"audit": {"handler": "app:keep"}}, [{"EventSourceArn": queue, "FunctionName": "audit"}])
    try:
        process = run.start()
        (opened,) = run.logged("state_opened")
        process.send_signal(signal.SIGINT)
        until(lambda: run.logged("draining"))
        (draining,) = run.logged("draining")
        assert process.wait(timeout=60) == 0
    finally:
        run.close()

    assert (opened["state"], opened["mappings"]) == (run.state, 0)
    assert any("a poll, up to" in each for each in draining["waiting_for"])
    assert draining["at_most_s"] == 60.0
    assert draining["hint"] == "a second signal ends at once"


def test_a_mapping_without_its_function_is_a_problem_at_the_start(moto_server: Moto, tmp_path: Path) -> None:
    """It was made through the API; then no file lists the function."""
    _, queue = moto_server.queue()
    run = Run(tmp_path, moto_server.environment)
    run.api = "127.0.0.1:0"
    run.write_file({"audit": {"handler": "app:keep"}}, [])
    try:
        process = run.start()
        lambda_client(endpoint(run)).create_event_source_mapping(EventSourceArn=queue, FunctionName="audit")
        run.file.write_text('functions: {other: {handler: "app:keep"}}\n')
        until(lambda: run.logged("mapping_problem"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0

        again = run.start(ready=False)
        assert run.wait_ready(again) == "ready mappings=0 problems=1\n"
    finally:
        run.close()

    told = run.logged("mapping_problem")
    assert len(told) == 2
    assert "Function does not exist: no file lists audit" in told[0]["problem"]


def test_a_file_that_names_a_mapping_of_the_api_starts_and_goes_on_where_that_ends(
    moto_server: Moto, tmp_path: Path
) -> None:
    """The API's mapping runs; once it is deleted the entry begins at its checkpoint."""
    name, stream = moto_server.stream(1)
    kinesis = moto_server.client("kinesis")
    run = Run(tmp_path, moto_server.environment)
    run.api = "127.0.0.1:0"
    functions = {"audit": {"handler": "app:keep"}}
    request = {"EventSourceArn": stream, "FunctionName": "audit", "StartingPosition": "TRIM_HORIZON"}
    run.write_file(functions, [])
    try:
        process = run.start()
        client = lambda_client(endpoint(run))
        uuid = client.create_event_source_mapping(**request)["UUID"]
        kinesis.put_record(StreamName=name, Data=b"first", PartitionKey="k")
        until(lambda: len(run.records()) == 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0

        run.write_file(functions, [request])
        again = run.start(ready=False)
        assert run.wait_ready(again) == "ready mappings=1\n"
        client = lambda_client(endpoint(run))
        (listed,) = client.list_event_source_mappings()["EventSourceMappings"]
        (problem,) = run.logged("mapping_problem")
        client.delete_event_source_mapping(UUID=uuid)
        until(lambda: [each["UUID"] for each in _listed(client)] not in ([uuid], []))
        kinesis.put_record(StreamName=name, Data=b"second", PartitionKey="k")
        until(lambda: len(run.records()) == 2)
    finally:
        run.close()

    assert listed["UUID"] == uuid
    assert "made through the API with UUID" in problem["problem"]


def _listed(client: Any) -> list[dict[str, Any]]:
    return list(client.list_event_source_mappings()["EventSourceMappings"])
