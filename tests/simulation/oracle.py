"""Reads one history and says which invariants it breaks. It shares no decision with the code it judges."""

from collections.abc import Iterator, Sequence

from mappings.arns import SourceKind
from tests.fakes.faults import FaultKind
from tests.fakes.history import Ended, History, Quiet, Read, Restarted
from tests.simulation.judging import Lives, Violation
from tests.simulation.queue_oracle import QueueOracle
from tests.simulation.scenario import Scenario
from tests.simulation.stream_oracle import StreamOracle

# What the supervisor of a mapping may meet: bugs we injected, and a state store that refuses.
_FORESEEN = ("RuntimeError: ", "StateUnavailable: ")
_EVENT_BYTES = 400  # no fake record is larger


def judge(scenario: Scenario, history: History) -> Sequence[Violation]:
    """All violations, in the order in which they show."""
    return list(_judge(scenario, history))


def _judge(scenario: Scenario, history: History) -> Iterator[Violation]:
    lives = Lives()
    oracles: dict[str, QueueOracle | StreamOracle] = {
        plan.name: QueueOracle(plan, lives)
        if plan.kind is SourceKind.SQS
        else StreamOracle(plan, lives, wall_is_right=not _wall_jumps(scenario))
        for plan in scenario.mappings
    }
    for event in history.events:
        lives.see(event)
        match event:
            case Restarted(error=error) if not error.startswith(_FORESEEN) or not event.mapping:
                yield Violation("crashed", event.at, f"{event.mapping} {event.shard}: {error}")
            case Ended():
                yield from _ended(scenario, event, history)
            case Quiet(finished=False):
                yield Violation("stalled", event.at, "not everything was finished in time")
        place = getattr(event, "place", None) or getattr(event, "mapping", None)
        if place in oracles:
            yield from oracles[place].see(event)
    for oracle in oracles.values():
        yield from oracle.end()


def _ended(scenario: Scenario, event: Ended, history: History) -> Iterator[Violation]:
    """A process ended by itself: drained in time, nothing still held, the budget kept (I9, I16)."""
    if event.in_time and event.left_bytes:
        yield Violation("bytes leaked", event.at, f"{event.process} still counts {event.left_bytes} bytes")
    if not event.in_time and _nothing_hinders(scenario):
        yield Violation("drain late", event.at, f"{event.process} was cut short without a fault")
    allowance = _pages(scenario, history)
    if event.peak_bytes > scenario.byte_budget + allowance:
        yield Violation(
            "bytes over budget", event.at, f"{event.peak_bytes} > {scenario.byte_budget} + {allowance}"
        )


def _nothing_hinders(scenario: Scenario) -> bool:
    return not scenario.faults and scenario.drain_timeout_s >= 90.0


def _pages(scenario: Scenario, history: History) -> int:
    """What may be read beyond the budget: one page for every reader that had begun to read below it."""
    queues = sum(1 for plan in scenario.mappings if plan.kind is SourceKind.SQS)
    pages: dict[tuple[str, str], int] = {}
    for event in history.events:
        if isinstance(event, Read):
            key = (event.place, event.shard)
            pages[key] = max(pages.get(key, 0), len(event.records))
    return _EVENT_BYTES * (sum(pages.values()) + queues * 50)


def _wall_jumps(scenario: Scenario) -> bool:
    return any(fault.kind is FaultKind.WALL_JUMP for fault in scenario.faults)


