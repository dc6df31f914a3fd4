"""Asynchronous events through a poller that is killed at random moments, and what came of them, judged.

`python -m tests.invoking.killing 1000 --seed 7`: an event that was accepted is handled, or told of where
failures are told of; its attempts stay within their bound, its request id is the same in each of them.
"""

import argparse
import json
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
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
    accepted: dict[str, int] = field(default_factory=dict)
    """Request id -> number of the event."""
    kills: int = 0

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


def campaign(folder: Path, *, events: int, kills: int, seed: int) -> Campaign:
    """Send events while the poller is killed and started again; wait until nothing is left of them."""
    run = Run(folder, {"POLLER_ASYNC_RETRY_BASE": "0.05"})
    (folder / "app.py").write_text(HANDLERS)
    run.api = f"127.0.0.1:{_free_port()}"
    run.write_file(
        {
            "work": {"handler": "app:work", "concurrency": 4},
            "ended": {"handler": "app:ended", "concurrency": 2},
        },
        [],
    )
    made = Campaign(run, random.Random(seed))
    try:
        run.start()
        with closing(lambda_client(f"http://{run.api}")) as client:
            client.put_function_event_invoke_config(
                FunctionName="work", DestinationConfig={"OnFailure": {"Destination": ENDED}}
            )
        with _sending(made, events) as sending:
            while made.kills < kills or sending.is_alive():
                time.sleep(made.chance.uniform(0.05, 0.8))
                _kill_and_start(made)
        until(lambda: _left(made) == 0, timeout_s=120)
        assert stop(run.processes[-1]) == 0, run.log()[-2000:]
    finally:
        run.close()
    return made


@contextmanager
def _sending(made: Campaign, events: int) -> Iterator[threading.Thread]:
    """Send every event until it is accepted, four at a time."""
    client = lambda_client(f"http://{made.run.api}")
    given_up = threading.Event()

    def send(number: int) -> None:
        while not given_up.is_set():
            try:
                answered = invoke(client, "work", {"number": number}, InvocationType="Event")
            except (BotoCoreError, ClientError):
                time.sleep(0.05)
            else:
                made.accepted[answered.request_id] = number
                return

    def send_all() -> None:
        with closing(client), ThreadPoolExecutor(4) as senders:
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


def _kill_and_start(made: Campaign) -> None:
    made.run.processes[-1].kill()
    made.run.processes[-1].wait()
    made.kills += 1
    made.run.start()


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
        facts = (
            f"accepted {len(made.accepted)}",
            f"kills {made.kills}",
            f"invocations {len(made.lines('begun'))}",
            f"cut off and repeated {made.repeats()}",
            f"told of {len(made.lines('ended'))}",
            f"problems {len(problems)}",
            f"{time.monotonic() - begun:.0f} s",
        )
    sys.stdout.write("\n".join([", ".join(facts), *problems[:20], ""]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
