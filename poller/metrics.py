"""Every metric, once: its name, type, help and labels.

`mapping` is what `status.short_name` makes, `source` is sqs, kinesis or dynamodb. No label holds a key, a
message group, a receipt or an identifier of a record; `shard` stands on one gauge, and can be switched off.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Prometheus's types, as far as they are used."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ("mapping", "source")


OF_MAPPING = ("mapping", "source")

# ----- AWS's EventCount metrics, see `mappings.limits` and MetricsConfig
POLLED = Metric("esm_polled_events_total", Kind.COUNTER, "Records read from the source (PolledEventCount).")
FILTERED_OUT = Metric(
    "esm_filtered_out_events_total", Kind.COUNTER, "Records no filter wanted (FilteredOutEventCount)."
)
INVOKED = Metric(
    "esm_invoked_events_total",
    Kind.COUNTER,
    "Records sent to the function, again at each try; not those of throttled attempts (InvokedEventCount).",
)
FAILED_INVOKE = Metric(
    "esm_failed_invoke_events_total",
    Kind.COUNTER,
    "Records the function failed on; of a partial response those it lists (FailedInvokeEventCount).",
)
DROPPED = Metric(
    "esm_dropped_events_total",
    Kind.COUNTER,
    "Records given up for age or retries and sent to no destination (DroppedEventCount).",
)
ON_FAILURE_DELIVERED = Metric(
    "esm_on_failure_delivered_events_total",
    Kind.COUNTER,
    "Records whose document reached the on-failure destination (OnFailureDestinationDeliveredEventCount).",
)
DELETED = Metric(
    "esm_deleted_events_total",
    Kind.COUNTER,
    "Messages deleted from the queue after success; filtered ones are not counted (DeletedEventCount).",
)

# ----- delivering
ITERATOR_AGE = Metric(
    "esm_iterator_age_seconds",
    Kind.GAUGE,
    "Age of the last record of the last batch when it was sent; 0 where the shard is read to its end.",
    (*OF_MAPPING, "shard"),
)
BEHIND_LATEST = Metric(
    "esm_behind_latest_seconds",
    Kind.GAUGE,
    "How far the last read lay behind the tip of its shard, as Kinesis says it (MillisBehindLatest).",
    (*OF_MAPPING, "shard"),
)
INVOCATIONS = Metric(
    "esm_invocations_total", Kind.COUNTER, "Deliveries by what came of them.", (*OF_MAPPING, "outcome")
)
INVOCATION_DURATION = Metric(
    "esm_invocation_duration_seconds", Kind.HISTOGRAM, "From sending an event to its answer."
)
BATCH_EVENTS = Metric("esm_batch_events", Kind.HISTOGRAM, "Records of a batch.")
BATCH_BYTES = Metric("esm_batch_bytes", Kind.HISTOGRAM, "Payload of a batch.")
BATCHES = Metric("esm_batches_total", Kind.COUNTER, "Batches by why they closed.", (*OF_MAPPING, "reason"))
EVENT_DELAY = Metric(
    "esm_event_delay_seconds", Kind.HISTOGRAM, "From a record's arrival at the source until it was settled."
)
INFLIGHT_INVOCATIONS = Metric("esm_inflight_invocations", Kind.GAUGE, "Invocations under way.")
CONCURRENCY_LIMIT = Metric(
    "esm_concurrency_limit", Kind.GAUGE, "Invocations this worker may have under way at once."
)
TARGET_READY = Metric(
    "esm_target_ready", Kind.GAUGE, "Whether the function could be reached when last tried."
)

# ----- reading
POLLERS = Metric("esm_pollers", Kind.GAUGE, "Pollers of the queue, or shards being read.")
BUFFERED_BYTES = Metric("esm_buffered_bytes", Kind.GAUGE, "Records read and not settled.")
SOURCE_REQUESTS = Metric(
    "esm_source_requests_total",
    Kind.COUNTER,
    "Requests to the source by operation and outcome.",
    (*OF_MAPPING, "operation", "outcome"),
)
SOURCE_REQUEST_DURATION = Metric(
    "esm_source_request_duration_seconds",
    Kind.HISTOGRAM,
    "Duration of requests to the source; a long poll takes as long as nothing comes.",
    (*OF_MAPPING, "operation"),
)
SHARDS = Metric(
    "esm_shards", Kind.GAUGE, "Shards of the stream as this worker sees them.", (*OF_MAPPING, "state")
)
LEASE_CHANGES = Metric(
    "esm_lease_changes_total", Kind.COUNTER, "Leases taken, released and lost.", (*OF_MAPPING, "reason")
)
CHECKPOINTS = Metric(
    "esm_checkpoints_total", Kind.COUNTER, "Checkpoint writes by outcome.", (*OF_MAPPING, "outcome")
)
RECEIPTS_EXPIRED = Metric(
    "esm_receipts_expired_total",
    Kind.COUNTER,
    "Messages that were handled but not deleted in time: they are delivered again.",
)

RELEASED = Metric(
    "esm_released_messages_total",
    Kind.COUNTER,
    "Messages that were received and given back unrun, which costs each of them a receive.",
)
LAPSED = Metric(
    "esm_lapsed_messages_total",
    Kind.COUNTER,
    "Messages that waited until others could have them, and were not run.",
)
WAITING = Metric(
    "esm_waiting_messages",
    Kind.GAUGE,
    "Messages that were received and wait for a batch, for a slot of the function, or after a refusal.",
)
WAITING_AGE = Metric(
    "esm_waiting_age_seconds",
    Kind.GAUGE,
    "Since the message was received that has waited longest; 0 where none waits.",
)

# ----- asynchronous events, by function: AWS's metrics of asynchronous invocation
OF_FUNCTION = ("function",)
ASYNC_EVENTS_RECEIVED = Metric(
    "esm_async_events_received_total",
    Kind.COUNTER,
    "Asynchronous events that were accepted (AsyncEventsReceived).",
    OF_FUNCTION,
)
ASYNC_EVENTS_DROPPED = Metric(
    "esm_async_events_dropped_total",
    Kind.COUNTER,
    "Asynchronous events that ended without success, sent to a destination or not (AsyncEventsDropped).",
    (*OF_FUNCTION, "reason"),
)
ASYNC_EVENT_AGE = Metric(
    "esm_async_event_age_seconds",
    Kind.HISTOGRAM,
    "From accepting an asynchronous event to each of its runs (AsyncEventAge).",
    OF_FUNCTION,
)
DEAD_LETTER_ERRORS = Metric(
    "esm_dead_letter_errors_total",
    Kind.COUNTER,
    "Dead letters that their queue or topic did not take, each time they were sent (DeadLetterErrors).",
    OF_FUNCTION,
)
DESTINATION_DELIVERY_FAILURES = Metric(
    "esm_destination_delivery_failures_total",
    Kind.COUNTER,
    "Records that a destination did not take, each time they were sent (DestinationDeliveryFailures).",
    OF_FUNCTION,
)

# ----- mapping and process
MAPPING_STATE = Metric(
    "esm_mapping_state", Kind.GAUGE, "1 for the State the mapping is in, else 0.", (*OF_MAPPING, "state")
)
BUILD_INFO = Metric("esm_build_info", Kind.GAUGE, "Always 1.", ("version",))
EVENT_LOOP_LAG = Metric(
    "esm_event_loop_lag_seconds", Kind.GAUGE, "Longest the event loop was late in the last minute.", ()
)
