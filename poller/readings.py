"""The shards this worker reads, from the taking of each lease to its release."""

from collections.abc import Callable, Collection, Mapping, Sequence

from poller.core.leasing import Lease
from poller.core.records import Position, Shard
from poller.doubts import Doubts
from poller.errors import LeaseLost, StateUnavailable
from poller.leaseholder import HeldLease, Leaseholder
from poller.poller import Poller
from poller.poller_parts import PollerParts
from poller.telemetry import Log
from poller.waiting import Signal


class Reading:
    """One shard, read once: a shard that comes back is another reading."""

    def __init__(
        self,
        shard: Shard,
        parts: PollerParts,
        leases: Leaseholder,
        doubts: Doubts,
        *,
        incarnation: str,
        start: Position | None,
        on_open: Callable[["Reading"], None],
        on_end: Callable[[], None],
    ) -> None:
        self.shard = shard
        self.held: HeldLease | None = None
        self.vanished = False
        self._parts = parts
        self._leases = leases
        self._doubts = doubts
        self.incarnation = incarnation
        self._start = start
        self._on_open = on_open
        self._on_end = on_end
        self._poller: Poller | None = None
        self._handing_over = False
        self._evicted = False

    async def run(self) -> None:
        """Take the lease, read, give the lease up. Run again it goes on from the checkpoint."""
        meter = self._parts.meter
        ended = False
        try:
            if (held := await self._take()) is not None:
                ended = await self._poll(held)
        except* LeaseLost:
            if self.held is not None:
                meter.shard_lost(self.shard.id)
        meter.working(shard=self.shard.id)  # its problems are no longer ours
        if ended:
            meter.shard_ended(self.shard.id)
            self._on_end()

    def hand_over(self) -> None:
        """Finish what runs and give the lease to whoever asked for it."""
        self._handing_over = True
        if self._poller is not None:
            self._poller.hand_over()

    def evict(self) -> None:
        """Stop: the lease is lost."""
        self._evicted = True
        if self._poller is not None:
            self._poller.evict()

    def vanish(self) -> None:
        """The shard left its stream."""
        self.vanished = True
        if self._poller is not None:
            self._poller.vanish()

    def close(self) -> None:
        """Nothing more is written to the shard."""
        if self._poller is not None:
            self._poller.close()

    async def _take(self) -> HeldLease | None:
        """Take the lease, as often as it takes while the store does not answer."""
        failures = 0
        drain, patience = self._parts.surroundings.drain, self._parts.rules.patience
        while not (drain.requested or self._evicted or self._handing_over):
            try:
                self.held = await self._leases.take(self.shard.id, incarnation=self.incarnation)
            except StateUnavailable as error:
                failures += 1
                self._parts.meter.checkpoint_failed(self.shard.id, error)
                await drain.sleep(patience.passing.delay(failures))
            else:
                return self.held
        return None

    async def _poll(self, held: HeldLease) -> bool:
        """Whether the shard ended."""
        start = self._where(held.lease)
        self._parts.meter.shard_taken(self.shard.id, start)
        if held.checkpoint.ended:
            return True  # it was written, and nobody heard so
        poller = self._poller = Poller(
            self._parts,
            shard=self.shard,
            start=start,
            save=held.save,
            window=held.window,
            may_act=held.may_act,
            on_open=lambda: self._on_open(self),
            doubts=self._doubts,
        )
        self._apply_what_came_before(poller)
        try:
            ended = await poller.run()
        finally:
            self._poller = None
        await self._release(held)
        if self._handing_over and not ended:
            self._parts.meter.say(Log.SHARD_HANDED_OVER, shard=self.shard.id)
        return ended

    def _where(self, lease: Lease) -> Position:
        """LATEST is asked of the source only once, by who found the shard; the lease holds its pin."""
        start, self._start = self._start, None
        untouched = start is not None and start.pinned() == lease.checkpoint and lease.epoch == 1
        return start if start is not None and untouched else lease.checkpoint

    def _apply_what_came_before(self, poller: Poller) -> None:
        if self.vanished:
            poller.vanish()
        if self._handing_over:
            poller.hand_over()
        if self._evicted:
            poller.evict()

    async def _release(self, held: HeldLease) -> None:
        """Give the lease up. What was finished is checkpointed: to fail here costs the next owner a wait."""
        try:
            await held.release()
        except StateUnavailable as error:
            self._parts.meter.checkpoint_failed(self.shard.id, error)
        else:
            self._parts.meter.shard_released(self.shard.id)


class Readings:
    """All of them, by shard."""

    def __init__(
        self,
        parts: PollerParts,
        leases: Leaseholder,
        doubts: Doubts,
        *,
        changed: Signal,
        on_all_open: Callable[[], None],
    ) -> None:
        self.ended = False
        """Whether a shard came to its end since this was last reset: it may have children."""
        self._parts = parts
        self._leases = leases
        self._doubts = doubts
        self._changed = changed
        self._on_all_open = on_all_open
        self._readings: dict[str, Reading] = {}
        self._unopened: set[Reading] = set()
        self._vanished: Collection[str] = ()

    @property
    def shards(self) -> Collection[str]:
        """What is read, or not finished with."""
        return self._readings.keys()

    @property
    def all_open(self) -> bool:
        """Whether each was opened."""
        return not self._unopened

    def begin(self, shard: Shard, *, incarnation: str, start: Position | None) -> Reading | None:
        """A reading of a shard; None where one is under way."""
        if shard.id in self._readings:
            return None
        reading = Reading(
            shard,
            self._parts,
            self._leases,
            self._doubts,
            incarnation=incarnation,
            start=start,
            on_open=self._opened,
            on_end=self._note_end,
        )
        reading.vanished = shard.id in self._vanished
        self._readings[shard.id] = reading
        self._unopened.add(reading)
        return reading

    def end(self, reading: Reading) -> None:
        """A reading is over."""
        if self._readings.get(reading.shard.id) is reading:
            del self._readings[reading.shard.id]
        self._opened(reading)

    def notice(self, vanished: Collection[str], closed: Sequence[str]) -> None:
        """What a listing says of shards."""
        self._vanished = vanished
        for shard in vanished:
            if shard in self._readings:
                self._readings[shard].vanish()
        for shard in closed:
            if shard in self._readings:
                self._readings[shard].close()

    def hand_over(self, shards: Sequence[str]) -> None:
        """Give these to whoever asked for them."""
        for shard in shards:
            if shard in self._readings:
                self._readings[shard].hand_over()

    def evict_others(self, incarnation: str) -> None:
        """Stop reading a stream that is no more; shards of the new one may have the same names."""
        for shard, reading in list(self._readings.items()):
            if reading.incarnation != incarnation:
                self._readings.pop(shard).evict()

    def evict_strangers(self, me: str) -> None:
        """Stop what was taken under another name: the fleet took this worker for dead."""
        for reading in list(self._readings.values()):
            if reading.held is not None and reading.held.lease.owner != me:
                reading.evict()

    def evict_taken(self, leases: Mapping[str, Lease]) -> None:
        """Stop what another worker has by now."""
        for shard, reading in list(self._readings.items()):
            held = None if reading.held is None else reading.held.lease
            lease = leases.get(shard)
            if held is not None and lease is not None and lease.epoch > held.epoch:
                reading.evict()

    def without_lease(self, leases: Collection[str]) -> Sequence[HeldLease]:
        """What is read though its lease was removed."""
        return [
            reading.held
            for shard, reading in self._readings.items()
            if reading.held is not None and shard not in leases
        ]

    def _opened(self, reading: Reading) -> None:
        self._unopened.discard(reading)
        self._on_all_open()

    def _note_end(self) -> None:
        self.ended = True
        self._changed.set()
