"""How many batches a second the function host runs, how long each takes, and that it leaks nothing.

`python -m tests.functions.throughput 50000`: exit code 1 where a bar of the Invoke API is missed: 1,500
invocations a second of ten records, the slowest hundredth under 20 ms, nothing left behind.
"""

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import orjson
import structlog

from poller.core.outcomes import Succeeded
from poller.functions.definition import FunctionDefinition
from poller.functions.host import FunctionHost

LEAST_PER_SECOND = 1500
SLOWEST_HUNDREDTH_S = 0.020
WARM_UP = 500
HANDLER = "def handler(event, context): return {'batchItemFailures': []}\n"
RECORD = {
    "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
    "body": "x" * 200,
    "attributes": {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1545082649183",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": "1545082649185",
    },
    "messageAttributes": {},
    "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
    "eventSource": "aws:sqs",
    "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:orders",
    "awsRegion": "us-east-1",
}
BATCH = orjson.dumps({"Records": [RECORD] * 10})


@dataclass(frozen=True)
class Measured:
    """What a run showed."""

    invocations: int
    seconds: float
    median_s: float
    slowest_hundredth_s: float
    cpu_s: float
    processes: tuple[int, int]
    """Child processes before and after."""
    descriptors: tuple[int, int]

    @property
    def per_second(self) -> float:
        return self.invocations / self.seconds

    def __str__(self) -> str:
        return (
            f"{self.invocations} invocations of 10 records, {self.per_second:.0f} a second; "
            f"median {self.median_s * 1000:.1f} ms, p99 {self.slowest_hundredth_s * 1000:.1f} ms; "
            f"{self.cpu_s / self.invocations * 1e6:.0f} us of the host's CPU each; "
            f"processes {self.processes[0]} -> {self.processes[1]}, "
            f"descriptors {self.descriptors[0]} -> {self.descriptors[1]}"
        )

    def missed(self) -> Iterator[str]:
        """The bars that were missed."""
        if self.per_second < LEAST_PER_SECOND:
            yield f"under {LEAST_PER_SECOND} a second"
        if self.slowest_hundredth_s > SLOWEST_HUNDREDTH_S:
            yield f"p99 over {SLOWEST_HUNDREDTH_S * 1000:.0f} ms"
        yield from self.leaks()

    def leaks(self) -> Iterator[str]:
        """What there is more of than before."""
        for name, (before, after) in (("processes", self.processes), ("descriptors", self.descriptors)):
            if after > before:
                yield f"{after - before} {name} leaked"


async def measure(folder: Path, *, invocations: int, lanes: int = 4, concurrency: int = 2) -> Measured:
    """Run batches in so many lanes; every one must succeed."""
    (folder / "app.py").write_text(HANDLER)
    host = FunctionHost(
        FunctionDefinition(
            name="audit",
            handler="app:handler",
            arn="arn:aws:lambda:us-east-1:000000000000:function:audit",
            root=folder,
            timeout_s=30,
            environment=dict(os.environ),
        ),
        concurrency=concurrency,
    )
    await host.start()
    try:
        await _run(host, WARM_UP if invocations > WARM_UP else concurrency * 4, lanes)
        before = _children(), _descriptors()
        begun, cpu = time.perf_counter(), time.process_time()
        times = sorted(await _run(host, invocations, lanes))
        return Measured(
            invocations=invocations,
            seconds=time.perf_counter() - begun,
            median_s=times[len(times) // 2],
            slowest_hundredth_s=times[len(times) * 99 // 100],
            cpu_s=time.process_time() - cpu,
            processes=(before[0], _children()),
            descriptors=(before[1], _descriptors()),
        )
    finally:
        await host.close()


async def _run(host: FunctionHost, invocations: int, lanes: int) -> list[float]:
    times: list[float] = []
    numbers = iter(range(invocations))

    async def lane() -> None:
        for number in numbers:
            begun = time.perf_counter()
            outcome = await host.invoke(BATCH, request_id=f"request-{number}")
            times.append(time.perf_counter() - begun)
            assert isinstance(outcome, Succeeded), outcome

    async with anyio.create_task_group() as group:
        for _ in range(lanes):
            group.start_soon(lane)
    return times


def _children() -> int:
    own = str(os.getpid())
    parents = (_parent(path) for path in Path("/proc").iterdir() if path.name.isdigit())
    return sum(parent == own for parent in parents)


def _parent(process: Path) -> str | None:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return None


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("invocations", type=int, nargs="?", default=50_000)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    async def task() -> Measured:
        with tempfile.TemporaryDirectory() as folder:
            return await measure(Path(folder), invocations=given.invocations)

    measured = anyio.run(task, backend_options={"use_uvloop": True})
    missed = list(measured.missed())
    sys.stdout.write("\n".join([str(measured), *missed, ""]))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
