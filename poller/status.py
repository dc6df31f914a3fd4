"""What can be seen of the mappings from outside, and whether the process is well."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mappings.arns import SourceKind
from mappings.model import EventSourceMapping
from mappings.states import State
from mappings.store import NO_RECORDS_PROCESSED, StoredMapping
from poller.core.scaling import scaling_rules
from poller.runner import Runner
from poller.telemetry import Meter

PROBLEMS_SHOWN = 20
# Longer than any wait that has no reason of its own: back-off ends at 60 s, a long poll at 30 s with its
# margin, and what takes more than 70 s (the function, a message group, memory) is a problem it shows.
SILENCE_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingView:
    """One mapping, looked at from outside."""

    mapping: EventSourceMapping
    state: State
    meter: Meter | None
    """None where the mapping does not run here."""
    kept_result: str = NO_RECORDS_PROCESSED
    """The last result that was stored of it."""
    file_problems: Sequence[str] = ()
    """What files say of it, and is not done."""

    @property
    def name(self) -> str:
        """The mapping as a metric's label."""
        return short_name(self.mapping)

    @property
    def source(self) -> SourceKind:
        """What kind of source it reads."""
        return self.mapping.event_source.kind

    @property
    def concurrency_limit(self) -> int:
        """Invocations it may have under way in this process at once."""
        if self.source is SourceKind.SQS:
            return scaling_rules(self.mapping).maximum
        return self.mapping.parallelization_factor * (self.meter.counts.pollers if self.meter else 0)


Look = Callable[[], Sequence[MappingView]]


def short_name(mapping: EventSourceMapping) -> str:
    """Source, function, and enough of the UUID to tell mappings apart that have both in common."""
    source, _, function = mapping.label.partition(" -> ")
    return f"{source}/{function}/{mapping.uuid[:8]}"


def views_of(
    stored: Iterable[StoredMapping],
    runners: Iterable[Runner],
    file_problems: Callable[[str], Sequence[str]] = lambda _: (),
) -> Sequence[MappingView]:
    """Look at mappings as they are stored, and at those that run here."""
    meters = {runner.mapping.uuid: runner.meter for runner in runners}
    return [
        MappingView(
            mapping=each.mapping,
            state=each.state,
            meter=meters.get(each.uuid),
            kept_result=each.last_processing_result,
            file_problems=file_problems(each.uuid),
        )
        for each in stored
    ]


def stands_still(view: MappingView, now: float) -> bool:
    """Whether a mapping should be reading, does nothing, and gives no reason (I8).

    Never the fault of AWS or of a function: a request has a time limit, and what fails is a reason.
    """
    meter = view.meter
    if meter is None or not meter.counts.pollers or meter.counts.invocations:
        return False
    if meter.problems or meter.last_processing_result.startswith("PROBLEM"):
        return False
    return now - meter.active_at > SILENCE_LIMIT_S


def oldest(views: Iterable[MappingView]) -> float:
    """The greatest iterator age of all shards, in one number for who scales on it; 0 where there is none."""
    return max((age for view in views for age in _ages(view)), default=0.0)


def status_document(views: Iterable[MappingView]) -> Sequence[Mapping[str, Any]]:
    """What the status page shows: names, states, numbers; nothing of any record."""
    return [_entry(view) for view in views]


def _entry(view: MappingView) -> Mapping[str, Any]:
    meter = view.meter
    entry: dict[str, Any] = {
        "uuid": view.mapping.uuid,
        "name": view.name,
        "source": view.mapping.event_source.arn,
        "function": view.mapping.function_arn,
        "state": view.state,
        "last_processing_result": meter.last_processing_result if meter else view.kept_result,
    }
    if meter is None and view.kept_result.startswith("PROBLEM"):
        entry["problems"] = [view.kept_result, *view.file_problems]
    if meter is not None:
        counts = meter.counts
        ages = _ages(view)
        waiting, waiting_age_s = meter.waiting()
        entry |= {
            "problems": [*view.file_problems, *meter.problems][:PROBLEMS_SHOWN],
            "iterator_age_s": round(max(ages), 3) if ages else None,
            "pollers": counts.pollers,
            "invocations_in_flight": counts.invocations,
            "records_in_flight": counts.in_flight,
            "messages_waiting": waiting,
            "waiting_age_s": round(waiting_age_s, 3),
            "polled": counts.polled,
            "filtered_out": counts.filtered_out,
            "invoked": counts.invoked,
            "failed": counts.failed,
            "dropped": counts.dropped,
            "done": counts.done,
        }
    return entry


def _ages(view: MappingView) -> Sequence[float]:
    if view.meter is None or view.source is SourceKind.SQS:
        return ()
    return tuple(view.meter.iterator_age_s.values())
