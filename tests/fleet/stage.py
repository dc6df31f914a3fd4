"""A stream, a table, a function and workers: what the tests of fleets share."""

import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.aws.running import until
from tests.conftest import Moto, unique
from tests.fleet.function import Function, serving
from tests.fleet.processes import FleetProcesses, WorkerProcess
from tests.servers.flowing import Flow, flowing

REGION = "ddblocal"


@dataclass(slots=True)
class Stage:
    """A fleet at work."""

    function: Function
    processes: FleetProcesses
    flow: Flow
    mapping: Mapping[str, Any]
    shards: int
    lease_s: float

    def start(self, name: str, *, ready: bool = True) -> WorkerProcess:
        """Start a worker."""
        arguments = ("--lease", str(self.lease_s))
        return self.processes.start(
            name, url=self.function.url, mappings=[self.mapping], arguments=arguments, ready=ready
        )

    def start_all(self, *names: str) -> None:
        """Start workers at once and wait until all are ready."""
        started = [self.start(name, ready=False) for name in names]
        for worker in started:
            worker.wait_ready()

    def shares(self, within_s: float = 1.0) -> Counter[str]:
        """How many shards each worker delivered from just now."""
        since = time.monotonic() - within_s
        pairs = {(d.worker, d.shard) for d in list(self.function.deliveries) if d.begun >= since}
        return Counter(worker for worker, _ in pairs)

    def until_even(self, *names: str, timeout_s: float = 120.0) -> float:
        """Wait until these workers, and no others, deliver even shares; how long it took."""
        begun = time.monotonic()
        low, high = self.shards // len(names), -(-self.shards // len(names))

        def even() -> bool:
            shares = self.shares()
            fair = all(low <= shares[name] <= high for name in names)
            return fair and set(shares) == set(names) and sum(shares.values()) == self.shards

        until(even, timeout_s=timeout_s)
        return time.monotonic() - begun

    def gaps(self, shards: set[str], since: float) -> list[float]:
        """For each of these shards, how long nobody began to deliver from it after a moment."""
        first: dict[str, float] = {}
        for delivery in sorted(self.function.deliveries, key=lambda d: d.begun):
            if delivery.shard in shards and delivery.begun > since:
                first.setdefault(delivery.shard, delivery.begun - since)
        return [first.get(shard, float("inf")) for shard in shards]

    def shards_of(self, name: str, within_s: float = 1.0) -> set[str]:
        """What a worker delivers from just now."""
        return {d.shard for d in self.function.by(name, time.monotonic() - within_s)}

    def repeated(self) -> int:
        """Deliveries beyond the first of each record."""
        counts = Counter(self.function.numbers())
        return sum(counts.values()) - len(counts)

    def lost(self) -> int:
        """Records written and not delivered, once the flow has stopped and all should be there."""
        return len(set(range(self.flow.written)) - set(self.function.numbers()))

    def interleavings(self) -> list[str]:
        """Deliveries that a worker began from a shard after another had begun, without having it again.

        Each worker has a shard for one stretch at a time; a stretch that lies inside another's is a theft.
        """
        found = []
        for shard in {d.shard for d in self.function.deliveries}:
            turns: list[str] = []
            for delivery in sorted(self.function.deliveries, key=lambda d: (d.begun, d.number)):
                if delivery.shard == shard and turns[-1:] != [delivery.worker]:
                    turns.append(delivery.worker)
            if any(a == c and a != b for a, b, c in zip(turns, turns[1:], turns[2:], strict=False)):
                found.append(f"{shard}: {turns}")
        return found


@contextlib.contextmanager
def fleet_stage(
    moto: Moto, dynamodb: Mapping[str, str], folder: Path, *, shards: int = 6, lease_s: float = 10.0
) -> Iterator[Stage]:
    """A stream that is written to all the time, and a table made by our own command."""
    name, arn = moto.stream(shards)
    client = moto.client("kinesis")
    state = f"dynamodb://{unique('fleet')}?region={REGION}"
    environment = {**moto.environment, **dynamodb}
    subprocess.run(
        [sys.executable, "-m", "poller", "state", "init", "--state", state],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    mapping = {
        "EventSourceArn": arn,
        "FunctionName": "f",
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 50,
    }

    def put(numbers: range) -> None:
        records = [{"Data": str(n).encode(), "PartitionKey": f"k{n % 199}"} for n in numbers]
        client.put_records(StreamName=name, Records=records)

    processes = FleetProcesses(folder, environment, state)
    try:
        with serving(Function(takes_s=0.02)) as function, flowing(put) as flow:
            yield Stage(function, processes, flow, mapping, shards, lease_s)
    finally:
        processes.close()
