"""A whole worker under control of the API: the real supervisor and runners over in-memory seams."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from mappings.directory import FunctionDirectory
from mappings.functions import Function, UrlFunction
from mappings.model import EventSourceMapping
from mappings.operations import MappingOperations
from mappings.store import MappingStore, StoredMapping
from mappings.stores.layered import LayeredStore
from mappings.stores.memory import MemoryMappingStore
from poller.budget import ByteBudget
from poller.fleet import Alone
from poller.interfaces import LeaseStore, Source, Target
from poller.leases.memory import MemoryLeaseStore
from poller.rules import Tempo
from poller.runner import Runner, RunnerParts
from poller.supervisor import Supervisor, SupervisorParts
from poller.surroundings import Surroundings
from poller.waiting import Drain
from tests.loop.stage import CLOCK

FUNCTIONS = {name: UrlFunction(name=name, url=f"http://{name}/") for name in ("f", "g")}


class Agreeable:
    """An admission that lets everything in."""

    def options(self, mapping: EventSourceMapping) -> None:
        """Whatever is asked for can be obeyed."""

    async def function(self, function: Function) -> None:
        """It exists."""

    async def source(self, mapping: EventSourceMapping, function: Function, *, making: bool) -> float | None:
        """It exists, and does not tell the time."""
        return None

    async def destination(self, mapping: EventSourceMapping) -> None:
        """It exists."""


@dataclass
class Control:
    """What a test has in hand while a worker runs."""

    make_source: Callable[[EventSourceMapping], Source]
    targets: dict[str, Target]
    """By name of the function."""
    tempo: Tempo = field(default_factory=Tempo)
    leases: LeaseStore = field(default_factory=MemoryLeaseStore)
    files: MemoryMappingStore = field(default_factory=MemoryMappingStore)
    made: MappingStore = field(default_factory=MemoryMappingStore)
    directory: FunctionDirectory = field(default_factory=lambda: FunctionDirectory(dict(FUNCTIONS)))
    ready: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.drain = Drain(lambda: CLOCK.monotonic() + 60.0)
        self.surroundings = Surroundings(
            clock=CLOCK, chance=lambda: 0.0, drain=self.drain, budget=ByteBudget(64 << 20, self.drain)
        )
        self.store = LayeredStore(files=self.files, api=self.made)
        self.supervisor = Supervisor(
            SupervisorParts(
                mappings=self.store,
                leases=self.leases,
                fleet=Alone("worker"),
                workshop=self,
                surroundings=self.surroundings,
                on_ready=lambda mappings, _: self.ready.append(mappings),
                look_s=1.0,
                refresh_s=60.0,
                settle_patience_s=60.0,
            )
        )
        self.operations = MappingOperations(
            self.store, self.directory, Agreeable(), wall=CLOCK.wall, changed=self.supervisor.changed
        )

    def find(self, stored: StoredMapping) -> Function | None:
        """What a mapping invokes."""
        return self.directory.find(stored.mapping.function_name)

    @asynccontextmanager
    async def runner(
        self, stored: StoredMapping, function: Function, on_polling: Callable[[], None]
    ) -> AsyncIterator[Runner]:
        """A runner over the seams of the test."""
        parts = RunnerParts(
            source=self.make_source(stored.mapping),
            target=self.targets[function.name],
            leases=self.leases,
            fleet=Alone("worker"),
            tempo=self.tempo,
            surroundings=self.surroundings,
        )
        yield Runner(stored.mapping, parts, on_polling=on_polling)

    async def state(self, uuid: str) -> str | None:
        """The State of a mapping; None where it is gone."""
        stored = await self.store.get(uuid)
        return None if stored is None else stored.state.value

    async def until(self, uuid: str, state: str | None, *, within_s: float = 600.0) -> None:
        """Let virtual time pass until a mapping is in a State."""
        with anyio.fail_after(within_s):
            while await self.state(uuid) != state:  # noqa: ASYNC110  # many things may bring it about
                await anyio.sleep(0.1)


@asynccontextmanager
async def controlling(control: Control) -> AsyncIterator[Control]:
    """Run the worker; drain it at the end and wait until it has."""
    async with anyio.create_task_group() as group:
        group.start_soon(control.supervisor.run)
        yield control
        control.drain.request()
