"""What a mapping means for the loop: how its source is read, how batches form, what a failure means."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mappings.arns import SourceKind
from mappings.model import EventSourceMapping, StartingPosition
from poller.core.backoff import Backoff
from poller.core.batching import BatchLimits
from poller.core.filtering import record_filter
from poller.core.listing import ListingPace
from poller.core.pacing import Pace
from poller.core.queue_flow import REQUEST_MESSAGES
from poller.core.records import Position, Record
from poller.core.recovery import Patience
from poller.core.retrying import QueueRetry, StreamRetry
from poller.core.timewindow import WindowState
from poller.core.windows import NoWindows, TumblingWindows, WindowRules, Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """Every wait of the loop. A profile chooses one; `settings.py` says why."""

    long_poll_s: float = 20.0
    # 5 reads and 2 MiB a second for each shard; base rate 1/s (semantics 3.3.1, 3.3.2).
    kinesis: Pace = Pace(busy_s=0.2, idle_s=1.0, bytes_per_s=2 * 1024 * 1024)
    dynamodb: Pace = Pace(busy_s=0.0, idle_s=0.25)  # base rate 4/s (semantics 4.4)
    # A queue waits by itself; the pause guards against a server that does not honour WaitTimeSeconds.
    queue: Pace = Pace(busy_s=0.0, idle_s=0.1)
    discovery_s: float = 60.0
    idle_listing_s: float = 5.0
    """Between listings of a stream that has nothing to read, where another may come to have its name."""
    load_sample_s: float = 1.0
    look_s: float = 1.0
    """Between two looks at what became of each mapping, which is kept for the API."""
    settle_patience_s: float = 60.0
    """A mapping that does not poll by then settles, with a LastProcessingResult that says why."""
    target_probe_s: float = 1.0
    window_grace_s: float = 5.0
    """How long after the end of a tumbling window its last records may still arrive (semantics 3.10.6)."""
    failure_backoff: Backoff = Backoff(0.5, 60.0)
    refusal_backoff: Backoff = Backoff(0.5, 30.0)
    patience: Patience = Patience()
    event_retry_base_s: float = 60.0
    """After the first error of an asynchronous event; after the second, twice that (semantics 6.4.1)."""
    event_refusal_backoff: Backoff = Backoff(1.0, 300.0)  # semantics 6.4.2


FAST = Tempo(
    long_poll_s=1.0,
    kinesis=Pace(busy_s=0.0, idle_s=0.05),
    dynamodb=Pace(busy_s=0.0, idle_s=0.05),
    queue=Pace(busy_s=0.0, idle_s=0.05),
    discovery_s=1.0,
    look_s=0.1,
    settle_patience_s=5.0,
    target_probe_s=0.1,
    window_grace_s=0.5,
    failure_backoff=Backoff(0.1, 1.0),
    refusal_backoff=Backoff(0.1, 1.0),
    patience=Patience(passing=Backoff(0.1, 1.0), lasting=Backoff(0.5, 1.0)),
    event_retry_base_s=0.2,
    event_refusal_backoff=Backoff(0.1, 1.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRules:
    """How a queue is polled."""

    page_limit: int
    """Most messages one receive may ask for."""
    long_poll_s: float
    pace: Pace
    patience: Patience
    batch_limits: BatchLimits
    retry: QueueRetry
    fifo: bool
    """Whether messages have an order within their groups."""
    passes: Callable[[Record], bool] | None
    """Whether a message matches the mapping's filters; None without filters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How one shard of a stream is read and delivered."""

    lanes: int
    page_limit: int
    """Most records one read may ask for."""
    page_bytes: int
    """Bytes to keep free for the page that is being read."""
    open_bytes: int
    """Bytes of unresolved records of one shard beyond which it is not read."""
    pace: Pace
    patience: Patience
    batch_limits: BatchLimits
    retry: Callable[[str], StreamRetry]
    """The retry policy for a scope (mapping and shard)."""
    windows: Callable[[str, str, WindowState | None], Windows]
    """The tumbling windows of a shard: its id, its scope, and what was stored of them."""
    listing: ListingPace
    """When the shards are listed again."""
    passes: Callable[[Record], bool] | None = None
    """Whether a record matches the mapping's filters; None without filters."""


# Most records per read: GetRecords 10,000 (Kinesis) and 1,000 (DynamoDB Streams).
_PAGE_LIMITS = {SourceKind.KINESIS: 10_000, SourceKind.DYNAMODB: 1_000}
# Largest page: 10 MiB and 1 MB, a third more as base64.
_PAGE_BYTES = {SourceKind.KINESIS: 14 * 1024 * 1024, SourceKind.DYNAMODB: 1_400_000}
# A quarter of the default byte budget: one shard that is stuck leaves the rest to the others.
_OPEN_BYTES = 16 * 1024 * 1024
# A consumer's records are pushed: reading is waiting, and a pause only keeps from asking again at once.
_PUSHED = Pace(busy_s=0.0, idle_s=0.2)


def queue_rules_for(mapping: EventSourceMapping, tempo: Tempo) -> QueueRules:
    """Derive how a queue is polled from its mapping."""
    return QueueRules(
        page_limit=REQUEST_MESSAGES,
        long_poll_s=tempo.long_poll_s,
        pace=tempo.queue,
        patience=tempo.patience,
        batch_limits=_batch_limits(mapping),
        retry=QueueRetry(
            report_batch_item_failures=mapping.report_batch_item_failures,
            refusal_backoff=tempo.refusal_backoff,
        ),
        fifo=mapping.event_source.fifo,
        passes=record_filter(SourceKind.SQS, mapping.filter_patterns),
    )


def rules_for(mapping: EventSourceMapping, tempo: Tempo) -> Rules:
    """Derive how a stream is read and delivered from its mapping."""
    kind = mapping.event_source.kind
    pushed = mapping.event_source.consumer_arn is not None
    return Rules(
        lanes=mapping.parallelization_factor or 1,
        page_limit=_PAGE_LIMITS[kind],
        page_bytes=0 if pushed else _PAGE_BYTES[kind],
        open_bytes=_OPEN_BYTES,
        pace=_PUSHED if pushed else _pace(kind, tempo),
        patience=tempo.patience,
        listing=ListingPace(
            discovery_s=tempo.discovery_s,
            # The ARN of a table's stream holds the time it was made, so that no other has it.
            idle_s=tempo.idle_listing_s if kind is SourceKind.KINESIS else None,
        ),
        batch_limits=_batch_limits(mapping),
        passes=record_filter(kind, mapping.filter_patterns),
        windows=partial(_windows, mapping, tempo),
        retry=partial(_stream_retry, mapping, tempo),
    )


def _batch_limits(mapping: EventSourceMapping) -> BatchLimits:
    return BatchLimits(size=mapping.batch_size, window_s=float(mapping.maximum_batching_window_in_seconds))


def _pace(kind: SourceKind, tempo: Tempo) -> Pace:
    return tempo.kinesis if kind is SourceKind.KINESIS else tempo.dynamodb


def starting_position(mapping: EventSourceMapping, now: float) -> Position:
    """Where a shard without checkpoint starts.

    Args:
        mapping: A stream mapping.
        now: Epoch seconds; LATEST is pinned to it.
    """
    match mapping.starting_position:
        case StartingPosition.LATEST:
            return Position.latest(now)
        case StartingPosition.AT_TIMESTAMP if mapping.starting_position_timestamp is not None:
            return Position.at_timestamp(mapping.starting_position_timestamp)
        case _:
            return Position.trim_horizon()


def _windows(
    mapping: EventSourceMapping, tempo: Tempo, shard: str, scope: str, stored: WindowState | None
) -> Windows:
    size_s = mapping.tumbling_window_in_seconds
    if size_s == 0:
        return NoWindows(scope)
    rules = WindowRules(
        size_s=size_s,
        grace_s=tempo.window_grace_s,
        shard=shard,
        source_arn=mapping.event_source.arn,
        scope=scope,
    )
    return TumblingWindows(rules, stored)


def _stream_retry(mapping: EventSourceMapping, tempo: Tempo, scope: str) -> StreamRetry:
    return StreamRetry(
        report_batch_item_failures=mapping.report_batch_item_failures,
        bisect=mapping.bisect_batch_on_function_error,
        maximum_retry_attempts=mapping.maximum_retry_attempts,
        maximum_record_age_s=mapping.maximum_record_age_in_seconds,
        scope=scope,
        failure_backoff=tempo.failure_backoff,
        refusal_backoff=tempo.refusal_backoff,
    )
