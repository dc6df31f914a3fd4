"""Reads one shard or queue: receive, filter, split to lanes, settle."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio

from poller.core.batching import Batcher
from poller.core.discards import Discard
from poller.core.frontier import Frontier
from poller.core.lanes import split
from poller.core.records import Page, Position, Record, Shard
from poller.core.recovery import react
from poller.errors import SourceError, StateUnavailable
from poller.interfaces import Reader, Source, Target
from poller.lane import Lane, LaneParts
from poller.rules import Rules
from poller.surroundings import Surroundings
from poller.telemetry import Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class PollerParts:
    """What a poller works with; all pollers of a mapping share them."""

    mapping: str
    """UUID of the mapping."""
    source: Source
    target: Target
    rules: Rules
    surroundings: Surroundings
    meter: Meter


RELEASE_LIMIT_S = 5.0

Save = Callable[[Position], Awaitable[None]]
"""Makes a checkpoint durable; raises StateUnavailable for another try, LeaseLost to stop."""


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
    ) -> None:
        self._parts = parts
        self._shard = shard
        self._read_to = start
        self._save = save
        self._on_open = on_open
        self._drain = parts.surroundings.drain
        self._reader: Reader | None = None
        self._reopen = True
        self._frontier = Frontier()
        self._held_bytes = 0
        self._saving = anyio.Lock()
        self._changed = self._drain.signal()
        self._lanes = self._make_lanes()

    def _make_lanes(self) -> Sequence[Lane]:
        parts = self._parts
        rules = parts.rules
        scope = f"{parts.mapping}/{self._shard.id}"
        lane_parts = LaneParts(
            target=parts.target,
            policy=rules.retry(scope),
            surroundings=parts.surroundings,
            meter=parts.meter,
            shard=self._shard.id,
            resolve=self._resolve,
            changed=self._changed,
            prefetch=rules.prefetch,
        )
        return [Lane(Batcher(rules.batch_limits, scope=scope), lane_parts) for _ in range(rules.lanes)]

    async def run(self) -> bool:
        """Read until the end of the shard or until draining begins.

        Returns:
            Whether the shard ended and every record of it is finished, durably.

        Raises:
            LeaseLost: Another worker reads the shard now.
        """
        try:
            async with anyio.create_task_group() as lanes:
                for lane in self._lanes:
                    lanes.start_soon(lane.run)
                ended = await self._read()
                for lane in self._lanes:
                    lane.close()
            if ended and self._frontier.settled:
                await self._checkpoint(Position.shard_end())
                return True
            return False
        finally:
            # Also when cut short: what was not started must not stay invisible. Shielded, with its own limit.
            with anyio.move_on_after(RELEASE_LIMIT_S, shield=True):
                await self._release([record for lane in self._lanes for record in lane.leftovers()])
            self._give_back_bytes(self._held_bytes)

    # ----- reading

    async def _read(self) -> bool:
        failures = 0
        while not self._drain.requested:
            try:
                page, elapsed_s = await self._receive()
            except SourceError as error:
                failures += 1
                await self._recover(error, failures)
                continue
            failures = 0
            self._parts.meter.working(shard=self._shard.id)
            await self._take_in(page)
            if page.end_of_shard:
                return not self._drain.requested
            await self._drain.sleep(self._parts.rules.pace.pause(page, elapsed_s))
        return False

    async def _receive(self) -> tuple[Page, float]:
        """Open if need be, wait until a lane wants records, read; the page and how long the read took."""
        reader = await self._open()
        await self._hunger()
        budget = self._parts.surroundings.budget
        page_bytes = self._parts.rules.page_bytes
        await budget.reserve(page_bytes)
        try:
            if self._drain.requested:
                return Page(), 0.0
            clock = self._parts.surroundings.clock
            begun = clock.monotonic()
            page = await reader.receive(self._limit(), self._wait_s())
            return page, clock.monotonic() - begun
        finally:
            budget.give_back(page_bytes)

    async def _open(self) -> Reader:
        """The reader in use. One that was given up still settles what it has received."""
        if self._reader is None or self._reopen:
            self._reader = await self._parts.source.open(self._shard, self._read_to)
            self._reopen = False
            self._on_open()
        return self._reader

    async def _hunger(self) -> None:
        """Wait until a lane wants records."""
        while not self._drain.requested and not any(lane.room for lane in self._lanes):
            await self._changed.wait()

    def _limit(self) -> int:
        """A queue's message is invisible to others from its receive on: ask for no more than can be used."""
        rules = self._parts.rules
        if rules.prefetch:
            return rules.page_limit
        return max(min(rules.page_limit, sum(lane.room for lane in self._lanes)), 1)

    def _wait_s(self) -> float:
        windows = [lane.window_left_s for lane in self._lanes]
        return min([self._parts.rules.long_poll_s, *(w for w in windows if w is not None)])

    async def _take_in(self, page: Page) -> None:
        records = page.records
        if not records:
            return
        if records[-1].position is not None:
            self._read_to = Position.after(records[-1].position)
        self._hold_bytes(sum(record.size for record in records))
        self._parts.meter.polled(records)
        self._frontier.admit(records)
        if self._drain.requested:
            await self._release(records)
            return
        wanted = await self._filter(records)
        for lane, dealt in zip(self._lanes, split(wanted, len(self._lanes)), strict=True):
            lane.offer(dealt)

    async def _filter(self, records: Sequence[Record]) -> Sequence[Record]:
        passes = self._parts.rules.passes
        if passes is None:
            return records
        verdicts = [passes(record) for record in records]
        unwanted = [record for record, wanted in zip(records, verdicts, strict=True) if not wanted]
        if unwanted:
            self._parts.meter.filtered_out(len(unwanted))
            await self._resolve(unwanted, (), None)
        return [record for record, wanted in zip(records, verdicts, strict=True) if wanted]

    async def _recover(self, error: SourceError, failures: int) -> None:
        reaction = react(error, failures, self._parts.rules.patience)
        if reaction.problem is not None:
            self._parts.meter.problem(reaction.problem, shard=self._shard.id)
        self._reopen = self._reopen or reaction.reopen
        # A later LATEST would be another place: what was asked for first stays what is meant.
        self._read_to = self._read_to.pinned()
        if reaction.trimmed:
            self._parts.meter.trimmed(self._shard.id, self._read_to)
            self._read_to = Position.trim_horizon()
        await self._drain.sleep(reaction.delay_s)

    # ----- settling

    async def _resolve(self, done: Sequence[Record], left: Sequence[Record], discard: Discard | None) -> None:
        """Apply what was decided: the source is told first, then the checkpoint passes."""
        meter = self._parts.meter
        if discard is not None:
            meter.discarded(self._shard.id, discard)
            done = (*done, *discard.records)
        if done:
            await self._settle(done)
            self._frontier.resolve(done)
            meter.settled(len(done))
            await self._save_progress()
        meter.left(len(left))
        self._give_back_bytes(sum(record.size for record in (*done, *left)))

    async def _settle(self, done: Sequence[Record]) -> None:
        """Tell the source, as often as it takes while the receipts are worth something."""
        failures = 0
        while done and self._reader is not None:
            try:
                done = await self._reader.settle(done, ())
            except SourceError as error:
                self._parts.meter.problem(f"PROBLEM: {error}", shard=self._shard.id)
            if not done:
                return
            failures += 1
            await anyio.sleep(self._parts.rules.patience.passing.delay(failures))
            now = self._parts.surroundings.clock.monotonic()
            held = [record for record in done if record.held_until is None or record.held_until > now]
            if len(held) < len(done):
                self._parts.meter.receipts_expired(self._shard.id, len(done) - len(held))
            done = held

    async def _save_progress(self) -> None:
        async with self._saving:
            reached = self._frontier.advance()
            if reached is not None:
                await self._checkpoint(Position.after(reached))

    async def _checkpoint(self, position: Position) -> None:
        """Make a checkpoint durable; the lane goes no further without it."""
        failures = 0
        while True:
            try:
                await self._save(position)
            except StateUnavailable as error:
                failures += 1
                self._parts.meter.checkpoint_failed(self._shard.id, error)
                await anyio.sleep(self._parts.rules.patience.passing.delay(failures))
            else:
                return

    async def _release(self, records: Sequence[Record]) -> None:
        """Give back what was not started, so that another worker has it at once."""
        if not records:
            return
        self._parts.meter.left(len(records))
        self._give_back_bytes(sum(record.size for record in records))
        if self._reader is not None:
            try:
                await self._reader.settle((), records)
            except SourceError as error:
                self._parts.meter.problem(f"PROBLEM: {error}", shard=self._shard.id)
            else:
                self._parts.meter.released(self._shard.id, len(records))

    def _hold_bytes(self, size_bytes: int) -> None:
        self._held_bytes += size_bytes
        self._parts.surroundings.budget.take(size_bytes)

    def _give_back_bytes(self, size_bytes: int) -> None:
        self._held_bytes -= size_bytes
        self._parts.surroundings.budget.give_back(size_bytes)
