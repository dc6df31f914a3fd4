"""When a stream is listed again."""

from dataclasses import dataclass

CONFIRM_S = 1.0  # between listings while one has to be confirmed
DOUBT_S = 5.0  # between listings while the stream is in doubt and cannot be listed


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingPace:
    """Seconds between the listings of one stream, by what is known of it."""

    discovery_s: float
    """While nothing asks for one."""
    idle_s: float | None = None
    """While a shard has nothing to read: another stream may have its name. None: no other ever can."""

    def interval_s(self, *, ended: bool, unsure: bool, doubted: bool, failed: bool) -> float:
        """Least time from the last listing to the next, whether or not shards are idle.

        Args:
            ended: A shard came to its end: it may have children.
            unsure: What was listed has to be confirmed.
            doubted: Reading a shard failed: it, or the stream, may be gone, or be another one.
            failed: The last listing failed.
        """
        if ended:
            return 0.0
        doubt_s = DOUBT_S if failed else CONFIRM_S
        intervals = [self.discovery_s, *([CONFIRM_S] if unsure else []), *([doubt_s] if doubted else [])]
        return min(intervals)


class Spacing:
    """Spreads requests that are alike over time: each gets a moment of its own."""

    def __init__(self, gap_s: float) -> None:
        """Make it; `gap_s` lies between two moments."""
        self._gap_s = gap_s
        self._free_at = float("-inf")

    def reserve(self, at: float) -> float:
        """The first free moment from `at` on; it is free no longer."""
        moment = max(at, self._free_at)
        self._free_at = moment + self._gap_s
        return moment
