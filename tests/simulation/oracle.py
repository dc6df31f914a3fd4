"""Reads one history and says which invariants it breaks. It shares no decision with the code it judges."""

from collections.abc import Iterator, Sequence

from mappings.arns import SourceKind
from poller.rules import rules_for
from tests.fakes.faults import FaultKind
from tests.fakes.history import Ended, History, Quiet, Restarted
from tests.simulation.judging import Lives, Violation
from tests.simulation.queue_oracle import QueueOracle
from tests.simulation.scenario import Scenario
from tests.simulation.stream_oracle import StreamOracle

# What the supervisor of a mapping may meet: bugs we injected, and a state store that refuses.
_FORESEEN = ("RuntimeError: ", "StateUnavailable: ")
_EVENT_BYTES = 400  # no fake record is larger, but for what it is filled up with
_ROOMY_BYTES = 1024 * 1024


def judge(scenario: Scenario, history: History) -> Sequence[Violation]:
    """All violations, in the order in which they show."""
    return list(_judge(scenario, history))


def _judge(scenario: Scenario, history: History) -> Iterator[Violation]:
    lives = Lives()
    oracles: dict[str, QueueOracle | StreamOracle] = {
        plan.name: QueueOracle(plan, lives, roomy=_is_roomy(scenario))
        if plan.kind is SourceKind.SQS
        else StreamOracle(plan, lives, wall_is_right=not _wall_jumps(scenario), in_fleet=bool(scenario.fleet))
        for plan in scenario.mappings
    }
    for event in history.events:
        lives.see(event)
        match event:
            case Restarted(error=error) if not error.startswith(_FORESEEN) or not event.mapping:
                yield Violation("crashed", event.at, f"{event.mapping} {event.shard}: {error}")
            case Ended():
                yield from _ended(scenario, event)
            case Quiet(finished=False):
                yield Violation("stalled", event.at, "not everything was finished in time")
            case Quiet(problems=problems) if problems:
                yield Violation("problem that stays", event.at, "; ".join(problems))
        place = getattr(event, "place", None) or getattr(event, "mapping", None)
        for name, oracle in oracles.items():
            if place in (name, None):
                yield from oracle.see(event)
    for oracle in oracles.values():
        yield from oracle.end()


def _ended(scenario: Scenario, event: Ended) -> Iterator[Violation]:
    """A process ended by itself: drained in time, nothing still held, the budget kept (I9, I16)."""
    if event.in_time and event.left_bytes:
        yield Violation("bytes leaked", event.at, f"{event.process} still counts {event.left_bytes} bytes")
    if not event.in_time and _nothing_hinders(scenario):
        yield Violation("drain late", event.at, f"{event.process} was cut short without a fault")
    if event.peak_bytes > _bound(scenario):
        yield Violation("bytes over budget", event.at, f"{event.peak_bytes} > {_bound(scenario)}")


def _is_roomy(scenario: Scenario) -> bool:
    """Whether memory is no matter: messages are small, and no stream takes room for its pages."""
    return scenario.byte_budget >= _ROOMY_BYTES and all(
        plan.kind is SourceKind.SQS for plan in scenario.mappings
    )


def _nothing_hinders(scenario: Scenario) -> bool:
    lives = (*scenario.lives, *(life for place in scenario.fleet for life in place.lives))
    suspended = any(life.pauses for life in lives)
    return not scenario.faults and not suspended and scenario.drain_timeout_s >= 90.0


def _bound(scenario: Scenario) -> int:
    """The budget or one page, whichever is more, and messages: long polls keep no room for theirs."""
    queues = [plan for plan in scenario.mappings if plan.kind is SourceKind.SQS]
    streams = [plan for plan in scenario.mappings if plan.kind is not SourceKind.SQS]
    page = max((rules_for(plan.mapping, scenario.tempo).page_bytes for plan in streams), default=0)
    messages = 2 * sum((_EVENT_BYTES + plan.message_bytes) * len(plan.writes) for plan in queues)
    return max(scenario.byte_budget, page) + messages


def _wall_jumps(scenario: Scenario) -> bool:
    return any(fault.kind is FaultKind.WALL_JUMP for fault in scenario.faults)
