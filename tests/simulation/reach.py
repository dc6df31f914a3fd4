"""Counts which fault met the poller in which phase of its life: what was never met was never tested."""

from collections import Counter
from collections.abc import Iterable

from tests.fakes.faults import FaultKind
from tests.fakes.history import Died, DrainBegun, Ended, Event, Healed, Ready, Started, Struck

PHASES = ("starting", "running", "recovering", "draining")
"""Before a first process polls; while it polls; before a later process polls; while one drains."""
_DOWN = "down"

Reach = Counter[tuple[str, str]]


def reached(events: Iterable[Event]) -> Reach:
    """How often each fault kind (and `kill`) met each phase."""
    counts: Reach = Counter()
    phase = _DOWN
    fallen = False
    for event in events:
        match event:
            case Started():
                phase = "recovering" if fallen else "starting"
            case Ready():
                phase = "running"
            case DrainBegun():
                phase = "draining"
            case Died():
                counts["kill", phase] += 1
                phase, fallen = _DOWN, True
            case Ended():
                phase, fallen = _DOWN, True
            case Struck():
                counts[event.kind, phase] += 1
            case Healed():
                break
    return counts


def unreached(reach: Reach) -> list[tuple[str, str]]:
    """Pairs of fault and phase that were never met, but for those that cannot meet."""
    kinds = [kind.value for kind in FaultKind] + ["kill"]
    return [(kind, phase) for kind in kinds for phase in PHASES if not reach[kind, phase]]


def table(reach: Reach) -> str:
    """For people."""
    kinds = sorted({kind for kind, _ in reach})
    head = f"{'fault':24}" + "".join(f"{phase:>12}" for phase in (*PHASES, _DOWN))
    rows = [
        f"{kind:24}" + "".join(f"{reach[kind, phase]:12}" for phase in (*PHASES, _DOWN)) for kind in kinds
    ]
    return "\n".join([head, *rows])
