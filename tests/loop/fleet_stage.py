"""Several workers over one state in memory, in virtual time; each can be cut off or made to leave."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from mappings.model import EventSourceMapping
from poller.budget import ByteBudget
from poller.core.members import Member
from poller.core.tenure import Tenure
from poller.errors import StateUnavailable
from poller.fleet import SharedFleet
from poller.interfaces import Source, Target
from poller.leases.memory import MemoryLeaseStore
from poller.leases.memory_members import MemoryMemberStore
from poller.membership import Membership, MembershipParts
from poller.rules import Tempo
from poller.runner import Runner, RunnerParts
from poller.surroundings import Surroundings
from poller.waiting import Drain
from tests.loop.stage import CLOCK

TENURE = Tenure(lease_s=10.0)


class CutMembers(MemoryMemberStore):
    """The members as one worker reaches them, or does not."""

    def __init__(self, shared: MemoryMemberStore) -> None:
        super().__init__()
        self.rows = shared.rows
        self.cut = False
        self.throttled = False
        """Every second call is refused."""
        self._calls = 0

    async def beat(self, member: Member) -> None:
        self._check()
        await super().beat(member)

    async def members(self) -> list[Member]:
        self._check()
        return list(await super().members())

    def _check(self) -> None:
        self._calls += 1
        if self.cut or (self.throttled and self._calls % 2):
            raise StateUnavailable("cut off")


@dataclass
class Colleague:
    """One worker."""

    name: str
    drain: Drain
    members: CutMembers
    runner: Runner
    membership: Membership
    ended: anyio.Event = field(default_factory=anyio.Event)


@dataclass
class Team:
    """What the workers share."""

    group: TaskGroup
    mapping: EventSourceMapping
    leases: MemoryLeaseStore = field(default_factory=MemoryLeaseStore)
    members: MemoryMemberStore = field(default_factory=MemoryMemberStore)
    colleagues: dict[str, Colleague] = field(default_factory=dict)
    tempo: Tempo = field(default_factory=Tempo)

    async def join(self, name: str, source: Source, target: Target) -> Colleague:
        """Let a worker join and run the mapping."""
        drain = Drain()
        numbers = iter(range(100))
        surroundings = Surroundings(
            clock=CLOCK, chance=lambda: 0.5, drain=drain, budget=ByteBudget(64 * 1024 * 1024, drain)
        )
        members = CutMembers(self.members)
        membership = Membership(
            MembershipParts(
                store=members,
                tenure=TENURE,
                surroundings=surroundings,
                new_id=lambda: f"{name}{next(numbers)}",
            )
        )
        parts = RunnerParts(
            source=source,
            target=target,
            leases=self.leases,
            fleet=SharedFleet(membership, CLOCK),
            tempo=self.tempo,
            surroundings=surroundings,
        )
        runner = Runner(self.mapping, parts, on_polling=lambda: None)
        colleague = Colleague(name, drain, members, runner, membership)
        self.colleagues[name] = colleague
        joined = anyio.Event()

        async def live() -> None:
            async with membership.joined():
                joined.set()
                await runner.run()
            colleague.ended.set()

        self.group.start_soon(live)
        await joined.wait()
        return colleague

    def owners(self) -> list[str | None]:
        """Who has each shard, in the order of shards."""
        return [lease.owner for _, lease in sorted(self.leases.rows.items())]

    def shares(self) -> dict[str, int]:
        """How many shards each name has."""
        owners = [owner for owner in self.owners() if owner is not None]
        return {owner: owners.count(owner) for owner in sorted(set(owners))}


@asynccontextmanager
async def team(
    mapping: EventSourceMapping, prepare: Callable[[Team], None] | None = None
) -> AsyncIterator[Team]:
    """A team without workers yet; at the end all drain."""
    async with anyio.create_task_group() as group:
        made = Team(group, mapping)
        if prepare is not None:
            prepare(made)
        yield made
        for colleague in made.colleagues.values():
            colleague.members.cut = False
            colleague.drain.request()
