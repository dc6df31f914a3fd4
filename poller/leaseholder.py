"""Takes, renews and gives up this worker's leases; the only writer of checkpoints."""

from collections.abc import Sequence

from poller.core.leasing import Lease
from poller.core.lineage import KnownShard
from poller.core.records import Position, Shard
from poller.core.timewindow import WindowState
from poller.errors import LeaseLost
from poller.interfaces import LeaseStore


class HeldLease:
    """A lease this worker owns, with the epoch its writes are made under."""

    def __init__(self, store: LeaseStore, lease: Lease) -> None:
        self._store = store
        self._lease = lease

    @property
    def checkpoint(self) -> Position:
        """How far the shard is finished, durably."""
        return self._lease.checkpoint

    @property
    def window(self) -> WindowState | None:
        """The tumbling window that is open at the checkpoint."""
        return self._lease.window

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

    def __init__(self, store: LeaseStore, *, mapping: str, owner: str) -> None:
        self._store = store
        self._mapping = mapping
        self._owner = owner

    async def known(self) -> Sequence[KnownShard]:
        """Everything the store holds of the mapping's shards."""
        return [
            KnownShard(
                id=lease.shard,
                parents=lease.parents,
                checkpoint=lease.checkpoint,
                incarnation=lease.incarnation,
            )
            for lease in await self._store.list(self._mapping)
        ]

    async def add(self, shards: Sequence[tuple[Shard, Position]], *, incarnation: str) -> None:
        """Make shards and their starting positions durable, all in one write."""
        if shards:
            await self._store.create(
                [
                    Lease(
                        mapping=self._mapping,
                        shard=shard.id,
                        incarnation=incarnation,
                        checkpoint=start.pinned(),
                        parents=shard.parents,
                    )
                    for shard, start in shards
                ]
            )

    async def forget(self, shards: Sequence[str]) -> None:
        """Drop the leases of shards that no longer exist."""
        if shards:
            leases = await self._store.list(self._mapping)
            await self._store.delete([lease for lease in leases if lease.shard in set(shards)])

    async def take(self, shard: str, *, incarnation: str) -> HeldLease:
        """Become the reader of a shard. Raises LeaseLost where another worker was faster.

        Also where the stream was recreated meanwhile: then this shard is another one of the same name.
        """
        lease = await self._store.get(self._mapping, shard)
        if lease is None or lease.incarnation != incarnation:
            raise LeaseLost(f"shard {shard} belongs to another stream now")
        return HeldLease(self._store, await self._store.take(lease, self._owner))
