"""`python -m tests.fleet rounds 5`: three workers restarted, killed and stopped under load, and what it cost.

`python -m tests.fleet shards 1000`: how long it takes until three workers poll so many shards.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from poller.demo.server import MAIN_PROGRAM
from tests.aws.running import until
from tests.conftest import Moto
from tests.fleet.stage import Stage, fleet_stage
from tests.servers.dynamodb_local import DynamoDbLocal

NAMES = ("a", "b", "c")
IN_FLIGHT = 50  # records of one shard: one batch


def main() -> int:
    """Exit code 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    parser.add_argument("what", choices=["rounds", "shards"])
    parser.add_argument("count", type=int)
    parser.add_argument("--lease", type=float, default=10.0)
    options = parser.parse_args()
    with _servers() as (moto, dynamodb), tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        environment = {"AWS_ENDPOINT_URL_DYNAMODB": dynamodb.endpoint}
        shards = 9 if options.what == "rounds" else options.count
        with fleet_stage(moto, environment, Path(folder), shards=shards, lease_s=options.lease) as stage:
            if options.what == "rounds":
                return _Rounds(stage).run(options.count)
            return _cold_start(stage)


class _Rounds:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._graceful: list[float] = []
        self._crash: list[float] = []
        self._spread: list[float] = []
        self._unexplained = 0
        self._excess = 0

    def run(self, count: int) -> int:
        stage = self._stage
        stage.start_all(*NAMES)
        self._settle("started")
        for number in range(count):
            for name in NAMES:
                self._restart(name)
            self._kill(NAMES[number % 3])
            self._stop(NAMES[(number + 1) % 3])
        stage.flow.stop()
        until(lambda: not stage.lost(), timeout_s=60)
        lost = stage.lost()
        _say(f"{stage.flow.written} records, {lost} lost, {stage.repeated()} delivered more than once")
        _say(f"  after planned handovers: {self._unexplained}; beyond what was in flight: {self._excess}")
        for what, seconds in (
            ("handed over", self._graceful),
            ("taken over after a crash", self._crash),
            ("spread again", self._spread),
        ):
            _say(f"  {what}: {_summary(seconds)}")
        broken = lost or self._unexplained or self._excess or max(self._crash) > 1.5 * stage.lease_s
        return 1 if broken else 0

    def _restart(self, name: str) -> None:
        """One step of a rolling deploy: nothing may be delivered twice."""
        stage, before = self._stage, self._stage.repeated()
        shards, at = stage.shards_of(name), time.monotonic()
        assert stage.processes.workers[name].end() == 0
        others = [other for other in NAMES if other != name]
        stage.until_even(*others)
        self._graceful += stage.gaps(shards, at)
        stage.start(name)
        self._settle(f"restarted {name}")
        self._unexplained += stage.repeated() - before

    def _kill(self, name: str) -> None:
        stage, before = self._stage, self._stage.repeated()
        shards, at = stage.shards_of(name), time.monotonic()
        stage.processes.workers[name].end(signal.SIGKILL)
        stage.until_even(*(other for other in NAMES if other != name))
        self._crash += stage.gaps(shards, at)
        self._excess += max(stage.repeated() - before - IN_FLIGHT * len(shards), 0)
        stage.start(name)
        self._settle(f"killed {name}")

    def _stop(self, name: str) -> None:
        """Stand still for longer than a lease: others take over, and who wakes begins nothing."""
        stage, before = self._stage, self._stage.repeated()
        shards, at = stage.shards_of(name), time.monotonic()
        stage.processes.workers[name].send(signal.SIGSTOP)
        stage.until_even(*(other for other in NAMES if other != name))
        self._crash += stage.gaps(shards, at)
        woken = time.monotonic()
        stage.processes.workers[name].send(signal.SIGCONT)
        self._settle(f"stopped {name}")
        early = [d for d in stage.function.by(name, woken) if d.shard in shards]
        self._excess += max(stage.repeated() - before - IN_FLIGHT * len(shards), 0)
        _say(f"  first delivery {early[0].begun - woken:.2f} s after it woke" if early else "  none after")

    def _settle(self, what: str) -> None:
        took = self._stage.until_even(*NAMES)
        self._spread.append(took)
        _say(f"{what}: even after {took:.1f} s")


def _cold_start(stage: Stage) -> int:
    stage.flow.stop()
    begun = time.monotonic()
    for name in NAMES:
        stage.start(name, ready=False)
    for name in NAMES:
        stage.processes.workers[name].wait_ready(300)
        _say(f"{name} ready after {time.monotonic() - begun:.1f} s")
    opened = set[str]()
    while len(opened) < stage.shards:
        opened = {s for name in NAMES for s in stage.processes.workers[name].started()}
        time.sleep(0.5)
    took = time.monotonic() - begun
    _say(f"{len(opened)} shards are read by somebody after {took:.1f} s")
    time.sleep(3 * stage.lease_s)
    for name in NAMES:
        worker = stage.processes.workers[name]
        counts = {event: len(worker.logged(event)) for event in ("shard_started", "shard_handed_over")}
        _say(f"  {name}: {counts}, lost {len(worker.logged('lease_lost'))}")
    return 0 if took <= 60.0 else 1


def _summary(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    p50, p99 = ordered[len(ordered) // 2], ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)]
    return f"{len(ordered)} times, p50 {p50:.2f} s, p99 {p99:.2f} s, most {ordered[-1]:.2f} s"


@contextlib.contextmanager
def _servers() -> Iterator[tuple[Moto, DynamoDbLocal]]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = subprocess.Popen(
        [sys.executable, "-P", str(MAIN_PROGRAM)],
        env=clean,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    dynamodb = DynamoDbLocal.start()
    try:
        yield Moto(f"http://127.0.0.1:{int(process.stdout.readline())}"), dynamodb
    finally:
        process.kill()
        process.communicate(timeout=10)
        dynamodb.child.end()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
