"""Takes and gives up this worker's leases of one mapping; the only writer of checkpoints."""

from collections.abc import Callable, Sequence

from poller.core.leasing import Lease
from poller.core.lineage import RECREATED
from poller.core.records import Position, Shard
from poller.core.timewindow import WindowState
from poller.errors import LeaseLost
from poller.fleet import Fleet
from poller.interfaces import LeaseStore


class HeldLease:
    """A lease this worker owns, with the epoch its writes are made under."""

    def __init__(self, store: LeaseStore, lease: Lease, may_act: Callable[[str], bool]) -> None:
        self._store = store
        self._lease = lease
        self._may_act = may_act

    @property
    def lease(self) -> Lease:
        """As it was after the last write that was answered."""
        return self._lease

    @property
    def checkpoint(self) -> Position:
        """How far the shard is finished, durably."""
        return self._lease.checkpoint

    @property
    def window(self) -> WindowState | None:
        """The tumbling window that is open at the checkpoint."""
        return self._lease.window

    def may_act(self) -> bool:
        """Whether this worker may begin a delivery now: nobody else can have taken the shard."""
        return self._may_act(self._lease.owner or "")

    async def save(self, position: Position | None, window: WindowState | None) -> None:
        """Make a checkpoint and the window open there durable. Raises LeaseLost, StateUnavailable.

        Args:
            position: Up to where everything is finished; None where only the window has changed.
            window: The tumbling window that is open there.
        """
        where = self._lease.checkpoint if position is None else position
        self._lease = await self._store.checkpoint(self._lease, where, window)

    async def release(self) -> None:
        """Let another worker take the shard at once."""
        await self._store.release(self._lease)


class Leaseholder:
    """The leases of one mapping, as this worker sees them."""

    def __init__(self, store: LeaseStore, *, mapping: str, fleet: Fleet) -> None:
        self._store = store
        self._mapping = mapping
        self._fleet = fleet

    async def list(self) -> Sequence[Lease]:
        """Everything the store holds of the mapping's shards."""
        return await self._store.list(self._mapping)

    async def add(self, shards: Sequence[tuple[Shard, Position]], *, incarnation: str) -> Sequence[Lease]:
        """Make shards and their starting positions durable, all in one write."""
        leases = [
            Lease(
                mapping=self._mapping,
                shard=shard.id,
                incarnation=incarnation,
                checkpoint=start.pinned(),
                parents=shard.parents,
            )
            for shard, start in shards
        ]
        if leases:
            await self._store.create(leases)
        return leases

    async def restore(self, held: Sequence[HeldLease]) -> None:
        """Write leases again that somebody removed: their positions are known here and nowhere else."""
        await self._store.create([each.lease for each in held])

    async def mark_recreated(self, incarnation: str) -> None:
        """Make durable that the mapping knew an earlier stream of this name; before that is forgotten."""
        mark = Lease(
            mapping=self._mapping,
            shard=RECREATED,
            incarnation=incarnation,
            checkpoint=Position.shard_end(),
        )
        await self._store.create([mark])

    async def forget(self, leases: Sequence[Lease]) -> None:
        """Drop the leases of shards that no longer exist."""
        if leases:
            await self._store.delete(leases)

    async def take(self, shard: str, *, incarnation: str) -> HeldLease:
        """Become the reader of a shard. Raises LeaseLost where another worker was faster.

        Also where the stream was recreated meanwhile: then this shard is another one of the same name.
        """
        lease = await self._store.get(self._mapping, shard)
        if lease is None or lease.incarnation != incarnation:
            raise LeaseLost(f"shard {shard} belongs to another stream now")
        if not self._fleet.is_free(lease):
            raise LeaseLost(f"shard {shard} belongs to another worker")
        taken = await self._store.take(lease, self._fleet.me)
        return HeldLease(self._store, taken, self._fleet.may_act)

    async def request(self, lease: Lease) -> None:
        """Ask the owner for a shard. Raises LeaseLost where it has changed hands meanwhile."""
        await self._store.request(lease, self._fleet.me)

    async def decline(self, lease: Lease) -> None:
        """Keep a shard that somebody asked for."""
        await self._store.decline(lease)
