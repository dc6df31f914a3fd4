"""What every part of one process shares: its clock, its chance, its drain and its byte budget."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from poller.budget import ByteBudget
from poller.core.listing import Spacing
from poller.interfaces import Clock
from poller.waiting import Drain

OPENINGS = 16  # GetShardIterator calls under way at once
# Between listings of idle streams: an account has 20 DescribeStreamSummary calls a second for all workers.
IDLE_LISTINGS_GAP_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Passed down unchanged from the supervisor to every lane."""

    clock: Clock
    chance: Callable[[], float]
    """Draws from [0, 1); spreads waits."""
    drain: Drain
    budget: ByteBudget
    opening: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(OPENINGS))
    """Passed by whoever opens a shard: a thousand shards at the start are opened a few at a time."""
    idle_listings: Spacing = field(default_factory=lambda: Spacing(IDLE_LISTINGS_GAP_S))
    """When idle streams are listed again, each at a moment of its own."""


class SystemClock:
    """The machine's clocks. Bare functions: every batch asks twenty times."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)
