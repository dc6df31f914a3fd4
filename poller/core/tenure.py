"""How long anything in a fleet may last: every timer derives from the length of a lease."""

from dataclasses import dataclass

LEASE_S = 10.0
CLOCK_RATE = 1.5  # how much faster the clock of one worker may run than that of another


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """The timers of one worker. The inequalities that make the protocol safe are asserted when it is made."""

    lease_s: float = LEASE_S

    def __post_init__(self) -> None:
        """Raise ValueError where a worker could act on a lease that another may take."""
        if self.lease_s <= 0:
            raise ValueError("a lease has a length")
        inequalities = {
            "two heartbeats fit before the fence": self.beat_s + 2 * self.reply_s <= self.fence_s,
            "the fence closes before anybody takes over, whatever the clocks": (
                self.fence_s * CLOCK_RATE <= self.lease_s < self.takeover_s
            ),
            "a crash is taken over within one and a half leases": (
                self.takeover_s + 3 * self.watch_s <= 1.5 * self.lease_s
            ),
            "a new worker waits until everybody has seen it": self.growth_s >= 2 * self.watch_s,
        }
        broken = [text for text, holds in inequalities.items() if not holds]
        if broken:
            raise ValueError("; ".join(broken))

    @property
    def beat_s(self) -> float:
        """Between heartbeats."""
        return self.lease_s / 3

    @property
    def reply_s(self) -> float:
        """How long a heartbeat may take before it is sent again."""
        return self.lease_s / 6

    @property
    def fence_s(self) -> float:
        """How long after the sending of its last heartbeat that was answered a worker may act."""
        return self.lease_s * 2 / 3

    @property
    def takeover_s(self) -> float:
        """How long others watch a heartbeat stand still before they take the worker for dead."""
        return self.lease_s * 1.1

    @property
    def watch_s(self) -> float:
        """Between looks at the members, and at leases while something is about to change hands."""
        return self.lease_s / 20

    @property
    def keep_s(self) -> float:
        """How long a lease that was given up is kept for its claimant, and a request waits for its owner."""
        return self.lease_s

    @property
    def growth_s(self) -> float:
        """How long a worker waits before it takes a larger share of a queue: others give theirs up first."""
        return self.lease_s / 4

    @property
    def burial_s(self) -> float:
        """How long it is remembered that a member is dead."""
        return self.lease_s * 30


def may_act(*, now: float, beaten_at: float | None, tenure: Tenure) -> bool:
    """Whether a worker may dispatch and checkpoint.

    Args:
        now: Its monotonic clock.
        beaten_at: What that clock said before the last heartbeat that was answered was sent.
        tenure: Its timers.
    """
    return beaten_at is not None and now < beaten_at + tenure.fence_s
