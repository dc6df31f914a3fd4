"""Asynchronous events in a fleet, in virtual time: what becomes of each, whatever befalls workers and clocks.

Workers have clocks of their own, apart by hours and stepping, and files of other versions that change; they
crash, and the table refuses calls and loses answers. Destinations hang, refuse for good or raise what nobody
foresaw.
"""

import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

import anyio

from mappings.directory import FunctionDirectory
from mappings.event_invoke import EventInvokeConfig
from mappings.functions import Function, HandlerFunction
from mappings.stores.event_invoke_memory import MemoryEventInvokeConfigStore
from poller.budget import ByteBudget
from poller.core.async_events import Condition, Notice, QueuedEvent
from poller.core.event_time import Age
from poller.core.invocation_records import DeadLetter, InvocationRecord
from poller.core.outcomes import FunctionError, LostReply, Outcome, Succeeded, Throttled
from poller.errors import (
    DestinationDenied,
    DestinationKeyRefused,
    DestinationUnavailable,
    DestinationUnsuitable,
    StateUnavailable,
)
from poller.events.clock import EventClock
from poller.events.dynamodb import DynamoDbEvents
from poller.events.shared import SharedEventQueue
from poller.fleet import Alone
from poller.interfaces import Invocation, Target
from poller.invoking.dispatcher import DispatcherParts, EventDispatcher
from poller.invoking.event_meter import EventMeter
from poller.invoking.invoker import Invoker
from poller.rules import Tempo
from poller.surroundings import Surroundings
from poller.targets.memory import MemoryTarget
from poller.waiting import Drain
from tests.contract.table_in_memory import MemoryTable
from tests.loop.stage import EPOCH

HOUR = 3600.0
LIVES_S = 240.0
RETRIES = 1
EVENTS = 24
ACCEPTED_WITHIN_S = 40.0
TROUBLE_ENDS_S = 120.0
MENDED_S = 500.0
"""Nothing hangs or denies afterwards."""
OVER_S = 1200.0
"""All has to be over."""
TEMPO = Tempo(event_retry_base_s=4.0, look_s=1.0)
FLEET_LOOKS_S = 2.0
_ARN = "arn:aws:sqs:us-east-1:123456789012:"
TAKES, HANGS, DENIES, TOO_SMALL, BAD_KEY, REFUSES, ODD = (
    f"{_ARN}{name}" for name in ("takes", "hangs", "denies", "too-small", "bad-key", "refuses", "odd")
)
DESTINATIONS = (TAKES, HANGS, DENIES, TOO_SMALL, BAD_KEY, REFUSES, ODD)
NAMES = ("audit", "resize", "late")
OF_NEW_FILES = "late"
"""Only the files of the later version list it, and an alias of `audit`."""


class ShiftedClock:
    """Of one process: its wall clock is wrong, and steps."""

    def __init__(self, chance: random.Random) -> None:
        self.ahead_s = chance.choice([0.0, 0.0, -7 * HOUR, 1 / 60 * HOUR, 7 * HOUR, 90 * HOUR])
        self._zero = chance.uniform(0, 1e6)

    def monotonic(self) -> float:
        return self._zero + anyio.current_time()

    def wall(self) -> float:
        return EPOCH + anyio.current_time() + self.ahead_s


class DatedTable(MemoryTable):
    """A table whose answers have a Date, or none."""

    def __init__(self, chance: random.Random, *, trouble: float, dated: bool) -> None:
        super().__init__(chance, trouble=trouble)
        self.dated = dated

    async def _end(self) -> None:
        await super()._end()
        if self.dated:
            self.time = float(int(EPOCH + anyio.current_time())) + 0.5


@dataclass
class Life:
    """What is known of one accepted event."""

    function: str
    qualifier: str | None
    accepted_at: float
    accepted_by: str
    tries: list[float] = field(default_factory=list)
    tried_by: str = ""
    """The last worker."""
    ended_by: str = ""
    succeeded_for: str | None = None
    """The worker that heard of a success."""
    conditions: set[Condition] = field(default_factory=set)
    ended_at: float = 0.0
    notices: frozenset[Notice] = frozenset()
    told: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


class World:
    """What all workers share, and what became of each event."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(f"events {seed}")
        chance = self.chance
        self.crashes = chance.random() < 0.5
        self.trouble = chance.choice([0.0, 0.0, 0.02])
        self.dated = chance.random() < 0.5
        self.rolls_back_at = chance.uniform(10, 40) if chance.random() < 0.4 else None
        """When the last worker's files become those of the earlier version, and stay that."""
        self.table = DatedTable(random.Random(seed), trouble=self.trouble, dated=self.dated)
        self.configs = MemoryEventInvokeConfigStore()
        self.arns = {name: chance.choice(DESTINATIONS) for name in NAMES}
        self.gone: set[str] = set()
        self.crashed: set[str] = set()
        self.lives: dict[str, Life] = {}
        self.counted: list[EventMeter] = []
        self.problems: list[str] = []
        self.mute: set[str] = set()
        self._names = count()
        self._requests = count()

    def name(self) -> str:
        """A name that no worker had."""
        return f"w{next(self._names):03}"

    def request_id(self) -> str:
        """An id that no event had."""
        return f"id-{next(self._requests):03}"

    def files(self, *, new: bool) -> Mapping[str, Function]:
        """What the files of a version list."""
        aliases = (("live", "2"),) if new else ()
        listed: dict[str, Function] = {
            name: HandlerFunction(
                name=name,
                handler="app:handler",
                concurrency=4,
                reserved=True,
                aliases=aliases,
                dead_letter=self.arns[name],
            )
            for name in NAMES
            if new or name != OF_NEW_FILES
        }
        return listed

    async def configure(self) -> None:
        """Set how the events of all functions are invoked."""
        for name in NAMES:
            for qualifier in ("$LATEST", "live"):
                await self.configs.put(
                    EventInvokeConfig(
                        function=name,
                        qualifier=qualifier,
                        last_modified=0.0,
                        maximum_event_age_in_seconds=int(LIVES_S),
                        maximum_retry_attempts=RETRIES,
                        on_success=self.arns[name],
                    )
                )

    def outcome(self, request_id: str, attempt: int) -> Outcome:
        """What a function does with an event; the same for the same seed."""
        chance = random.Random(f"{self.arns} {request_id} {attempt}")
        outcomes: list[Outcome] = [
            Succeeded(payload=b"1"),
            FunctionError(error_type="ValueError", payload=b"{}"),
            LostReply(reason="x"),
            Throttled(),
        ]
        return chance.choices(outcomes, [5, 3, 1, 1])[0]

    # ----- the outside

    async def tell(self, arn: str, record: InvocationRecord, *, region: str) -> None:
        """Tell a destination of an end."""
        await self._answer(arn, record.request_id, reduced=record.reduced)
        self.lives[record.request_id].told[arn] += 1
        self.lives[record.request_id].conditions.add(record.condition)

    async def bury(self, arn: str, letter: DeadLetter) -> None:
        """Send a letter."""
        await self._answer(arn, letter.request_id, reduced="does not fit" in letter.body)
        self.lives[letter.request_id].told[arn] += 1

    async def _answer(self, arn: str, request_id: str, *, reduced: bool) -> None:
        await anyio.sleep(0.02)
        mended = anyio.current_time() > MENDED_S
        match arn:
            case _ if arn == TOO_SMALL and not reduced:
                raise DestinationUnsuitable("too large")
            case _ if arn == REFUSES:
                raise DestinationUnsuitable("FIFO")
            case _ if arn == BAD_KEY:
                raise DestinationKeyRefused("disabled")
            case _ if arn == HANGS and not mended:
                await anyio.sleep(HOUR)
            case _ if arn == DENIES and not mended:
                raise DestinationDenied("no")
            case _ if arn == ODD and not mended and random.Random(f"{request_id}").random() < 0.5:
                raise ZeroDivisionError("nobody foresaw it")
        if self.trouble and self.chance.random() < self.trouble:
            raise DestinationUnavailable("busy")


class Peer(Alone):
    """A worker that takes over what the gone have left."""

    look_s = FLEET_LOOKS_S  # type: ignore[assignment]

    def __init__(self, world: World) -> None:
        super().__init__(world.name())
        self._world = world

    def succession(self, owner: str) -> int | None:
        return 0 if owner in self._world.gone else None


class WatchedQueue(SharedEventQueue):
    """Notes each end as it is written first."""

    world: World

    async def put_back(self, event: QueuedEvent) -> bool:
        self._note(event)
        return await super().put_back(event)

    async def remove(self, event: QueuedEvent) -> bool:
        self._note(event)
        return await super().remove(event)

    def _note(self, event: QueuedEvent) -> None:
        life = self.world.lives.get(event.request_id)
        if event.ending is None or life is None:
            return
        if not life.conditions:
            life.ended_at, life.ended_by = anyio.current_time(), self._fleet.me
            life.notices = frozenset(event.ending.pending)
        life.conditions.add(event.ending.condition)


class WatchedMeter(EventMeter):
    """Notes which records were dropped."""

    world: World

    def record_dropped(self, event: QueuedEvent, notice: Notice, problem: str) -> None:
        super().record_dropped(event, notice, problem)
        if event.request_id in self.world.lives:
            self.world.lives[event.request_id].dropped[notice.arn] += 1


class Worker:
    """One process."""

    def __init__(self, world: World, *, new: bool) -> None:
        self.world = world
        self.fleet = Peer(world)
        self.me = self.fleet.me
        self.directory = FunctionDirectory(world.files(new=new))
        self.time = ShiftedClock(world.chance)
        self.queue = WatchedQueue(
            DynamoDbEvents(world.table), self.fleet, listed=lambda: self.directory.listed
        )
        self.queue.world = world
        self.clock = EventClock(self.time, self.queue.time)
        self.meter = WatchedMeter(self.time.monotonic)
        self.meter.world = world
        world.counted.append(self.meter)
        self.drain = Drain()
        self.scope = anyio.CancelScope()
        self.dispatcher = EventDispatcher(
            DispatcherParts(
                queue=self.queue,
                clock=self.clock,
                configs=world.configs,
                directory=self.directory,
                invoker=Invoker(self),
                destinations=world,
                meter=self.meter,
                surroundings=Surroundings(
                    clock=self.time,
                    chance=world.chance.random,
                    drain=self.drain,
                    budget=ByteBudget(1, self.drain),
                ),
                tempo=TEMPO,
            )
        )

    async def live(self) -> None:
        """Work until drained or crashed."""
        with self.scope:
            async with anyio.create_task_group() as group:
                group.start_soon(self._inherit)
                await self.dispatcher.run()

    async def _inherit(self) -> None:
        while not self.drain.requested:
            try:
                await self.clock.set()
                now = self.clock.now()
                if await self.queue.inherit(self.directory.serves, now=now.at, by_store=now.by_store):
                    self.dispatcher.wake()
            except StateUnavailable:
                pass
            await self.drain.sleep(FLEET_LOOKS_S)

    async def accept(self, function: str, qualifier: str | None) -> None:
        """Accept an event, as the API does."""
        request_id = self.world.request_id()
        self.world.lives[request_id] = Life(
            function=function,
            qualifier=qualifier,
            accepted_at=anyio.current_time(),
            accepted_by=self.me,
        )
        try:
            await self.clock.set()
            now = self.clock.now()
            listed = self.directory.listed[function]
            await self.queue.add(
                QueuedEvent(
                    request_id=request_id,
                    function=function,
                    qualifier=qualifier,
                    function_arn=f"arn:aws:lambda:us-east-1:000000000000:function:{function}",
                    payload=b"{}",
                    accepted_at=now.wall,
                    due_at=now.at,
                    age=Age(until=now),
                    dead_letter=getattr(listed, "dead_letter", None),
                )
            )
        except StateUnavailable:
            # Not accepted, though it may have been written: nothing is promised of it.
            self.world.mute.add(request_id)
            return
        self.dispatcher.wake()

    @asynccontextmanager
    async def target(self, function: Function) -> AsyncIterator[Target]:
        """The target of every function."""
        yield MemoryTarget(partial(self._run, function))

    async def _run(self, _: Function, invocation: Invocation) -> Outcome:
        life = self.world.lives[invocation.request_id]
        if life.succeeded_for is not None and life.succeeded_for not in self.world.crashed:
            self.world.problems.append(f"{invocation.request_id} ran again after it had succeeded")
        life.tries.append(anyio.current_time())
        life.tried_by = self.me
        await anyio.sleep(0.1)
        outcome = self.world.outcome(invocation.request_id, len(life.tries))
        if isinstance(outcome, Succeeded):
            life.succeeded_for = self.me
        return outcome


async def play(seed: int) -> World:
    """Play one world to its end."""
    # What a crashed worker was reading is not read to its end.
    sys.set_asyncgen_hooks(finalizer=lambda _: None)
    world = World(seed)
    chance = world.chance
    await world.configure()
    stays = Worker(world, new=True)
    workers = [stays, Worker(world, new=world.rolls_back_at is not None or chance.random() < 0.5)]
    async with anyio.create_task_group() as group:
        for worker in workers:
            group.start_soon(worker.live)
        group.start_soon(_befall, world, workers, group)
        group.start_soon(_roll_back, world, workers)
        for _ in range(EVENTS):
            await anyio.sleep(chance.expovariate(EVENTS / ACCEPTED_WITHIN_S))
            worker = chance.choice(workers[-2:])
            function = chance.choice(list(worker.directory.listed))
            aliases = dict(getattr(worker.directory.listed[function], "aliases", ()))
            await worker.accept(function, chance.choice([None, *aliases]))
        await anyio.sleep(TROUBLE_ENDS_S + 60 - anyio.current_time())
        for _ in range(int(OVER_S / 5)):
            await anyio.sleep(5 if _left(world) else 0)
        for worker in workers:
            worker.drain.request()
    return world


async def _roll_back(world: World, workers: list[Worker]) -> None:
    if world.rolls_back_at is not None:
        await anyio.sleep(world.rolls_back_at)
        workers[-1].directory.listed = world.files(new=False)


async def _befall(world: World, workers: list[Worker], group: anyio.abc.TaskGroup) -> None:
    """Let clocks step, files change and workers crash, for a while."""
    chance = world.chance
    stays = workers[0]
    while anyio.current_time() < TROUBLE_ENDS_S:
        await anyio.sleep(chance.expovariate(1 / 15))
        other = workers[-1]
        match chance.choice(["step", "step", "files", "configs", "crash"]):
            case "step":
                chance.choice([stays, other]).time.ahead_s += chance.choice([-HOUR, HOUR, 8 * HOUR])
            case "files" if world.rolls_back_at is None:
                other.directory.listed = world.files(new=chance.random() < 0.5)
            case "configs":
                name = chance.choice(NAMES)
                config = await world.configs.get(name, "$LATEST")
                if config is not None:
                    await world.configs.put(replace(config, on_success=None))
            case "crash" if world.crashes:
                world.crashed.add(other.me)
                other.scope.cancel()
                await anyio.sleep(chance.uniform(0, 5))
                world.gone.add(other.me)
                workers.append(Worker(world, new=chance.random() < 0.5))
                group.start_soon(workers[-1].live)
            case _:
                pass
    world.table.trouble = 0.0


def _left(world: World) -> list[str]:
    """Events that somebody has still."""
    return [sort for partition, sort in world.table.rows if partition.startswith("events/")]
