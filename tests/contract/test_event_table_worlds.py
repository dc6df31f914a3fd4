"""Whatever befalls the workers and the table: no accepted event is lost, and none is with two at a time."""

import os
import random
from dataclasses import dataclass, field, replace
from itertools import count

import anyio
import anyio.lowlevel
import pytest

from poller.core.async_events import QueuedEvent, Response
from poller.errors import EventLost, StateUnavailable
from poller.events.dynamodb import DynamoDbEvents
from poller.events.shared import SharedEventQueue
from poller.fleet import Alone
from tests.contract.table_in_memory import MemoryTable
from tests.contract.test_event_queues import NOW, event, inherit

WORKERS = 3
STEPS = 25
PAYLOADS = (2, 200, 9000)
"""The last is kept beside its item."""


@dataclass
class World:
    """What all workers share, and what the test knows of it."""

    chance: random.Random
    trouble: float
    crashes: bool
    gone: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    handled: set[str] = field(default_factory=set)
    running: dict[str, str] = field(default_factory=dict)
    """Request id -> under which name it was begun last."""
    problems: list[str] = field(default_factory=list)
    names: count = field(default_factory=count)  # type: ignore[type-arg]

    def __post_init__(self) -> None:
        self.table = MemoryTable(self.chance, trouble=self.trouble)

    def name(self) -> str:
        """One that was never used."""
        return f"w{next(self.names):03}"


class Peer(Alone):
    """A worker that learns late, or never, that it was taken for dead."""

    def __init__(self, world: World) -> None:
        super().__init__(world.name())
        self._world = world

    def succession(self, owner: str) -> int | None:
        return 0 if owner in self._world.gone else None


class WorkerLife:
    """One process: accepts, works, takes over, is taken for dead, goes on under another name, or crashes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.fleet = Peer(world)
        self.queue = SharedEventQueue(DynamoDbEvents(world.table), self.fleet)

    async def live(self) -> None:
        """Do this and that."""
        chance = self.world.chance
        deeds = [self.accept, self.accept, self.work, self.work, self.inherit, self.replaced]
        async with anyio.create_task_group() as group:
            for _ in range(STEPS):
                group.start_soon(self._try, chance.choice(deeds))
                for _ in range(chance.randrange(12)):
                    await anyio.lowlevel.checkpoint()
                if self.world.crashes and chance.random() < 0.02:
                    self.world.gone.add(self.fleet.me)
                    group.cancel_scope.cancel()

    async def _try(self, deed: object) -> None:
        try:
            await deed()  # type: ignore[operator]
        except StateUnavailable:
            return

    async def accept(self) -> None:
        """As the API does."""
        number = self.world.chance.randrange(10**9)
        size = self.world.chance.choice(PAYLOADS)
        await self.queue.add(event(number, payload=os.urandom(size)))
        self.world.accepted.add(f"id-{number}")

    async def work(self) -> None:
        """As the dispatcher does, with each write made again until it is heard."""
        for taken in await self.queue.take(lambda _: 2, now=NOW):
            await self._advance(taken)

    async def _advance(self, taken: QueuedEvent) -> None:
        world, name = self.world, self.fleet.me
        if not await self._written("update", replace(taken, running=True, delivered=taken.delivered + 1)):
            return
        before = world.running.get(taken.request_id)
        if before is not None and before not in world.gone:
            world.problems.append(f"{taken.request_id} is run by {before} and by {name}")
        world.running[taken.request_id] = name
        await anyio.lowlevel.checkpoint()
        response = Response(status_code=200, payload=os.urandom(world.chance.choice(PAYLOADS)))
        after = replace(taken, delivered=taken.delivered + 1, response=response)
        if world.running.get(taken.request_id) == name:
            del world.running[taken.request_id]
        if world.chance.random() < 0.5:
            await self._written("put_back", after)
        else:
            world.handled.add(taken.request_id)
            await self._written("remove", after)

    async def _written(self, method: str, after: QueuedEvent) -> bool:
        while True:
            try:
                await getattr(self.queue, method)(after)
            except EventLost:
                return False
            except StateUnavailable:
                await anyio.lowlevel.checkpoint()
            else:
                return True

    async def inherit(self) -> None:
        """As it does now and then."""
        await inherit(self.queue)

    async def replaced(self) -> None:
        """The fleet takes it for dead; it learns so later."""
        if self.world.chance.random() < 0.5:
            self.world.gone.add(self.fleet.me)
            for _ in range(self.world.chance.randrange(20)):
                await anyio.lowlevel.checkpoint()
            self.world.gone.add(self.fleet.me)
            self.fleet.me = self.world.name()


async def play(seed: int, *, trouble: float, crashes: bool) -> World:
    """Let several workers live at once, then one more, in peace, which finishes everything."""
    world = World(random.Random(seed), trouble, crashes)
    lives = [WorkerLife(world) for _ in range(WORKERS)]
    async with anyio.create_task_group() as group:
        for life in lives:
            group.start_soon(life.live)
    world.table.trouble = 0.0
    world.gone |= {life.fleet.me for life in lives}
    last = WorkerLife(world)
    for _ in range(3):
        await last.inherit()
    for left in await last.queue.take(lambda _: 10_000, now=NOW):
        await last.queue.remove(left)
        world.handled.add(left.request_id)
    return world


@pytest.mark.parametrize("trouble", [0.0, 0.02, 0.15])
@pytest.mark.parametrize("crashes", [False, True])
async def test_no_accepted_event_is_lost(*, trouble: float, crashes: bool) -> None:
    """It is handled by somebody; nobody runs it while another does who was not taken for dead."""
    accepted = 0
    for seed in range(40):
        world = await play(seed, trouble=trouble, crashes=crashes)
        lost = world.accepted - world.handled
        assert (seed, lost, world.problems) == (seed, set(), [])
        rows = sorted(world.table.rows)
        assert [key for key in rows if key[0].startswith("events/") and key[1] in world.accepted] == []
        if not trouble and not crashes:
            assert [key for key in rows if key[0].startswith("event-parts/")] == []
        accepted += len(world.accepted)

    assert accepted > 200
