"""How many requests each caller may make: a bucket of tokens for each, filled at a steady rate."""

from mappings.errors import TooManyRequestsException


class Rates:
    """One bucket a caller. There are as many callers as there are keys, so there is nothing to forget."""

    def __init__(self, *, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: dict[str, tuple[float, float]] = {}  # caller -> tokens, as of when

    def take(self, caller: str, *, now: float) -> None:
        """Take one token, or raise TooManyRequestsException. `now` never goes back."""
        tokens, since = self._buckets.get(caller, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - since) * self._per_second)
        if tokens < 1:
            self._buckets[caller] = (tokens, now)
            raise TooManyRequestsException("Rate exceeded", retry_after_s=1)
        self._buckets[caller] = (tokens - 1, now)
