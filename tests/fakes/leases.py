"""A lease store over rows in memory that outlive processes: refuses writes, and loses answers of writes."""

from collections.abc import Sequence
from typing import TypeVar

from poller.core.leasing import Lease
from poller.core.records import Position
from poller.core.timewindow import WindowState
from poller.errors import StateUnavailable
from poller.interfaces import Clock
from poller.leases.memory import MemoryLeaseStore
from tests.fakes.faults import FaultKind
from tests.fakes.history import (
    Checkpointed,
    History,
    LeaseAdded,
    LeaseForgotten,
    LeaseReleased,
    LeaseTaken,
)
from tests.fakes.wire import Wire

T = TypeVar("T")


class FakeLeaseStore:
    """The store as one process reaches it. Give another the same `inner` to reopen it."""

    def __init__(
        self, inner: MemoryLeaseStore, wire: Wire, *, clock: Clock, history: History, process: str = ""
    ) -> None:
        self._inner = inner
        self._wire = wire
        self._clock = clock
        self._history = history
        self._process = process

    async def mappings(self) -> Sequence[str]:
        """Mappings that have leases."""
        return await self._inner.mappings()

    async def list(self, mapping: str) -> Sequence[Lease]:
        """All leases of a mapping."""
        await self._begin()
        return await self._inner.list(mapping)

    async def get(self, mapping: str, shard: str) -> Lease | None:
        """The lease of one shard."""
        await self._begin()
        return await self._inner.get(mapping, shard)

    async def create(self, leases: Sequence[Lease]) -> None:
        """Add leases."""
        await self._begin()
        new = [lease for lease in leases if (lease.mapping, lease.shard) not in self._inner.rows]
        await self._inner.create(leases)
        for lease in new:
            self._history.add(
                LeaseAdded(
                    self._now(),
                    lease.mapping,
                    self._process,
                    lease.shard,
                    lease.incarnation,
                    str(lease.checkpoint),
                )
            )
        await self._end()

    async def take(self, lease: Lease, owner: str) -> Lease:
        """Become the owner."""
        await self._begin()
        taken = await self._inner.take(lease, owner)
        self._history.add(LeaseTaken(self._now(), lease.mapping, self._process, lease.shard, taken.epoch))
        return await self._ended(taken)

    async def request(self, lease: Lease, claimant: str) -> None:
        """Ask the owner to give a lease up."""
        await self._begin()
        await self._inner.request(lease, claimant)
        await self._end()

    async def decline(self, lease: Lease) -> None:
        """Keep a lease that somebody asked for."""
        await self._begin()
        await self._inner.decline(lease)
        await self._end()

    async def checkpoint(self, lease: Lease, position: Position, window: WindowState | None = None) -> Lease:
        """Move the checkpoint forward."""
        await self._begin()
        moved = await self._inner.checkpoint(lease, position, window)
        self._history.add(
            Checkpointed(
                self._now(),
                lease.mapping,
                self._process,
                lease.shard,
                lease.epoch,
                str(moved.checkpoint),
            )
        )
        return await self._ended(moved)

    async def release(self, lease: Lease) -> None:
        """Give a lease up."""
        await self._begin()
        await self._inner.release(lease)
        self._history.add(LeaseReleased(self._now(), lease.mapping, self._process, lease.shard, lease.epoch))
        await self._end()

    async def delete(self, leases: Sequence[Lease]) -> None:
        """Forget leases."""
        await self._begin()
        await self._inner.delete(leases)
        for lease in leases:
            self._history.add(LeaseForgotten(self._now(), lease.mapping, self._process, lease.shard))
        await self._end()

    async def clear(self, mapping: str) -> None:
        """Forget all leases of a mapping."""
        await self._begin()
        forgotten = await self._inner.list(mapping)
        await self._inner.clear(mapping)
        for lease in forgotten:
            self._history.add(LeaseForgotten(self._now(), mapping, self._process, lease.shard))
        await self._end()

    async def close(self) -> None:
        """Nothing is held."""

    async def _begin(self) -> None:
        await self._wire.there(FaultKind.STATE_SLOW)
        if self._wire.faults.strike(self._wire.place, FaultKind.STATE_UNAVAILABLE):
            raise StateUnavailable("database or disk is full")

    async def _end(self) -> None:
        await self._wire.back()
        if self._wire.faults.strike(self._wire.place, FaultKind.STATE_LOST_REPLY):
            raise StateUnavailable("the answer was lost")

    async def _ended(self, result: T) -> T:
        await self._end()
        return result

    def _now(self) -> float:
        return self._clock.monotonic()
