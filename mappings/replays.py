"""Which signatures were used already, so that a request that was overheard does nothing a second time."""

import heapq

# Four callers that write 100 times a second, for the five minutes that a signature lives; about 25 MB.
MOST_SIGNATURES = 131_072


class UsedSignatures:
    """Remembers each signature until it is too old to be accepted anyway. Nothing is forgotten earlier."""

    def __init__(self, limit: int = MOST_SIGNATURES) -> None:
        self._limit = limit
        self._used: set[str] = set()
        self._ends: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._used)

    def __contains__(self, signature: str) -> bool:
        """Say whether it was used."""
        return signature in self._used

    def has_room(self, now: float) -> bool:
        """Forget what has ended before `now`, and say whether one more can be remembered."""
        while self._ends and self._ends[0][0] < now:
            self._used.remove(heapq.heappop(self._ends)[1])
        return len(self._used) < self._limit

    def add(self, signature: str, *, until: float) -> None:
        """Remember a signature through `until`."""
        self._used.add(signature)
        heapq.heappush(self._ends, (until, signature))
