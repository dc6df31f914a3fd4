"""Reads one shard: receive, filter, split to lanes."""

from collections.abc import Callable, Sequence
from math import isfinite

import anyio

from poller.core.lanes import split
from poller.core.pacing import ReadLimit, next_page_bytes
from poller.core.records import Page, Position, PositionKind, Record, Shard
from poller.core.recovery import casts_doubt, react
from poller.core.retrying import Now
from poller.core.service_time import ServiceTime
from poller.core.timewindow import WindowState
from poller.delivering import Delivery
from poller.discarder import Discarder
from poller.doubts import Doubt, Doubts, NoDoubts
from poller.errors import LeaseLost, SourceError
from poller.interfaces import Reader
from poller.lane import Lane, LaneParts
from poller.poller_parts import PollerParts
from poller.settler import Save, Settler, SettlerParts
from poller.watch import MEMORY

DOUBT_LOOK_S = 0.2  # between looks whether a doubt is resolved
TRIMS_TO_BELIEVE = 3  # in a row, each at a fresh horizon, before a closed shard is taken for empty


class Poller:
    """Owns a reader and its lanes. Runs once, in one task."""

    def __init__(
        self,
        parts: PollerParts,
        *,
        shard: Shard,
        start: Position,
        save: Save,
        on_open: Callable[[], None],
        window: WindowState | None = None,
        may_act: Callable[[], bool] = lambda: True,
        doubts: Doubts | None = None,
    ) -> None:
        self._parts = parts
        self._doubts = doubts or NoDoubts()
        self._service_time = ServiceTime()
        self._read_limit = ReadLimit(parts.rules.page_limit)
        self._asked = 1
        self._shard = shard
        self._closed = shard.closed
        self._read_to = start
        self._on_open = on_open
        self._drain = parts.surroundings.drain
        self._retired = False
        self._evicted = False
        self._vanished = False
        self._trimmed_in_a_row = 0
        self._reader: Reader | None = None
        self._reopen = True
        self._page_bytes = parts.rules.page_bytes
        self._scope = f"{parts.mapping}/{shard.id}"
        self._windows = parts.rules.windows(shard.id, self._scope, window)
        self._settler = Settler(
            SettlerParts(
                shard=shard.id,
                surroundings=parts.surroundings,
                meter=parts.meter,
                discarder=Discarder(
                    parts.on_failure,
                    shard=shard.id,
                    surroundings=parts.surroundings,
                    meter=parts.meter,
                    patience=parts.rules.patience,
                ),
                save=save,
                on_lost=self.evict,
                windows=self._windows,
                backoff=parts.rules.patience.passing,
            )
        )
        self._changed = self._drain.signal()
        self._stopped = self._drain.signal()
        self._lanes = self._make_lanes(may_act)

    def _make_lanes(self, may_act: Callable[[], bool]) -> Sequence[Lane]:
        parts, rules = self._parts, self._parts.rules
        lane_parts = LaneParts(
            delivery=Delivery(target=parts.target, meter=parts.meter, shard=self._shard.id, now=self._now),
            policy=rules.retry(self._scope),
            windows=self._windows,
            surroundings=parts.surroundings,
            meter=parts.meter,
            resolve=self._settler.resolve,
            changed=self._changed,
            may_act=may_act,
        )
        return [Lane(self._windows.batcher(rules.batch_limits), lane_parts) for _ in range(rules.lanes)]

    def retire(self) -> None:
        """Read no more, deliver what is there, then end."""
        self._retired = True
        self._wake()

    def hand_over(self) -> None:
        """Finish and checkpoint what runs, begin nothing, then end: another worker goes on from there."""
        self._retired = True
        for lane in self._lanes:
            lane.halt()
        self._wake()

    def evict(self) -> None:
        """Stop and save nothing: the shard belongs to another worker, or to a stream that is no more."""
        self._evicted = True
        for lane in self._lanes:
            lane.halt()
        self._wake()

    def vanish(self) -> None:
        """What was not read has left the stream: report it, deliver what is there, and end the shard."""
        self._vanished = True
        self._wake()

    def close(self) -> None:
        """The stream lists the shard as closed: nothing more is written to it."""
        self._closed = True

    def _wake(self) -> None:
        """Whatever reading waits for, look again."""
        self._changed.set()
        self._stopped.set()
        self._parts.surroundings.budget.wake()

    async def run(self) -> bool:
        """Read until the end of the shard, until retired, or until draining begins.

        Returns:
            Whether the shard ended and every record of it is finished, durably.

        Raises:
            LeaseLost: Another worker reads the shard now, or it was evicted.
        """
        self._parts.meter.counts.pollers += 1
        try:
            async with anyio.create_task_group() as lanes:
                for lane in self._lanes:
                    lanes.start_soon(lane.run)
                ended = await self._read()
                if ended:
                    self._windows.end()
                for lane in self._lanes:
                    lane.close()
            self._refuse_if_evicted()
            if ended and not self._stopping:
                await self._settler.end_shard()
                self._refuse_if_evicted()
                return True
            return False
        finally:
            self._parts.meter.counts.pollers -= 1
            self._settler.release([r for lane in self._lanes for r in lane.leftovers()])
            self._settler.close()

    @property
    def _stopping(self) -> bool:
        return self._retired or self._evicted or self._drain.requested

    async def _read(self) -> bool:
        """Whether the end of the shard was reached."""
        failures = 0
        while not self._stopping:
            if self._vanished:
                self._parts.meter.trimmed(self._shard.id, self._read_to)
                self._parts.meter.working(shard=self._shard.id)  # there is nothing left to be denied
                return True
            try:
                page, elapsed_s = await self._receive()
            except SourceError as error:
                failures += 1
                await self._recover(error, failures)
                continue
            failures = self._trimmed_in_a_row = 0
            self._parts.meter.working(shard=self._shard.id)
            self._notice_time(page)
            self._notice_tip(page, elapsed_s)
            await self._take_in(page)
            if page.end_of_shard:
                return True
            await self._rest(self._parts.rules.pace.pause(page, elapsed_s))
        return False

    def _refuse_if_evicted(self) -> None:
        if self._evicted:
            raise LeaseLost(f"shard {self._shard.id} belongs to another worker or stream now")

    async def _receive(self) -> tuple[Page, float]:
        """Open if need be, wait until a lane wants records, read; the page and how long the read took."""
        reader = await self._open()
        await self._hunger()
        budget = self._parts.surroundings.budget
        largest, page_bytes = self._parts.rules.page_bytes, self._page_bytes
        self._page_bytes = largest  # should this read fail, what comes next may be anything
        with self._parts.watch.waiting_for(MEMORY):
            reserved = await budget.reserve(page_bytes, stopping=lambda: self._stopping)
        if not reserved:
            return Page(), 0.0
        try:
            clock = self._parts.surroundings.clock
            begun, limit = clock.monotonic(), self._limit()
            self._asked = limit
            page = await reader.receive(limit, 0.0)
            self._asked = 1
            self._read_limit.answered()
            self._parts.meter.read(limit)
            self._page_bytes = next_page_bytes(page, largest)
            return page, clock.monotonic() - begun
        finally:
            budget.take(-page_bytes)

    async def _open(self) -> Reader:
        if self._reader is None or self._reopen:
            async with self._parts.surroundings.opening:
                self._reader = await self._parts.source.open(self._shard, self._read_to)
            self._reopen = False
            self._on_open()
        return self._reader

    async def _hunger(self) -> None:
        """Wait until a lane wants records, and the shard does not hold too much already.

        With several lanes one that is stuck gathers what belongs to it while the others go on; it must not
        take the memory of other shards.
        """
        while not self._stopping and not self._hungry:
            await self._changed.wait()

    @property
    def _hungry(self) -> bool:
        full = self._settler.held_bytes >= self._parts.rules.open_bytes
        return not full and any(lane.room for lane in self._lanes)

    def _limit(self) -> int:
        return max(self._read_limit.most, 1)

    async def _take_in(self, page: Page) -> None:
        records = page.records
        if not records:
            return
        last = records[-1].position
        assert last is not None
        self._read_to = Position.after(last)
        self._settler.admit(records)
        if self._drain.requested:
            self._settler.release(records)
            return
        wanted = await self._filter(records)
        for lane, dealt in zip(self._lanes, split(wanted, len(self._lanes)), strict=True):
            lane.offer(dealt)

    def _notice_time(self, page: Page) -> None:
        """A stream tells its time, by which records grow old; so it is seen whether ours is right."""
        clock = self._parts.surroundings.clock
        now = clock.monotonic()
        self._service_time.see(page, now)
        self._parts.meter.clock_ahead(self._service_time.ahead_s(clock.wall(), now))
        if page.behind_s is not None:
            self._parts.meter.behind(self._shard.id, page.behind_s)

    def _now(self) -> Now:
        return Now(monotonic=self._parts.surroundings.clock.monotonic(), wall=self._wall())

    def _wall(self) -> float:
        """The time by which records grow old. What a source has not told yet makes none of them old."""
        now = self._service_time.at(self._parts.surroundings.clock.monotonic())
        return float("-inf") if now is None else now

    def _notice_tip(self, page: Page, elapsed_s: float) -> None:
        """A window may be over because nothing was read, which no lane is handed anything for."""
        now = self._wall()
        wall = now if isfinite(now) else self._parts.surroundings.clock.wall()
        self._windows.read(page, wall - elapsed_s)
        if not page.records and not page.behind:
            self._doubts.nothing_read()
        if not page.records and not page.behind and not self._settler.held_bytes:
            self._parts.meter.caught_up(self._shard.id)
        for lane in self._lanes if self._windows.over else ():
            lane.wake()

    async def _filter(self, records: Sequence[Record]) -> Sequence[Record]:
        passes = self._parts.rules.passes
        if passes is None:
            return records
        wanted = {record: None for record in records if passes(record)}
        if len(wanted) < len(records):
            self._parts.meter.filtered_out(len(records) - len(wanted))
            await self._settler.pass_over([record for record in records if record not in wanted])
        return list(wanted)

    async def _recover(self, error: SourceError, failures: int) -> None:
        reaction = react(error, failures, self._parts.rules.patience, asked=self._asked)
        if reaction.smaller:
            self._read_limit.too_large(self._asked)
            self._parts.meter.read_halved(self._shard.id, str(error), self._read_limit.most)
        doubt = self._doubts.cast() if casts_doubt(error) else None
        self._asked = 1
        if reaction.problem is not None:
            self._parts.meter.problem(reaction.problem, shard=self._shard.id)
        self._reopen = self._reopen or reaction.reopen
        # A later LATEST would be another place: what was asked for first stays what is meant.
        self._read_to = self._read_to.pinned()
        if reaction.trimmed:
            # In another stream of the same name the position would be unknown, and nothing trimmed.
            await self._resolved(doubt)
            if self._stopping or self._vanished:
                return
            self._trimmed_in_a_row += 1
            # One error may be of an iterator from before the trim; the horizon itself is asked for anew.
            at_horizon = self._read_to.kind is PositionKind.TRIM_HORIZON
            if self._closed and at_horizon and self._trimmed_in_a_row >= TRIMS_TO_BELIEVE:
                self._vanished = True  # all it held is trimmed, nothing more will come (semantics 3.1.6)
                return
            if self._trimmed_in_a_row == 1:
                self._parts.meter.trimmed(self._shard.id, self._read_to)
            self._read_to = Position.trim_horizon()
        await self._rest(reaction.delay_s)

    async def _resolved(self, doubt: Doubt | None) -> None:
        """Wait until the stream was listed since, unless reading is to stop."""
        while doubt is not None and not doubt.resolved and not (self._stopping or self._vanished):
            await self._stopped.wait(DOUBT_LOOK_S)

    async def _rest(self, seconds: float) -> None:
        """Wait, unless it is to stop."""
        if not self._stopping:
            await self._stopped.wait(seconds)
