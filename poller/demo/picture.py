"""What is shown while the demo runs: one reading of the poller's meters, with the rates between readings."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from mappings.arns import SourceKind
from poller.demo.ledger import Account
from poller.runner import Runner

# Over this many seconds a rate is taken: shorter, and it jumps with each batch.
RATE_WINDOW_S = 3.0

_SOURCES = {
    SourceKind.SQS: "SQS queue",
    SourceKind.KINESIS: "Kinesis stream",
    SourceKind.DYNAMODB: "DynamoDB stream",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One mapping."""

    mapping: str
    source: str
    received: int
    in_flight: int
    done: int
    batches: int
    average_batch: float
    records_per_s: float
    iterator_age_s: float | None
    """Of the shard that is furthest behind; None before the first batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All mappings at one moment."""

    elapsed_s: float
    phase: str
    rows: Sequence[Row]
    planned: int
    produced: int
    seen: int


class Rate:
    """How fast a total grows."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque()

    def read(self, total: int, *, now: float) -> float:
        """Add a reading; the growth per second over the window."""
        readings = self._readings
        readings.append((now, total))
        while now - readings[0][0] > RATE_WINDOW_S:
            readings.popleft()
        begun, before = readings[0]
        return (total - before) / (now - begun) if now > begun else 0.0


class Camera:
    """Takes pictures of the same runners."""

    def __init__(self, *, planned: int) -> None:
        self._planned = planned
        self._rates: dict[str, Rate] = {}

    def take(
        self, runners: Sequence[Runner], *, accounts: Sequence[Account], phase: str, elapsed_s: float
    ) -> Picture:
        """Read all meters now."""
        return Picture(
            elapsed_s=elapsed_s,
            phase=phase,
            rows=[self._row(runner, elapsed_s) for runner in runners],
            planned=self._planned,
            produced=sum(len(account.produced) for account in accounts),
            seen=sum(len(account.produced) - len(account.missing) for account in accounts),
        )

    def _row(self, runner: Runner, now: float) -> Row:
        counts = runner.meter.counts
        rate = self._rates.setdefault(runner.mapping.uuid, Rate())
        return Row(
            mapping=runner.mapping.label,
            source=_SOURCES[runner.mapping.event_source.kind],
            received=counts.polled,
            in_flight=counts.in_flight,
            done=counts.done,
            batches=counts.batches,
            average_batch=counts.average_batch,
            records_per_s=rate.read(counts.done, now=now),
            iterator_age_s=max(runner.meter.iterator_age_s.values(), default=None),
        )
