"""What becomes of the records of one shard once they are resolved: checkpointed and accounted."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio

from poller.core.backoff import Backoff
from poller.core.discards import Discard
from poller.core.frontier import Frontier
from poller.core.records import Position, Record, total_size
from poller.core.timewindow import WindowState
from poller.core.windows import Windows
from poller.discarder import Discarder
from poller.errors import LeaseLost, StateUnavailable
from poller.surroundings import Surroundings
from poller.telemetry import Meter

Save = Callable[[Position | None, WindowState | None], Awaitable[None]]
"""Makes a checkpoint durable, with the tumbling window that is open there; None is where it is already.

Raises StateUnavailable for another try, LeaseLost to stop.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlerParts:
    """What a settler works with."""

    shard: str
    surroundings: Surroundings
    meter: Meter
    discarder: Discarder
    save: Save
    on_lost: Callable[[], None]
    """Called when another worker has the shard: nothing is saved any more."""
    windows: Windows
    backoff: Backoff
    """Between tries of a checkpoint that failed."""


class Settler:
    """The only way out for a record: each is admitted once and leaves once."""

    def __init__(self, parts: SettlerParts) -> None:
        self._parts = parts
        self._frontier = Frontier()
        self._held_bytes = 0
        self._saving = anyio.Lock(fast_acquire=True)
        self._lost = False

    @property
    def held_bytes(self) -> int:
        """Bytes of records that were admitted and are not resolved."""
        return self._held_bytes

    def admit(self, records: Sequence[Record]) -> None:
        """Records were read."""
        self._hold(total_size(records))
        self._parts.meter.polled(self._parts.shard, records)
        self._frontier.admit(records)

    async def resolve(self, done: Sequence[Record], discard: Discard | None) -> None:
        """Apply what was decided.

        Args:
            done: Finished: handled or filtered out.
            discard: Given up; finished as well, once that was recorded.
        """
        left: Sequence[Record] = ()
        if discard is not None:
            given_up = await self._parts.discarder.give_up(discard)
            # What no destination took stays unfinished: the checkpoint does not pass it.
            done = (*done, *discard.records) if given_up else done
            left = () if given_up else discard.records
            if given_up:
                self._parts.windows.given_up(discard)
        await self._finish(done, left, handled=True)

    async def pass_over(self, records: Sequence[Record]) -> None:
        """Apply that no filter wants these: they are finished, and no function has handled them."""
        await self._finish(records, (), handled=False)

    async def _finish(self, done: Sequence[Record], left: Sequence[Record], *, handled: bool) -> None:
        if done:
            self._frontier.resolve(done)
            self._parts.meter.settled(done, wall=self._parts.surroundings.clock.wall(), handled=handled)
        # Whoever is behind a checkpoint that is not durable yet waits for it, too.
        if self._frontier.movable or self._parts.windows.unsaved or self._saving.locked():
            await self._save_progress()
        self._parts.meter.left(len(left))
        self._hold(-total_size(done) - total_size(left))

    async def end_shard(self) -> None:
        """Make it durable that the shard is finished."""
        assert self._frontier.settled
        await self._checkpoint(Position.shard_end())

    def release(self, records: Sequence[Record]) -> None:
        """Let go of what was not started: a stream had nothing taken from it."""
        self._parts.meter.left(len(records))
        self._hold(-total_size(records))

    def close(self) -> None:
        """Give back the bytes of what was cut off unresolved."""
        self._hold(-self._held_bytes)

    async def _save_progress(self) -> None:
        async with self._saving:
            reached = self._frontier.advance()
            if reached is not None:
                await self._checkpoint(Position.after(reached))
            elif self._parts.windows.unsaved and not self._frontier.halted:
                await self._checkpoint(None)

    async def _checkpoint(self, position: Position | None) -> None:
        """Make a checkpoint durable; the lane goes no further without it.

        Once the shard is lost what runs is left to end, and what it finished is forgotten.
        """
        failures = 0
        while not self._lost:
            try:
                await self._parts.save(position, self._parts.windows.stored)
            except StateUnavailable as error:
                failures += 1
                self._parts.meter.checkpoint_failed(self._parts.shard, error)
                await anyio.sleep(self._parts.backoff.delay(failures))
            except LeaseLost:
                self._lost = True
                self._parts.on_lost()
            else:
                self._parts.meter.checkpointed()
                self._parts.windows.saved()
                return

    def _hold(self, size_bytes: int) -> None:
        self._held_bytes += size_bytes
        self._parts.surroundings.budget.take(size_bytes)
        self._parts.meter.held(size_bytes)
