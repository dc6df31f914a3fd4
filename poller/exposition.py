"""Turns what the meters have counted into metrics, at the moment they are asked for."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from mappings.arns import SourceKind
from mappings.states import State
from poller import metrics
from poller.counts import Counts, Histogram
from poller.invoking.event_meter import EventCounts
from poller.metrics import Kind, Metric
from poller.status import Look, MappingView
from poller.telemetry import Meter

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
Value = TypeVar("Value")
# Of more shards than these only the oldest age is exported, whatever the setting says (faults 132).
SHARDS_LIMIT = 1000
ALL = frozenset(SourceKind)
QUEUE = frozenset({SourceKind.SQS})
STREAM = ALL - QUEUE


def _shards(counts: Counts) -> Mapping[str, int]:
    return {"owned": counts.pollers, "waiting_parent": counts.shards_waiting, "ended": counts.shards_ended}


_NUMBERS: Sequence[tuple[Metric, frozenset[SourceKind], Callable[[Counts], float]]] = (
    (metrics.POLLED, ALL, lambda c: c.polled),
    (metrics.FILTERED_OUT, ALL, lambda c: c.filtered_out),
    (metrics.INVOKED, ALL, lambda c: c.invoked),
    (metrics.FAILED_INVOKE, ALL, lambda c: c.failed),
    (metrics.DROPPED, STREAM, lambda c: c.dropped),
    (metrics.ON_FAILURE_DELIVERED, STREAM, lambda c: c.on_failure_delivered),
    (metrics.DELETED, QUEUE, lambda c: c.deleted),
    (metrics.RECEIPTS_EXPIRED, QUEUE, lambda c: c.receipts_expired),
    (metrics.RELEASED, QUEUE, lambda c: c.released),
    (metrics.LAPSED, QUEUE, lambda c: c.lapsed),
    (metrics.INFLIGHT_INVOCATIONS, ALL, lambda c: c.invocations),
    (metrics.BUFFERED_BYTES, ALL, lambda c: c.buffered_bytes),
    (metrics.POLLERS, ALL, lambda c: c.pollers),
)
_BY_KIND: Sequence[tuple[Metric, frozenset[SourceKind], Callable[[Counts], Mapping[str, int]]]] = (
    (metrics.INVOCATIONS, ALL, lambda c: c.outcomes),
    (metrics.BATCHES, ALL, lambda c: c.reasons),
    (metrics.LEASE_CHANGES, STREAM, lambda c: c.lease_changes),
    (metrics.CHECKPOINTS, STREAM, lambda c: c.checkpoints),
    (metrics.SHARDS, STREAM, _shards),
)
_HISTOGRAMS: Sequence[tuple[Metric, Callable[[Counts], Histogram]]] = (
    (metrics.INVOCATION_DURATION, lambda c: c.invocation_s),
    (metrics.BATCH_EVENTS, lambda c: c.batch_events),
    (metrics.BATCH_BYTES, lambda c: c.batch_bytes),
    (metrics.EVENT_DELAY, lambda c: c.delay_s),
)

_EVENT_NUMBERS: Sequence[tuple[Metric, Callable[[EventCounts], float]]] = (
    (metrics.ASYNC_EVENTS_RECEIVED, lambda c: c.received),
    (metrics.DEAD_LETTER_ERRORS, lambda c: c.dead_letter_errors),
    (metrics.DESTINATION_DELIVERY_FAILURES, lambda c: c.delivery_failures),
)


class Exposition:
    """The metrics of this process, in a registry of their own."""

    def __init__(
        self,
        look: Look,
        events: Callable[[], Mapping[str, EventCounts]],
        *,
        lag_s: Callable[[], float],
        version: str,
        shards: bool,
    ) -> None:
        """Make it.

        Args:
            look: The mappings as they are when asked.
            events: What was counted of asynchronous events, by function.
            lag_s: How late the event loop was.
            version: Of this program.
            shards: Whether shards are told apart.
        """
        self._registry = CollectorRegistry()
        self._registry.register(_Mappings(look, shards=shards))
        self._registry.register(_Events(events))
        self._registry.register(_Process(lag_s, version))
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def render(self, accept: str) -> tuple[bytes, str]:
        """All metrics in a format the scraper accepts, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class _Process(Collector):
    """What there is once."""

    def __init__(self, lag_s: Callable[[], float], version: str) -> None:
        self._lag_s = lag_s
        self._version = version

    def collect(self) -> Iterator[Family]:
        yield _family(metrics.BUILD_INFO, [((self._version,), 1)])
        yield _family(metrics.EVENT_LOOP_LAG, [((), self._lag_s())])


class _Events(Collector):
    """What there is for each function that is invoked asynchronously."""

    def __init__(self, counts: Callable[[], Mapping[str, EventCounts]]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Family]:
        counts = self._counts()
        for metric, number in _EVENT_NUMBERS:
            yield _family(metric, [((function,), number(of)) for function, of in counts.items()])
        yield _family(
            metrics.ASYNC_EVENTS_DROPPED,
            [
                ((function, reason), number)
                for function, of in counts.items()
                for reason, number in of.dropped.items()
            ],
        )
        yield _histogram(
            metrics.ASYNC_EVENT_AGE, [((function,), of.age_s) for function, of in counts.items()]
        )


class _Mappings(Collector):
    """What there is for each mapping."""

    def __init__(self, look: Look, *, shards: bool) -> None:
        self._look = look
        self._shards = shards

    def describe(self) -> Iterable[Family]:
        """Nothing before the first scrape: the mappings may not be there yet."""
        return ()

    def collect(self) -> Iterator[Family]:
        views = self._look()
        running = [(view, view.meter) for view in views if view.meter is not None]
        for metric, kinds, number in _NUMBERS:
            found = _of(running, kinds)
            yield _family(metric, [(_labels(view), number(meter.counts)) for view, meter in found])
        for metric, kinds, tallies in _BY_KIND:
            yield _family(metric, _split(_of(running, kinds), tallies))
        for metric, histogram in _HISTOGRAMS:
            yield _histogram(metric, [(_labels(view), histogram(meter.counts)) for view, meter in running])
        yield from _requests(running)
        waiting = [(_labels(view), meter.waiting()) for view, meter in _of(running, QUEUE)]
        yield _family(metrics.WAITING, [(labels, count) for labels, (count, _) in waiting])
        yield _family(metrics.WAITING_AGE, [(labels, age_s) for labels, (_, age_s) in waiting])
        streams = _of(running, STREAM)
        yield _family(metrics.ITERATOR_AGE, self._by_shard(streams, lambda meter: meter.iterator_age_s))
        yield _family(metrics.BEHIND_LATEST, self._by_shard(streams, lambda meter: meter.behind_s))
        yield _family(metrics.CONCURRENCY_LIMIT, [(_labels(v), v.concurrency_limit) for v, _ in running])
        yield _family(metrics.TARGET_READY, [(_labels(v), int(meter.target_ready)) for v, meter in running])
        yield _family(
            metrics.MAPPING_STATE,
            [((*_labels(view), state), int(view.state is state)) for view in views for state in State],
        )

    def _by_shard(
        self, running: Iterable["_Running"], of: Callable[[Meter], Mapping[str, float]]
    ) -> Iterator["_Sample"]:
        """A value of each shard; the largest alone where shards are left out, or too many."""
        for view, meter in running:
            values = of(meter)
            if self._shards and len(values) <= SHARDS_LIMIT:
                yield from [((*_labels(view), shard), value) for shard, value in values.items()]
            elif values:
                yield (*_labels(view), ""), max(values.values())


_Running = tuple[MappingView, Meter]
_Sample = tuple[tuple[str, ...], float]


def _of(running: Sequence[_Running], kinds: frozenset[SourceKind]) -> Sequence[_Running]:
    return [(view, meter) for view, meter in running if view.source in kinds]


def _labels(view: MappingView) -> tuple[str, str]:
    return view.name, view.source.value


def _split(running: Iterable[_Running], tallies: Callable[[Counts], Mapping[str, int]]) -> Iterator[_Sample]:
    for view, meter in running:
        yield from [((*_labels(view), kind), count) for kind, count in tallies(meter.counts).items()]


def _requests(running: Iterable[_Running]) -> Iterator[Family]:
    yield _family(
        metrics.SOURCE_REQUESTS,
        [
            ((*_labels(view), *kind), count)
            for view, meter in running
            for kind, count in meter.counts.requests.items()
        ],
    )
    yield _histogram(
        metrics.SOURCE_REQUEST_DURATION,
        [
            ((*_labels(view), operation), histogram)
            for view, meter in running
            for operation, histogram in meter.counts.request_s.items()
        ],
    )


def _family(metric: Metric, samples: Iterable[_Sample]) -> Family:
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, samples: Iterable[tuple[tuple[str, ...], Histogram]]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, histogram in samples:
        family.add_metric(labels, buckets=histogram.buckets, sum_value=histogram.sum)
    return family
