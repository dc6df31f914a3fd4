"""What every part of one process shares: its clock, its chance, its drain and its byte budget."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import anyio

from poller.budget import ByteBudget
from poller.core.listing import Spacing
from poller.interfaces import Clock
from poller.shared_queues import SharedQueues
from poller.waiting import Drain

OPENINGS = 16  # GetShardIterator calls under way at once
# Between listings of idle streams: an account has 20 DescribeStreamSummary calls a second for all workers.
IDLE_LISTINGS_GAP_S = 0.5


def _monotonic() -> Callable[[], float]:
    if sys.platform == "linux":
        return partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    return time.monotonic


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
    queues: SharedQueues = field(default_factory=SharedQueues)
    """What the mappings of one queue share."""
    idle_listings: Spacing = field(default_factory=lambda: Spacing(IDLE_LISTINGS_GAP_S))
    """When idle streams are listed again, each at a moment of its own."""


class SystemClock:
    """The machine's clocks. Bare functions: every batch asks twenty times.

    Monotonic time goes on while the machine or the process is suspended, where the system has such a clock:
    a receipt ends in the meantime. Elsewhere it is Python's `time.monotonic()`.
    """

    monotonic = staticmethod(_monotonic())
    wall = staticmethod(time.time)
