"""One world, from its seed to its history: pollers end, the sources live on, the last poller drains them."""

import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import anyio

from mappings.files import read_mapping_files
from mappings.model import EventSourceMapping
from poller.core.outcomes import Outcome
from poller.interfaces import Invocation
from tests.conftest import REGION
from tests.fakes.history import Quiet
from tests.kill.clock import WorldClock
from tests.kill.ending import TERM, Moment, Step, draw_ending
from tests.kill.handlers import HANDLERS
from tests.kill.life import Life, Place, live, tell_end
from tests.kill.plan import QUEUE, WorldPlan, mapping_file
from tests.kill.processes import Nursery, clean_environment
from tests.kill.server import Server
from tests.kill.sources import FakeSources, Sources
from tests.kill.statefile import StateFile
from tests.kill.watching import WatchedHistory

COLD = 0.08  # share of lives that start as their users start them
PEEKS = 0.25  # share of deliveries before which the state file of the living poller is looked at
WRITTEN_PER_LIFE = 80  # so that what is left for the last life does not take it long
STALLED_S = 15.0  # without a new invocation; hidden messages come back well before
# What a dead poller has sent is in the server's sockets; the latency of the fakes comes on top.
SETTLING_S = 0.006


class MakeSources(Protocol):
    """Makes the sources of a world."""

    def __call__(self, plan: WorldPlan, *, clock: WorldClock, history: WatchedHistory) -> Sources: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What a world leaves behind."""

    plan: WorldPlan
    mappings: tuple[EventSourceMapping, ...]
    """With the place as their UUID, as the history calls them."""
    history: WatchedHistory
    lives: list[Life] = field(default_factory=list)
    torn_peeks: int = 0


async def run_world(
    plan: WorldPlan,
    rounds: int,
    *,
    folder: Path,
    nursery: Nursery,
    make_sources: MakeSources = FakeSources,
) -> Outcomes:
    """Live through a world of so many ended lives and one that drains."""
    world = _World(plan, folder, make_sources)
    async with Server(world.sources.operations(), world.invoke) as server:
        return await world.run(rounds, server, nursery)


class _World:
    """Everything that outlives a poller."""

    def __init__(self, plan: WorldPlan, folder: Path, make_sources: MakeSources) -> None:
        self.history = WatchedHistory()
        self._plan = plan
        self._folder = folder
        self._clock = WorldClock()
        self.sources: Sources = make_sources(plan, clock=self._clock, history=self.history)
        self._chance = random.Random(f"{plan.seed}/lives")
        self._peeks = random.Random(f"{plan.seed}/peeks")
        self._lives: list[Life] = []
        self._invoked = 0
        (folder / "app.py").write_text(HANDLERS)
        self._write_mapping_file("http://127.0.0.1:1")
        self._mappings = read_mapping_files([self._file], now=self._clock.wall()).mappings
        self._state = StateFile(
            folder / "state.db",
            places={mapping.uuid: mapping.function_name for mapping in self._mappings},
            incarnation=self.sources.incarnation,
        )

    async def run(self, rounds: int, server: Server, nursery: Nursery) -> Outcomes:
        """Live."""
        self._server = server
        self._place = Place(
            folder=self._folder,
            clock=self._clock,
            history=self.history,
            nursery=nursery,
            environment=clean_environment()
            | {
                "AWS_ENDPOINT_URL": self.sources.endpoint or server.url,
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_REGION": REGION,
            },
            functions_url=f"{server.url}/function",
            handlers=self._plan.handlers,
        )
        async with anyio.create_task_group() as traffic:
            traffic.start_soon(self._write)
            for _ in range(rounds):
                await self._live(draw_ending(self._chance), cold=self._chance.random() < COLD)
                if self._chance.random() < 0.5:
                    await self.sources.show_hidden()
            traffic.cancel_scope.cancel()
        await self._drain()
        return self._outcomes()

    async def invoke(self, place: str, process: str, invocation: Invocation) -> Outcome:
        """Run a function; now and then see first what the poller has made durable by then."""
        self._invoked += 1
        if place != QUEUE and process not in self.history.dead and self._peeks.random() < PEEKS:
            self._look(process, running=True)
        return await self.sources.invoke(place, process, invocation)

    async def _write(self) -> None:
        chance = random.Random(f"{self._plan.seed}/pauses")
        while True:
            if self.sources.written < WRITTEN_PER_LIFE * len(self._lives):
                await self.sources.write()
            await anyio.sleep(chance.uniform(0.0, self._plan.pause_s))

    async def _live(self, steps: Sequence[Step], *, cold: bool = False, last: bool = False) -> None:
        life = Life(name=f"p{len(self._lives) + 1}", steps=steps, cold=cold)
        self._lives.append(life)
        self._write_mapping_file(f"{self._place.functions_url}/{life.name}")
        await live(life, self._place, hold=self._until_finished if last else None)
        await self._settle(life)
        if self._server.broken is not None:
            raise self._server.broken
        try:
            self._look(life.name, running=False)
        except sqlite3.DatabaseError as error:
            life.wrong.append(f"the state file cannot be opened: {error}")
        tell_end(life, self._place)
        life.check_code()

    async def _settle(self, life: Life) -> None:
        """Wait until the server has done all it was asked for; long polls alone go on."""
        await anyio.sleep(SETTLING_S)
        while self._server.brief.get(life.name):  # noqa: ASYNC110  # a count, which nobody announces
            await anyio.sleep(0.001)

    async def _drain(self) -> None:
        """Let the last life finish everything."""
        # A long poll of the dead would take messages and hide them.
        while self._server.running:  # noqa: ASYNC110  # a count, which nobody announces
            await anyio.sleep(0.01)
        await self.sources.show_hidden()
        await self.sources.heal()
        await self._live([Step(TERM, Moment())], last=True)

    async def _until_finished(self) -> None:
        finished, invoked, moved_at = False, 0, anyio.current_time()
        while not finished and anyio.current_time() < moved_at + STALLED_S:
            await anyio.sleep(0.03)
            self._look(self._lives[-1].name, running=True)
            finished = await self.sources.finished(self._state.rows)
            if self._invoked > invoked:
                invoked, moved_at = self._invoked, anyio.current_time()
        self.history.add(Quiet(at=self._clock.monotonic(), finished=finished, problems=()))

    def _look(self, process: str, *, running: bool) -> None:
        for event in self._state.changes(self._clock.monotonic(), process, running=running):
            self.history.add(event)

    def _outcomes(self) -> Outcomes:
        return Outcomes(
            plan=self._plan,
            mappings=self._mappings,
            history=self.history,
            lives=self._lives,
            torn_peeks=self._state.refused,
        )

    def _write_mapping_file(self, url: str) -> None:
        self._file = self._folder / "mappings.yaml"
        self._file.write_text(mapping_file(self._plan, url))
