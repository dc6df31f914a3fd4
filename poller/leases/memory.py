"""Leases in memory: gone with the process, unless somebody else keeps the dict."""

from collections.abc import Callable, Sequence

import anyio.lowlevel

from poller.core.leasing import Lease, checkpointed, declined, released, requested, taken
from poller.core.records import Position
from poller.core.timewindow import WindowState

Rows = dict[tuple[str, str], Lease]


class MemoryLeaseStore:
    """A lease store over a dict of rows; give it the same dict again to reopen it."""

    def __init__(self, rows: Rows | None = None) -> None:
        self.rows: Rows = {} if rows is None else rows

    async def mappings(self) -> Sequence[str]:
        """UUIDs of all mappings that have leases."""
        await anyio.lowlevel.checkpoint()
        return sorted({mapping for mapping, _ in self.rows})

    async def list(self, mapping: str) -> Sequence[Lease]:
        """All leases of a mapping, in the order of their shard ids."""
        await anyio.lowlevel.checkpoint()
        return [lease for (owner, _), lease in sorted(self.rows.items()) if owner == mapping]

    async def get(self, mapping: str, shard: str) -> Lease | None:
        """The lease of one shard."""
        await anyio.lowlevel.checkpoint()
        return self.rows.get((mapping, shard))

    async def create(self, leases: Sequence[Lease]) -> None:
        """Add leases; one that exists is left as it is."""
        await anyio.lowlevel.checkpoint()
        for lease in leases:
            self.rows.setdefault((lease.mapping, lease.shard), lease)

    async def take(self, lease: Lease, owner: str) -> Lease:
        """Become the owner of a lease seen at this epoch and counter."""
        return await self._change(lease, lambda stored: taken(stored, lease, owner))

    async def request(self, lease: Lease, claimant: str) -> None:
        """Ask the owner of a lease seen at this epoch and counter to give it up."""
        await self._change(lease, lambda stored: requested(stored, lease, claimant))

    async def decline(self, lease: Lease) -> None:
        """Keep a lease that somebody asked for."""
        await self._change(lease, lambda stored: declined(stored, lease))

    async def checkpoint(self, lease: Lease, position: Position, window: WindowState | None = None) -> Lease:
        """Record that everything up to `position` is finished, and what window is open there."""
        return await self._change(lease, lambda stored: checkpointed(stored, lease, position, window))

    async def release(self, lease: Lease) -> None:
        """Give a lease up."""
        await self._change(lease, lambda stored: released(stored, lease))

    async def delete(self, leases: Sequence[Lease]) -> None:
        """Forget leases."""
        await anyio.lowlevel.checkpoint()
        for lease in leases:
            self.rows.pop((lease.mapping, lease.shard), None)

    async def clear(self, mapping: str) -> None:
        """Forget all leases of a mapping."""
        await anyio.lowlevel.checkpoint()
        for key in [key for key in self.rows if key[0] == mapping]:
            del self.rows[key]

    async def close(self) -> None:
        """Nothing is held."""

    async def _change(self, lease: Lease, transition: Callable[[Lease | None], Lease]) -> Lease:
        await anyio.lowlevel.checkpoint()
        key = (lease.mapping, lease.shard)
        changed = transition(self.rows.get(key))
        self.rows[key] = changed
        return changed
