"""Asynchronous events and their settings across the end of a process, with destinations at a real server."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.control import endpoint, lambda_client
from tests.aws.invoking import HANDLERS, invoke
from tests.aws.running import Run, stop, until
from tests.conftest import Moto


@pytest.fixture
def run(tmp_path: Path, moto: Moto) -> Iterator[Run]:
    """A place to run the poller in, pointed at moto."""
    made = Run(tmp_path, moto.environment)
    made.api = "127.0.0.1:0"
    (tmp_path / "app.py").write_text(HANDLERS)
    yield made
    made.close()


def bodies(moto: Moto, url: str) -> list[dict[str, Any]]:
    """The messages of a queue."""
    answer = moto.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", ())]


def test_an_accepted_event_survives_a_kill_and_is_told_of(moto: Moto, run: Run) -> None:
    """Its attempts go on where they were, under one id; settings stay; the dead letter is the event."""
    bad_url, bad = moto.queue()
    dead_url, dead = moto.queue()
    run.write_file({"audit": {"handler": "app:handler", "timeout": 10, "dead_letter": dead}}, [])
    process = run.start()
    client = lambda_client(endpoint(run))
    client.put_function_event_invoke_config(
        FunctionName="audit", MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": bad}}
    )
    answered = invoke(client, event={"sleep": 1, "raise": "no"}, InvocationType="Event")
    until(run.events)
    process.send_signal(signal.SIGKILL)
    process.wait()

    run.start()
    records: list[dict[str, Any]] = []

    def told() -> bool:
        records.extend(bodies(moto, bad_url))
        return bool(records)

    until(told)
    assert records[0]["requestContext"] == {
        "requestId": answered.request_id,
        "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:audit:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert records[0]["requestPayload"] == {"sleep": 1, "raise": "no"}
    assert records[0]["responsePayload"]["errorMessage"] == "no"
    assert bodies(moto, dead_url) == [{"sleep": 1, "raise": "no"}]
    assert [each["id"] for each in run.events()] == [answered.request_id] * 3


def test_a_drain_finishes_the_event_that_runs(run: Run) -> None:
    """It is not run again afterwards."""
    run.write_file({"audit": {"handler": "app:handler", "timeout": 10}}, [])
    process = run.start()
    invoke(lambda_client(endpoint(run)), event={"sleep": 1.5}, InvocationType="Event")
    until(run.events)
    assert stop(process) == 0

    second = run.start()
    assert stop(second) == 0
    assert len(run.events()) == 1


def test_a_full_queue_answers_429_and_loses_nothing(run: Run) -> None:
    """What was accepted is run; what was not, the client knows of."""
    run._environment["POLLER_ASYNC_QUEUE_EVENTS"] = "3"
    run.write_file({"audit": {"handler": "app:handler", "timeout": 10}}, [])
    run.start()
    client = lambda_client(endpoint(run))
    event = {"until": str(run.folder / "over")}
    accepted = [invoke(client, event=event, InvocationType="Event").request_id for _ in range(3)]
    with pytest.raises(ClientError) as refused:
        invoke(client, InvocationType="Event")
    (run.folder / "over").touch()

    error: Any = refused.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert error["Error"]["Code"] == "TooManyRequestsException"
    assert error["Reason"] == "FunctionInvocationRateLimitExceeded"
    until(lambda: len(run.events()) == 3)
    assert {each["id"] for each in run.events()} == set(accepted)


def test_a_mapping_through_an_alias_runs_its_version(moto: Moto, run: Run) -> None:
    """From a file, and through the API."""
    url, arn = moto.queue()
    run.write_file(
        {"audit": {"handler": "app:handler", "aliases": {"live": "3"}}},
        [{"EventSourceArn": arn, "FunctionName": "audit:live"}],
    )
    run.start()
    moto.client("sqs").send_message(QueueUrl=url, MessageBody="one")

    until(run.events)
    assert run.events()[0]["version"] == "3"
    client = lambda_client(endpoint(run))
    with pytest.raises(ClientError, match="Function does not exist"):
        client.create_event_source_mapping(EventSourceArn=arn, FunctionName="audit:nothing")
