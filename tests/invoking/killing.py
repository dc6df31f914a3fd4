"""Asynchronous events through pollers that are killed at random moments, and what came of them, judged.

`python -m tests.invoking.killing 1000 --seed 7`: an event that was accepted is handled, or told of where
failures are told of; its attempts stay within their bound, its request id is the same in each of them.
`tests.fleet.killing_events` does the same to a fleet.
"""

import argparse
import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.aws.control import lambda_client
from tests.aws.invoking import invoke
from tests.aws.running import Run, stop, until, whole_lines

HANDLERS = '''
import json, os, pathlib, random, time


def note(name, line):
    """One write; on disk before the function answers."""
    handle = os.open(name, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(handle, (json.dumps(line) + "\\n").encode())
    os.close(handle)


def work(event, context):
    number, id = event["number"], context.aws_request_id
    first = not pathlib.Path(f"failed-{id}").exists()
    note("begun.jsonl", [id, number])
    time.sleep(random.random() * 0.03)
    if number % 5 == 0 or (number % 3 == 0 and first):
        note("failed.jsonl", [id, number])
        pathlib.Path(f"failed-{id}").touch()
        raise ValueError(number)
    note("done.jsonl", [id, number])


def ended(event, context):
    note("ended.jsonl", event["requestContext"])
'''
ALWAYS_FAILS, ATTEMPTS = 5, 3
ENDED = "arn:aws:lambda:us-east-1:000000000000:function:ended"


@dataclass
class Campaign:
    """One run: what was accepted, and how often the poller was killed."""

    run: Run
    chance: random.Random
    ports: Sequence[int]
    settings: Sequence[str] = ()
    processes: dict[int, subprocess.Popen[str]] = field(default_factory=dict)
    """By the port of their API."""
    accepted: dict[str, int] = field(default_factory=dict)
    """Request id -> number of the event."""
    kills: int = 0

    def url(self, port: int) -> str:
        """Where the API of a poller is."""
        return f"http://127.0.0.1:{port}"

    def start(self, port: int) -> None:
        """Start a poller with its API there."""
        self.run.api = f"127.0.0.1:{port}"
        self.processes[port] = self.run.start(*self.settings)

    def kill_and_start(self) -> None:
        """Kill any of the pollers and start another in its place."""
        port = self.chance.choice(self.ports)
        self.processes[port].kill()
        self.processes[port].wait()
        self.kills += 1
        self.start(port)

    def facts(self) -> str:
        """What happened, in one line."""
        return ", ".join(
            (
                f"accepted {len(self.accepted)}",
                f"kills {self.kills}",
                f"invocations {len(self.lines('begun'))}",
                f"cut off and repeated {self.repeats()}",
                f"told of {len(self.lines('ended'))}",
            )
        )

    def lines(self, name: str) -> list[Any]:
        """What the functions noted."""
        return [json.loads(line) for line in whole_lines(self.run.folder / f"{name}.jsonl")]

    def judge(self) -> list[str]:
        """Everything that is wrong."""
        return [*self._unhandled(), *self._unbounded(), *self._unstable()]

    def _unhandled(self) -> Iterator[str]:
        done = {id_ for id_, _ in self.lines("done")}
        ended = Counter(each["requestId"] for each in self.lines("ended"))
        conditions = {each["condition"] for each in self.lines("ended")}
        if conditions - {"RetriesExhausted"}:
            yield f"conditions: {conditions}"
        for id_, number in self.accepted.items():
            always = number % ALWAYS_FAILS == 0
            if always and not ended[id_]:
                yield f"event {number} ({id_}) failed and its destination was not told"
            if not always and id_ not in done:
                yield f"event {number} ({id_}) was accepted and is not handled"
            if not always and ended[id_]:
                yield f"event {number} ({id_}) was handled and told of as a failure"

    def _unbounded(self) -> Iterator[str]:
        failed = Counter(id_ for id_, _ in self.lines("failed"))
        begun = Counter(id_ for id_, _ in self.lines("begun"))
        for id_, number in self.accepted.items():
            # A kill between the failure and its record repeats the attempt.
            if begun[id_] > ATTEMPTS + self.kills or failed[id_] > ATTEMPTS + self.kills:
                yield f"event {number} ({id_}) was begun {begun[id_]} times with {self.kills} kills"
            if number % ALWAYS_FAILS == 0 and failed[id_] < ATTEMPTS:
                yield f"event {number} ({id_}) failed {failed[id_]} times and was given up"

    def _unstable(self) -> Iterator[str]:
        numbers: dict[str, set[int]] = {}
        for id_, number in self.lines("begun"):
            numbers.setdefault(id_, set()).add(number)
        for id_, found in numbers.items():
            if len(found) > 1 or self.accepted.get(id_, *found) not in found:
                yield f"request id {id_} is that of events {found}"

    def repeats(self) -> int:
        """Attempts beyond those that failed or succeeded once."""
        outcomes = Counter(id_ for id_, _ in self.lines("begun"))
        return sum(outcomes.values()) - len(self.lines("failed")) - len({i for i, _ in self.lines("done")})


def campaign(
    folder: Path,
    *,
    events: int,
    kills: int,
    seed: int,
    workers: int = 1,
    environment: Mapping[str, str] | None = None,
    settings: Sequence[str] = (),
) -> Campaign:
    """Send events while pollers are killed and started again; wait until nothing is left of them.

    Args:
        folder: Where they run.
        events: How many are sent, each until it is accepted.
        kills: How often at least one of the pollers is killed.
        seed: Of the moments, and of which.
        workers: How many there are.
        environment: Of each.
        settings: Of each, as flags.
    """
    run = Run(folder, {"POLLER_ASYNC_RETRY_BASE": "0.05", **(environment or {})})
    (folder / "app.py").write_text(HANDLERS)
    run.write_file(
        {
            "work": {"handler": "app:work", "concurrency": 4},
            "ended": {"handler": "app:ended", "concurrency": 2},
        },
        [],
    )
    made = Campaign(run, random.Random(seed), [_free_port() for _ in range(workers)], settings)
    try:
        for port in made.ports:
            made.start(port)
        with closing(lambda_client(made.url(made.ports[0]))) as client:
            client.put_function_event_invoke_config(
                FunctionName="work", DestinationConfig={"OnFailure": {"Destination": ENDED}}
            )
        with _sending(made, events) as sending:
            while made.kills < kills or sending.is_alive():
                time.sleep(made.chance.uniform(0.05, 0.8))
                made.kill_and_start()
        until(lambda: _left(made) == 0)
        for process in made.processes.values():
            assert stop(process) == 0, run.log()[-2000:]
    finally:
        run.close()
    return made


@contextmanager
def _sending(made: Campaign, events: int) -> Iterator[threading.Thread]:
    """Send every event until one of the pollers has accepted it, four at a time."""
    given_up = threading.Event()
    clients = [lambda_client(made.url(port)) for port in made.ports]

    def send(number: int) -> None:
        for client in cycle(clients[number % len(clients) :] + clients[: number % len(clients)]):
            if given_up.is_set():
                return
            try:
                answered = invoke(client, "work", {"number": number}, InvocationType="Event")
            except (BotoCoreError, ClientError):
                time.sleep(0.05)
            else:
                made.accepted[answered.request_id] = number
                return

    def send_all() -> None:
        with ExitStack() as stack, ThreadPoolExecutor(4) as senders:
            for client in clients:
                stack.enter_context(closing(client))
            list(senders.map(send, range(1, events + 1)))

    thread = threading.Thread(target=send_all)
    thread.start()
    try:
        yield thread
    except BaseException:
        given_up.set()  # a poller that does not come back would be waited for without end
        raise
    finally:
        thread.join()


def _left(made: Campaign) -> int:
    """How many accepted events have not come to an end yet, as far as functions can tell."""
    done = {id_ for id_, _ in made.lines("done")}
    ended = {each["requestId"] for each in made.lines("ended")}
    return len(made.accepted.keys() - done - ended)


def _free_port() -> int:
    """A port for all lives of the poller; none that the kernel may give to somebody else in between."""
    handed_out_from = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(handed_out_from // 2, handed_out_from), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


def main() -> int:
    """Run one campaign and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=int)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        made = campaign(Path(folder), events=given.events, kills=given.kills, seed=given.seed)
        problems = made.judge()
        facts = f"{made.facts()}, problems {len(problems)}, {time.monotonic() - begun:.0f} s"
    sys.stdout.write("\n".join([facts, *problems[:20], ""]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
