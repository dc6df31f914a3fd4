"""Which signatures were used already, so that a request that was overheard does nothing a second time.

The date of a signature has whole seconds, and botocore signs neither the id of a call nor the number of an
attempt: a program that makes the same call twice in one second, or whose first attempt fails, sends one
signature twice. Such a call is told from a replay by that id, while its second lasts; what has no id, or the
same, is a replay at once.
"""

import hashlib
import heapq
from dataclasses import dataclass, field

# Four callers that write 100 times a second, for the five minutes that a signature lives; about 50 MB.
MOST_SIGNATURES = 131_072
# The second of the date, and one for what is slow on its way.
SAME_SECOND_S = 2.0
MOST_CALLS = 256


@dataclass(slots=True, kw_only=True)
class _Use:
    first: float
    calls: set[bytes] = field(default_factory=set)


class UsedSignatures:
    """Remembers each signature until it is too old to be accepted anyway. Nothing is forgotten earlier."""

    def __init__(self, limit: int = MOST_SIGNATURES) -> None:
        self._limit = limit
        self._used: dict[str, _Use] = {}
        self._ends: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._used)

    def has_room(self, signature: str, *, now: float) -> bool:
        """Forget what has ended before `now`, and say whether `signature` can be remembered."""
        while self._ends and self._ends[0][0] < now:
            del self._used[heapq.heappop(self._ends)[1]]
        return signature in self._used or len(self._used) < self._limit

    def use(self, signature: str, call: str, *, now: float, until: float) -> bool:
        """Remember a use through `until`; False where it is a replay. `call` is what tells calls apart."""
        use = self._used.get(signature)
        if use is None:
            use = self._used[signature] = _Use(first=now)
            heapq.heappush(self._ends, (until, signature))
        elif not call or now - use.first > SAME_SECOND_S or len(use.calls) >= MOST_CALLS:
            return False
        digest = hashlib.sha256(call.encode("utf-8", "replace")).digest()[:8]
        if digest in use.calls:
            return False
        use.calls.add(digest)
        return True
