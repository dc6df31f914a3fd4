"""Asynchronous events worked on by the real dispatcher, over stores and functions in memory."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from mappings.directory import FunctionDirectory
from mappings.event_invoke import EventInvokeConfig
from mappings.functions import Function, HandlerFunction
from mappings.stores.event_invoke_memory import MemoryEventInvokeConfigStore
from poller.budget import ByteBudget
from poller.core.async_events import QueuedEvent
from poller.core.event_time import Age
from poller.core.outcomes import FunctionError, Outcome, Succeeded
from poller.destinations.memory import MemoryEventDestinations
from poller.events.clock import EventClock
from poller.events.memory import MemoryEventQueue
from poller.events.queue import EventQueue
from poller.interfaces import Clock, Invocation, Target
from poller.invoking.dispatcher import DispatcherParts, EventDispatcher
from poller.invoking.event_meter import EventMeter
from poller.invoking.invoker import Invoker
from poller.rules import Tempo
from poller.surroundings import Surroundings
from poller.targets.memory import MemoryTarget
from poller.waiting import Drain
from tests.loop.stage import CLOCK

DEAD = "arn:aws:sqs:us-east-1:123456789012:dead"
GOOD = "arn:aws:sqs:us-east-1:123456789012:good"
BAD = "arn:aws:sqs:us-east-1:123456789012:bad"
AUDIT = HandlerFunction(name="audit", handler="app:handler", concurrency=2, aliases=(("live", "3"),))
FAILED = FunctionError(error_type="ValueError", payload=b'{"errorMessage":"no"}')
React = Callable[[Invocation], Outcome]


class Functions:
    """Functions in memory; `react` decides what comes of each invocation."""

    def __init__(self, react: React | None = None, *, takes_s: float = 0.0) -> None:
        self.react = react or (lambda _: Succeeded(payload=b"null"))
        self.takes_s = takes_s
        self.seen: list[tuple[float, Invocation]] = []
        self.running = 0
        self.most_at_once = 0

    @asynccontextmanager
    async def target(self, function: Function) -> AsyncIterator[Target]:
        """The target of every function."""
        yield MemoryTarget(self._run)

    async def _run(self, invocation: Invocation) -> Outcome:
        self.seen.append((anyio.current_time(), invocation))
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            await anyio.sleep(self.takes_s)
        finally:
            self.running -= 1
        return self.react(invocation)

    @property
    def times(self) -> list[float]:
        """When invocations began, to the second."""
        return [round(at) for at, _ in self.seen]

    @property
    def request_ids(self) -> list[str]:
        """Whose invocations they were."""
        return [invocation.request_id for _, invocation in self.seen]


class KeptEventQueue(MemoryEventQueue):
    """Stands for a queue in a file: it outlives the dispatchers of a test."""

    durable = True

    def left(self) -> Sequence[QueuedEvent]:
        """Nothing is lost."""
        return ()


@dataclass
class Events:
    """What outlives a dispatcher, and what a test looks at."""

    functions: Functions = field(default_factory=Functions)
    queue: EventQueue = field(default_factory=KeptEventQueue)
    configs: MemoryEventInvokeConfigStore = field(default_factory=MemoryEventInvokeConfigStore)
    destinations: MemoryEventDestinations = field(default_factory=MemoryEventDestinations)
    listed: Mapping[str, Function] = field(default_factory=lambda: {"audit": AUDIT})
    drain: Drain = field(default_factory=Drain)
    time: Clock = CLOCK

    def __post_init__(self) -> None:
        self.directory = FunctionDirectory(self.listed)
        self.clock = EventClock(self.time, self.queue.time)
        self.meter = EventMeter(self.time.monotonic)

    async def configure(self, qualifier: str = "$LATEST", **settings: Any) -> None:
        """Set how events are invoked."""
        await self.configs.put(
            EventInvokeConfig(function="audit", qualifier=qualifier, last_modified=0.0, **settings)
        )

    async def accept(self, number: int = 1, *, qualifier: str | None = None, function: str = "audit") -> None:
        """Accept an event now."""
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function}"
        await self.clock.set()
        now = self.clock.now()
        await self.queue.add(
            QueuedEvent(
                request_id=f"id-{number}",
                function=function,
                qualifier=qualifier,
                function_arn=arn if qualifier is None else f"{arn}:{qualifier}",
                payload=b'{"number":%d}' % number,
                accepted_at=now.wall,
                due_at=now.at,
                age=Age(until=now),
                dead_letter=getattr(self.listed.get(function), "dead_letter", None),
            )
        )

    @asynccontextmanager
    async def dispatching(self, tempo: Tempo | None = None) -> AsyncIterator[EventDispatcher]:
        """Work on events; drain in the end, and wait until that is over."""
        dispatcher = EventDispatcher(
            DispatcherParts(
                queue=self.queue,
                clock=self.clock,
                configs=self.configs,
                directory=self.directory,
                invoker=Invoker(self.functions),
                destinations=self.destinations,
                meter=self.meter,
                surroundings=Surroundings(
                    clock=self.time, chance=lambda: 0.0, drain=self.drain, budget=ByteBudget(1, self.drain)
                ),
                tempo=tempo or Tempo(),
            )
        )
        async with anyio.create_task_group() as group:
            group.start_soon(dispatcher.run)
            yield dispatcher
            self.drain.request()

    async def empty(self) -> bool:
        """Whether nothing is left, at any time to come."""
        return not await self.queue.take(lambda _: 1, now=float("inf"))
