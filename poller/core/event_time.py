"""Times of asynchronous events: each span of an age is measured on one clock.

No two processes share a clock that is known to be right. So a span is certain where one process measured all
of it, or where both of its ends are readings of the store's clock. Any other span is doubted: it counts only
after one more attempt.
"""

from dataclasses import dataclass, field

STORE = "store"
"""The first part of the name of a clock that was set by the store's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A reading of an event clock."""

    at: float
    """Epoch seconds, by a clock that never steps while its process runs."""
    clock: str
    """Name of that clock: `store/...` or `wall/...`, different for each process."""
    wall: float = field(default=0.0, compare=False)
    """Epoch seconds to be shown to people; may step."""

    @property
    def by_store(self) -> bool:
        """Whether the clock was set by the store's."""
        return self.clock.startswith(f"{STORE}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How old an event is, as of a moment."""

    certain_s: float = 0.0
    doubted_s: float = 0.0
    """Spans that no single clock has measured."""
    until: Moment

    def to(self, now: Moment) -> "Age":
        """Return the age as of a later moment. A clock that went back adds nothing."""
        span_s = max(now.at - self.until.at, 0.0)
        certain = now.clock == self.until.clock or (now.by_store and self.until.by_store)
        return Age(
            certain_s=self.certain_s + (span_s if certain else 0.0),
            doubted_s=self.doubted_s + (0.0 if certain else span_s),
            until=now,
        )

    def confirmed(self) -> "Age":
        """Return the age with nothing doubted."""
        return Age(certain_s=self.certain_s + self.doubted_s, until=self.until)


def due_here(due_at: float, wait_s: float, now: float) -> float:
    """Return when an event is due by this process's clock.

    Args:
        due_at: By the clock of whoever wrote the event.
        wait_s: How long it had to wait when it was written; it never waits longer than that.
        now: By this process's clock.
    """
    return min(due_at, now + wait_s)
