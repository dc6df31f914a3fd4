"""Asynchronous events of a fleet: what one worker has accepted is worked on by those that are left."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws.control import endpoint, lambda_client
from tests.aws.invoking import HANDLERS, invoke
from tests.aws.running import Run, stop, until
from tests.conftest import unique
from tests.fleet.killing_events import fleet_campaign
from tests.servers.dynamodb_local import REGION, DynamoDbLocal

LEASE_S = 2.0
FUNCTION_ARN = "arn:aws:lambda:us-east-1:000000000000:function"


@pytest.fixture
def run(dynamodb_server: DynamoDbLocal, tmp_path: Path) -> Iterator[Run]:
    """A place to run workers in, with a table of their own."""
    made = Run(tmp_path, {**dynamodb_server.environment, "POLLER_ASYNC_RETRY_BASE": "0.2"})
    made.state = f"dynamodb://{unique('fleet')}?region={REGION}"
    made.api = "127.0.0.1:0"
    (tmp_path / "app.py").write_text(HANDLERS)
    made.write_file(
        {"audit": {"handler": "app:handler", "timeout": 10}, "told": {"handler": "app:handler"}}, []
    )
    subprocess.run(
        [sys.executable, "-m", "poller", "state", "init", "--state", made.state],
        env={**os.environ, **dynamodb_server.environment},
        check=True,
        capture_output=True,
    )
    yield made
    made.close()


def start(run: Run) -> tuple[subprocess.Popen[str], Any]:
    """A worker, and a client of its API."""
    before = len(run.logged("api_listening"))
    process = run.start("--lease", str(LEASE_S))
    until(lambda: len(run.logged("api_listening")) > before)
    return process, lambda_client(endpoint(run))


def left(run: Run, server: DynamoDbLocal) -> list[str]:
    """What of events is in the table."""
    table = run.state.removeprefix("dynamodb://").partition("?")[0]
    pages = server._client("dynamodb").get_paginator("scan").paginate(TableName=table)
    keys = [item["pk"]["S"] for page in pages for item in page["Items"]]
    return [key for key in keys if "/events/" in key or "/event-parts/" in key]


def ended(run: Run) -> list[dict[str, Any]]:
    """What was told of events that came to nothing."""
    return [each["event"] for each in run.events() if "requestContext" in (each["event"] or {})]


def test_what_a_killed_worker_has_accepted_is_handled_or_told_of_by_another(
    dynamodb_server: DynamoDbLocal, run: Run
) -> None:
    """Under the same request ids, with no attempt more than the one that was cut off; large ones too."""
    first, client = start(run)
    client.put_function_event_invoke_config(
        FunctionName="audit", DestinationConfig={"OnFailure": {"Destination": f"{FUNCTION_ARN}:told"}}
    )
    second, _ = start(run)
    gate = run.folder / "gate"  # what has begun is held until the worker is killed
    good = [
        invoke(client, event={"until": str(gate), "say": "x" * size}, InvocationType="Event").request_id
        for size in [10] * 20 + [1_000_000] * 2
    ]
    bad = [
        invoke(client, event={"until": str(gate), "raise": "y" * size}, InvocationType="Event").request_id
        for size in [10] * 3 + [100_000]
    ]
    until(run.events)
    first.send_signal(signal.SIGKILL)
    first.wait()
    begun = {each["id"] for each in run.events()}
    assert len(begun) < len(good)
    gate.touch()

    until(lambda: set(good) <= {each["id"] for each in run.events()})
    until(lambda: len(ended(run)) == len(bad))
    until(lambda: not left(run, dynamodb_server))

    assert sum(each["events"] for each in run.logged("events_inherited")) >= len(good) - len(begun)
    attempts = Counter(each["id"] for each in run.events())
    assert all(attempts[id_] <= (2 if id_ in begun else 1) for id_ in good)
    assert all(3 <= attempts[id_] <= (4 if id_ in begun else 3) for id_ in bad)
    assert {each["requestContext"]["requestId"] for each in ended(run)} == set(bad)
    assert {each["requestContext"]["condition"] for each in ended(run)} == {"RetriesExhausted"}
    assert stop(second) == 0


def test_what_waits_when_a_worker_leaves_is_taken_over_at_once(run: Run) -> None:
    """A worker that drained is known to be no more: nobody waits for its heartbeats to stand still."""
    run._environment["POLLER_ASYNC_RETRY_BASE"] = "1"
    first, client = start(run)
    accepted = invoke(client, event={"raise": "no"}, InvocationType="Event").request_id
    until(lambda: run.logged("event_postponed"))
    assert stop(first) == 0

    second, _ = start(run)
    until(lambda: run.logged("events_inherited"))
    until(lambda: run.logged("event_given_up"))

    assert [each["id"] for each in run.events()] == [accepted] * 3
    assert stop(second) == 0


def test_events_survive_kills_of_all_workers(dynamodb_server: DynamoDbLocal, tmp_path: Path) -> None:
    """A small campaign; `make kill-events` runs a large one."""
    made = fleet_campaign(tmp_path, dynamodb_server, events=40, kills=4, seed=1)

    assert made.judge() == []
    assert len(made.accepted) == 40
