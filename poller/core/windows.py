"""Tumbling windows of one shard (semantics 3.10): which records share a state, and when it is handed over.

A window is open from its first record until its final invocation is through. While it is open, each batch is
given the state that the batch before returned; the final invocation has no records and takes the state away.
Everything runs in the order of the shard: there is one lane, and so at any moment one window.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from msgspec import structs

from poller.core.batching import Batch, Batcher, BatchLimits, Gatherer, Trigger, content_id
from poller.core.discards import Discard
from poller.core.payload import window_members
from poller.core.records import Page, Record
from poller.core.timewindow import TimeWindow, WindowState

MAX_STATE_BYTES = 1_048_576  # "maximum of 1 MB per shard" (semantics 3.10.7)
_BEFORE_ALL = TimeWindow(start=0, end=0)


class Windows(Protocol):
    """What the loop asks about the windows of a shard."""

    def batcher(self, limits: BatchLimits) -> Gatherer:
        """What gathers the records of a lane."""
        ...

    @property
    def stored(self) -> WindowState | None:
        """What is written with a checkpoint of this moment."""
        ...

    @property
    def unsaved(self) -> bool:
        """Whether a window was closed since the last write: it is due though no record is finished."""
        ...

    def next(self, work: deque[Batch]) -> Batch:
        """What to deliver now: the first batch of `work`, unless its window must be closed before."""
        ...

    def judged(self, batch: Batch, state: bytes | None) -> None:
        """A delivery is through; `state` is what it returned, None where nothing was counted."""
        ...

    def given_up(self, discard: Discard) -> None:
        """Records, or the final invocation of a window, were discarded."""
        ...

    def saved(self) -> None:
        """What is stored was written."""
        ...

    @property
    def over(self) -> bool:
        """Whether no more records of the open window will come."""
        ...

    def read(self, page: Page, wall: float) -> None:
        """A page was asked for at this time."""
        ...

    def end(self) -> None:
        """The shard has ended: nothing will be added to any window."""
        ...


class NoWindows:
    """A mapping without tumbling windows: every invocation stands for itself."""

    stored: WindowState | None = None
    unsaved = False
    over = False

    def __init__(self, scope: str) -> None:
        self._scope = scope

    def batcher(self, limits: BatchLimits) -> Gatherer:
        """Batches are cut wherever they are full."""
        return Batcher(limits, scope=self._scope)

    def next(self, work: deque[Batch]) -> Batch:
        """In order, as they are."""
        return work.popleft()

    def judged(self, batch: Batch, state: bytes | None) -> None:
        """Nothing is kept."""

    def given_up(self, discard: Discard) -> None:
        """Nothing is kept."""

    def saved(self) -> None:
        """Nothing is kept."""

    def read(self, page: Page, wall: float) -> None:
        """There is nothing to close."""

    def end(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRules:
    """What the windows of a shard are like."""

    size_s: int
    grace_s: float
    """How long a shard must have had nothing to read, and that after the window's end, to close it."""
    shard: str
    source_arn: str
    scope: str
    """Mapping and shard, for the ids of batches."""


class TumblingWindows:
    """The window that is open in a shard, and its state."""

    def __init__(self, rules: WindowRules, stored: WindowState | None) -> None:
        self.unsaved = False
        self._rules = rules
        self._open = stored or WindowState(window=_BEFORE_ALL, state=None)
        self._quiet_since: float | None = None
        self._quiet_until = 0.0
        self._ended = False

    def batcher(self, limits: BatchLimits) -> Gatherer:
        """Batches are also cut where a window ends."""
        return WindowedBatcher(limits, windows=self, scope=self._rules.scope)

    @property
    def stored(self) -> WindowState | None:
        """The window that is open; None before the first."""
        return None if self._open.window == _BEFORE_ALL else self._open

    @property
    def counting(self) -> bool:
        """Whether the open window has a state that somebody must be handed."""
        return self._open.state is not None

    @property
    def too_large(self) -> bool:
        """Whether the state may grow no further: its window is terminated early."""
        return self._open.state is not None and len(self._open.state) > MAX_STATE_BYTES

    @property
    def over(self) -> bool:
        """Whether no more records of the open window will come.

        One empty page is no proof, it may have others behind it: the shard must have been quiet for a while.
        """
        if self._ended or self._quiet_since is None:
            return self._ended
        return self._quiet_until > max(self._open.window.end, self._quiet_since) + self._rules.grace_s

    def holds(self, record: Record) -> bool:
        """Whether a record belongs to the open window; so does one that is late for a window before it."""
        return record.arrived_at < self._open.window.end

    def open(self, record: Record) -> None:
        """Go on to the window of a record. There is nothing to hand over."""
        assert not self.counting
        window = TimeWindow.containing(record.arrived_at, size_s=self._rules.size_s)
        self._open = WindowState(window=window, state=None)

    @property
    def overhead(self) -> int:
        """Bytes of an event that are not its records."""
        return len(self._members(final=False))

    def frame(self, batch: Batch) -> Batch:
        """A batch as it is to be delivered now: with the window and the state that it continues."""
        return structs.replace(
            batch, window=self._open.window, members=self._members(final=not batch.records)
        )

    def final(self) -> Batch:
        """The final invocation of the open window."""
        identity = f"{self._rules.scope}|{self._open}"
        batch = Batch(records=(), trigger=Trigger.TUMBLING_WINDOW, id=content_id(identity.encode()))
        return self.frame(batch)

    def next(self, work: deque[Batch]) -> Batch:
        """The rest of a batch goes on with what was made of its first part."""
        if self.too_large and work[0].records:
            return self.final()
        return self.frame(work.popleft())

    def judged(self, batch: Batch, state: bytes | None) -> None:
        """Keep the state, or drop it once its window is closed."""
        if state is not None and batch.records:
            self._open = replace(self._open, state=state)
        elif state is not None:
            self._close()

    def given_up(self, discard: Discard) -> None:
        """Records leave the state as it was; without its final invocation it is lost."""
        if not discard.records:
            self._close()

    def saved(self) -> None:
        """The closing is durable."""
        self.unsaved = False

    def read(self, page: Page, wall: float) -> None:
        """Notice for how long there was nothing to read."""
        if page.records or page.behind:
            self._quiet_since = None
        else:
            self._quiet_since = wall if self._quiet_since is None else min(self._quiet_since, wall)
            self._quiet_until = wall

    def end(self) -> None:
        """Close what is open, and each window that still opens, without waiting."""
        self._ended = True

    def _close(self) -> None:
        """Later records of a window that was terminated early go on in it, with a fresh state (3.10.7)."""
        window = self._open.window
        if not self.too_large:
            window = TimeWindow.containing(window.end, size_s=self._rules.size_s)
        self._open = WindowState(window=window, state=None)
        self.unsaved = True

    def _members(self, *, final: bool) -> bytes:
        return window_members(
            self._open,
            shard=self._rules.shard,
            source_arn=self._rules.source_arn,
            final=final,
            early=final and self.too_large,
        )


class WindowedBatcher:
    """A Batcher whose batches never mix windows, and that closes each window after its last batch."""

    def __init__(self, limits: BatchLimits, *, windows: TumblingWindows, scope: str) -> None:
        self._windows = windows
        self._current = Batcher(limits, scope=scope)
        self._later: deque[Record] = deque()

    @property
    def room(self) -> int:
        """How many more records the next batch can take."""
        return max(self._current.room - len(self._later), 0)

    def add(self, records: Sequence[Record], now: float) -> None:
        """Take records in, in order."""
        self._later.extend(records)
        self._sort(now)

    def restart_window(self, now: float) -> None:
        """The previous invocation has completed: the next batching window starts."""
        self._current.restart_window(now)

    def deadline(self) -> float | None:
        """When what is gathered must go; the end of a tumbling window is not known by the clock alone."""
        return self._current.deadline()

    def take(self, now: float, *, flush: bool = False) -> Batch | None:
        """Cut the next batch, or close the window, if either is due."""
        windows = self._windows
        while True:
            if windows.too_large:
                return windows.final()
            batch = self._cut(now, flush=flush)
            if batch is not None or len(self._current):
                return batch
            if windows.counting:
                return windows.final() if self._later or windows.over else None
            if not self._later:
                return None
            windows.open(self._later[0])
            self._sort(now)

    def drop_all(self) -> Sequence[Record]:
        """Give back everything that was gathered and not cut."""
        dropped = (*self._current.drop_all(), *self._later)
        self._later.clear()
        return dropped

    def _sort(self, now: float) -> None:
        """What belongs to the open window joins it, up to the first record of a later one."""
        count = next((i for i, r in enumerate(self._later) if not self._windows.holds(r)), len(self._later))
        if count:
            self._current.add([self._later.popleft() for _ in range(count)], now)

    def _cut(self, now: float, *, flush: bool) -> Batch | None:
        if not len(self._current):
            return None
        self._current.set_aside(self._windows.overhead)
        over = bool(self._later) or self._windows.over
        batch = self._current.take(now, flush=flush or over)
        if batch is not None and over and batch.trigger is Trigger.SHARD_END:
            batch = structs.replace(batch, trigger=Trigger.TUMBLING_WINDOW)
        return batch
