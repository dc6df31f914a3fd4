"""A mapping run by the real runner over in-memory seams, in virtual time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import orjson

from mappings.model import EventSourceMapping
from mappings.validation import mapping_from_request
from poller.budget import ByteBudget
from poller.core.outcomes import Outcome, Succeeded
from poller.fleet import Alone
from poller.interfaces import Clock, Destination, Invocation, LeaseStore, Source, Target
from poller.leases.memory import MemoryLeaseStore
from poller.rules import Tempo
from poller.runner import Runner, RunnerParts
from poller.surroundings import Surroundings
from poller.targets.memory import MemoryTarget
from poller.waiting import Drain
from tests.simulation.loop import VirtualLoop

QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
EPOCH = 1_800_000_000.0


class VirtualClock:
    """Monotonic time is the loop's, wall time runs beside it."""

    def monotonic(self) -> float:
        return anyio.current_time()

    def wall(self) -> float:
        return EPOCH + anyio.current_time()


CLOCK = VirtualClock()


def in_virtual_time(test: Callable[[], Awaitable[None]], *, seed: int = 0) -> None:
    """Run an async test on a loop whose clock jumps; an hour passes at once."""
    anyio.run(test, backend_options={"loop_factory": lambda: VirtualLoop(seed)})


def queue_mapping(**fields: Any) -> EventSourceMapping:
    """A mapping of a standard queue."""
    return mapping_from_request({"EventSourceArn": QUEUE, "FunctionName": "f", **fields}, now=EPOCH)


def stream_mapping(**fields: Any) -> EventSourceMapping:
    """A mapping of a Kinesis stream from its horizon."""
    request = {"EventSourceArn": STREAM, "FunctionName": "f", "StartingPosition": "TRIM_HORIZON", **fields}
    return mapping_from_request(request, now=EPOCH)


@dataclass
class Stage:
    """What a test looks at while the mapping runs."""

    drain: Drain
    budget: ByteBudget
    leases: LeaseStore
    runner: Runner
    polling: anyio.Event = field(default_factory=anyio.Event)


@asynccontextmanager
async def playing(  # noqa: PLR0913  # what tests vary
    mapping: EventSourceMapping,
    source: Source,
    target: Target,
    *,
    leases: LeaseStore | None = None,
    budget_bytes: int = 64 * 1024 * 1024,
    tempo: Tempo | None = None,
    destination: Destination | None = None,
    concurrency: int | None = None,
    grace_s: float = 900.0,
    clock: Clock = CLOCK,
) -> AsyncIterator[Stage]:
    """Run a mapping; drain it at the end and wait until it has."""
    drain = Drain(lambda: clock.monotonic() + grace_s)
    budget = ByteBudget(budget_bytes, drain)
    store = leases if leases is not None else MemoryLeaseStore()
    parts = RunnerParts(
        source=source,
        target=target,
        destination=destination,
        leases=store,
        fleet=Alone("worker"),
        tempo=tempo or Tempo(),
        concurrency=concurrency,
        surroundings=Surroundings(clock=clock, chance=lambda: 0.0, drain=drain, budget=budget),
    )
    polling = anyio.Event()
    runner = Runner(mapping, parts, on_polling=polling.set)
    async with anyio.create_task_group() as group:
        group.start_soon(runner.run)
        yield Stage(drain=drain, budget=budget, leases=store, runner=runner, polling=polling)
        drain.request()


class Function:
    """A function that keeps the batches it was given; `react` decides what comes of each."""

    def __init__(
        self, react: Callable[[list[dict[str, Any]]], Outcome] | None = None, *, takes_s: float = 0.0
    ) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.times: list[float] = []
        self.running = 0
        self.most_at_once = 0
        self.target = MemoryTarget(self._run)
        self._react = react or (lambda _: Succeeded(payload=b"null"))
        self._takes_s = takes_s

    async def _run(self, invocation: Invocation) -> Outcome:
        records = orjson.loads(invocation.payload)["Records"]
        self.batches.append(records)
        self.times.append(anyio.current_time())
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        await anyio.sleep(self._takes_s)
        self.running -= 1
        return self._react(records)

    @property
    def seen(self) -> list[str]:
        """Bodies or data of everything delivered, in order."""
        return [str(r.get("body", r.get("data"))) for batch in self.batches for r in batch]


async def eventually(condition: Callable[[], object], *, within_s: float = 7200) -> None:
    """Let virtual time pass until a condition holds."""
    with anyio.fail_after(within_s):
        while not condition():  # noqa: ASYNC110  # any change of anything may fulfil it
            await anyio.sleep(0.01)
