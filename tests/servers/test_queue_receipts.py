"""Receipts on real servers: nothing is dead-lettered unrun, run twice, or run out of order for our sake."""

import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.aws.running import Run, repeated, stop, until
from tests.servers.sqs_servers import Ministack, ServedQueue, SqsServer

LOCALSTACK = "TEST_LOCALSTACK"  # the address of a LocalStack that runs already


@pytest.fixture(scope="module")
def ministack() -> Iterator[SqsServer]:
    """ministack; tests use queues of their own."""
    running = Ministack.start()
    yield running.server
    running.end()


@pytest.fixture(params=["ministack", "localstack"])
def server(request: pytest.FixtureRequest) -> SqsServer:
    """Each server there is."""
    if request.param == "ministack":
        made: SqsServer = request.getfixturevalue("ministack")
        return made
    if LOCALSTACK not in os.environ:
        pytest.skip(f"set {LOCALSTACK} to the address of a LocalStack")
    return SqsServer(name="localstack", endpoint=os.environ[LOCALSTACK])


@pytest.fixture
def run(tmp_path: Path, server: SqsServer) -> Iterator[Run]:
    """A place to run the poller in, pointed at the server."""
    made = Run(tmp_path, server.environment)
    yield made
    made.close()


def _mapping(queue: ServedQueue, **more: Any) -> dict[str, Any]:
    return {"EventSourceArn": queue.arn, "FunctionName": "f", "BatchSize": 1, **more}


def _bodies(run: Run) -> list[str]:
    return [str(record["body"]) for record in run.records()]


def test_what_arrives_after_sigterm_runs(server: SqsServer, run: Run) -> None:
    """Faults 10: idle polls are open when it comes; each message is received once."""
    queue = server.queue(visibility_s=30, max_receives=1)
    run.write_file({"f": {"handler": "app:keep", "timeout": 10, "concurrency": 4}}, [_mapping(queue)])
    process = run.start("--profile", "default")
    time.sleep(2)  # the polls are open by then

    process.terminate()
    until(lambda: run.logged("draining"))
    queue.send("0", "1", "2")
    code = process.wait(60)

    assert (code, sorted(_bodies(run)), queue.left(), queue.dead()) == (0, ["0", "1", "2"], 0, 0)


@pytest.mark.parametrize("fifo", [False, True])
def test_what_a_drain_has_no_time_for_is_received_once(server: SqsServer, run: Run, *, fifo: bool) -> None:
    """Faults 10: given back when no poll is open, though deletes unblock the group meanwhile."""
    queue = server.queue(fifo=fifo, visibility_s=30, max_receives=3)
    run.write_file({"f": {"handler": "app:keep", "timeout": 8, "concurrency": 4}}, [_mapping(queue)])
    process = run.start("--profile", "default", "--drain-timeout", "12")
    time.sleep(2)

    process.terminate()
    until(lambda: run.logged("draining"))
    for number in range(3):
        queue.send(str(number), group=f"g{number}" if fifo else None)
    code = process.wait(60)

    handled = len(_bodies(run))
    receives = queue.receives()
    assert (code, queue.dead()) == (0, 0)
    assert handled + len(receives) == 3
    assert all(count <= 1 for count in receives)


def test_a_message_that_waits_for_a_slot_runs_once(server: SqsServer, run: Run) -> None:
    """Faults 6 and 9: one slot, runs of 1.5 s, visibility 3: each message is received once and runs once."""
    queue = server.queue(visibility_s=3, max_receives=2)
    queue.send(*map(str, range(12)))
    run.write_file({"f": {"handler": "app:slow", "timeout": 3, "concurrency": 1}}, [_mapping(queue)])
    process = run.start()

    until(lambda: queue.left() == 0)
    code = stop(process)

    assert (code, queue.dead(), repeated(_bodies(run))) == (0, 0, {})
    assert sorted(_bodies(run), key=int) == [str(number) for number in range(12)]


class Application(BaseHTTPRequestHandler):
    """What a sidecar posts to."""

    bodies: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """Take an event."""
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.bodies.extend(record["body"] for record in event["Records"])
        self._answer()

    def do_HEAD(self) -> None:
        """Be there."""
        self._answer()

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _serving(port: int) -> ThreadingHTTPServer:
    http = ThreadingHTTPServer(("127.0.0.1", port), Application)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    return http


def test_an_application_that_is_away_costs_no_receive(server: SqsServer, run: Run) -> None:
    """Faults 9: away for four times the visibility timeout, maxReceiveCount 2: none is dead-lettered."""
    Application.bodies.clear()
    queue = server.queue(visibility_s=3, max_receives=2)
    http = _serving(0)
    port = http.server_address[1]
    function = {"url": f"http://127.0.0.1:{port}/", "timeout": 3}
    run.write_file({"f": function}, [_mapping(queue, BatchSize=10)])
    process = run.start()
    http.shutdown()
    http.server_close()
    queue.send(*map(str, range(40)))
    time.sleep(12)

    http = _serving(port)
    until(lambda: queue.left() == 0)
    code = stop(process)
    http.shutdown()
    http.server_close()

    assert (code, queue.dead()) == (0, 0)
    assert sorted(Application.bodies, key=int) == [str(number) for number in range(40)]


FAILING = """
import json, os


def first_fails(event, context):
    names = [record["body"][:3] for record in event["Records"]]
    with open(os.environ["SEEN_FILE"], "a") as seen:
        seen.write(json.dumps({"records": [{"body": name} for name in names]}) + "\\n")
    if names[0] == "g00" and not os.path.exists("failed"):
        open("failed", "w").close()
        raise ValueError("the first time")
"""


def test_a_group_whose_receive_exceeds_six_megabytes_keeps_its_order(server: SqsServer, run: Run) -> None:
    """I3: the part that failed runs again before what was received behind it."""
    queue = server.queue(fifo=True, visibility_s=4, max_receives=10)
    queue.send(*(f"g{number:02}" + "x" * 1_000_000 for number in range(10)), group="g")
    (run.folder / "failing.py").write_text(FAILING)
    function = {"handler": "failing:first_fails", "timeout": 4, "concurrency": 2}
    run.write_file({"f": function}, [_mapping(queue, BatchSize=10)])
    process = run.start()

    until(lambda: "g09" in _bodies(run) and queue.left() == 0)  # a locked group may not be counted
    code = stop(process)

    names = _bodies(run)
    again = names.index("g00", 1)
    expected = [f"g{number:02}" for number in range(10)]
    assert (code, queue.dead()) == (0, 0)
    assert names[:again] == expected[:again]
    assert names[again:] == expected
