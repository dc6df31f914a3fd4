"""What all oracles share: a violation, and the lives of the processes."""

from typing import NamedTuple

from tests.fakes.history import Died, DrainBegun, Ended, Event, Started


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
