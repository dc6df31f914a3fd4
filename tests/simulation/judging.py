"""What all oracles share: a violation, and the lives of the processes."""

from typing import NamedTuple

from tests.fakes.history import Died, DrainBegun, Ended, Event, Started

INVARIANTS = {
    "lost": "I1",
    "unfinished": "I1",
    "dropped without a report": "I1",
    "unexpected": "I1",
    "early-acked": "I2",
    "given up untold": "I2",
    "reordered": "I3",
    "group order when a receive is split": "I3",
    "two in flight": "I4",
    "too many in flight": "I4",
    "acted without the lease": "I4",
    "stale write accepted": "I5",
    "checkpoint moved back": "I5",
    "duplicated": "I6",
    "late": "I6",
    "started late": "I6",
    "two runs of one message overlap though nothing was injected": "I6",
    "released after it ran": "I6",
    "attempts exceeded": "I7",
    "discarded early": "I7",
    "too old": "I7",
    "a receive was spent without a run": "I7",
    "dead-lettered without a started invocation": "I7",
    "received while the function takes nothing": "I7",
    "held behind somebody else's delete": "I8",
    "recovered without a success": "I8",
    "stalled": "I8",
    "problem that stays": "I8",
    "crashed": "I8",
    "Deadlock": "I8",
    "HotLoop": "I8",
    "bytes over budget": "I9",
    "bytes leaked": "I9",
    "child before parent": "I11",
    "wrong incarnation": "I12",
    "drain late": "I16",
    "not released": "I16",
    "a drain spent more than one receive": "I16",
}
"""Which invariant a violation breaks (faults.md section 0).

Not judged: I10 beyond correctness (virtual time gives no figures), I13 (there is no control plane yet) and
I14 (a simulation logs nothing). I15 shows as any of these when the poller's wall clock jumps.
"""


class Violation(NamedTuple):
    """An invariant that was broken."""

    kind: str
    at: float
    text: str

    def __str__(self) -> str:
        return f"{self.kind} at t={self.at:.3f}: {self.text}"


class Lives:
    """Which processes there were, and how each ended."""

    def __init__(self) -> None:
        self.killed: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.cut_short: set[str] = set()
        self.draining: set[str] = set()
        self.first_start = 0.0

    def see(self, event: Event) -> None:
        """Something has happened."""
        match event:
            case Started():
                self.first_start = min(self.first_start, event.at)
            case Died():
                self.killed[event.process] = event.at
            case DrainBegun():
                self.draining.add(event.process)
            case Ended():
                self.ended[event.process] = event.at
                if not event.in_time:
                    self.cut_short.add(event.process)

    def unclean(self, process: str) -> bool:
        """Whether a process ended without settling what it had done."""
        return process in self.killed or process in self.cut_short
