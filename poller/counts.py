"""What is counted of one mapping: plain numbers, counted for every record and read once a scrape."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Key = TypeVar("Key")

# OTel's buckets for function durations, and up to what a function may take: 15, 30 or 90 minutes.
DURATION_S = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 5400.0),
)
# From a local emulator's answer to a long poll's.
REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# A record may wait in its source for as long as that keeps it: 24 hours and more.
DELAY_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0)
BATCH_EVENTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0)
BATCH_BYTES = tuple(float(kib * 1024) for kib in (1, 4, 16, 64, 256, 1024, 2048, 4096, 6144))

# Known label values are exported from the start: an increase from nothing is none to Prometheus.
OUTCOMES = (
    "ok",
    "partial",
    "function_error",
    "timeout",
    "throttled",
    "unreachable",
    "lost_reply",
    "too_large",
)
CHECKPOINTS = ("ok", "failed")
LEASE_CHANGES = ("taken", "released", "lost")


class Histogram:
    """Observations by bucket. Cumulative only when it is read."""

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.sum = 0.0
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def observe_all(self, values: Sequence[float]) -> None:
        """Count many values; those of one batch mostly lie in one bucket."""
        counts, bounds = self._counts, self._bounds
        lowest, highest = bisect_left(bounds, min(values)), bisect_left(bounds, max(values))
        if lowest == highest:
            counts[lowest] += len(values)
        else:
            for value in values:
                counts[bisect_left(bounds, value)] += 1
        self.sum += sum(values)

    @property
    def buckets(self) -> Sequence[tuple[str, int]]:
        """Upper bound and number of values up to it, the last one of all."""
        total = 0
        buckets = []
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((str(bound), total))
        return buckets


@dataclass(slots=True, kw_only=True)
class Counts:
    """Totals of one mapping since the process started; the first group mirrors AWS's EventCount metrics."""

    polled: int = 0
    filtered_out: int = 0
    invoked: int = 0
    failed: int = 0
    dropped: int = 0
    on_failure_delivered: int = 0
    deleted: int = 0
    """Messages the queue has deleted after their function succeeded; not those that no filter wanted."""

    reads: int = 0
    asked: int = 0
    done: int = 0
    batches: int = 0
    batch_records: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    reasons: dict[str, int] = field(default_factory=dict)
    """Batches by why they closed."""
    checkpoints: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHECKPOINTS, 0))
    lease_changes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEASE_CHANGES, 0))
    requests: dict[tuple[str, str], int] = field(default_factory=dict)
    """Requests to the source by operation and outcome."""
    receipts_expired: int = 0
    released: int = 0
    """Messages that were received and given back unrun."""
    lapsed: int = 0
    """Messages that waited until others could have them, and were not run."""

    in_flight: int = 0
    """Records that were read and are not resolved."""
    invocations: int = 0
    """Invocations under way now."""
    buffered_bytes: int = 0
    pollers: int = 0
    """Queues and shards being read now; a queue counts once for each of its pollers."""
    shards_waiting: int = 0
    shards_ended: int = 0

    invocation_s: Histogram = field(default_factory=lambda: Histogram(DURATION_S))
    request_s: dict[str, Histogram] = field(default_factory=dict)
    """By operation."""
    delay_s: Histogram = field(default_factory=lambda: Histogram(DELAY_S))
    batch_events: Histogram = field(default_factory=lambda: Histogram(BATCH_EVENTS))
    batch_bytes: Histogram = field(default_factory=lambda: Histogram(BATCH_BYTES))

    @property
    def average_batch(self) -> float:
        """Records per invocation."""
        return self.batch_records / self.batches if self.batches else 0.0


def count_request(counts: Counts, operation: str, outcome: str, duration_s: float) -> None:
    """Count a request to the source."""
    tally(counts.requests, (operation, outcome))
    durations = counts.request_s.get(operation)
    if durations is None:
        durations = counts.request_s[operation] = Histogram(REQUEST_S)
    durations.observe(duration_s)


def tally(counts: dict[Key, int], key: Key) -> None:
    """Count one of a kind."""
    counts[key] = counts.get(key, 0) + 1
