"""Beats once a second on the event loop, and so knows whether that turns and how late it is."""

from collections import deque

import anyio

from poller.interfaces import Clock

BEAT_S = 1.0
REMEMBERED = 60


class Heartbeat:
    """Runs in a task of its own, which nothing else can block but the event loop itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beat_at = clock.monotonic()
        self._lags: deque[float] = deque(maxlen=REMEMBERED)

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            await anyio.sleep(BEAT_S)
            now = self._clock.monotonic()
            self._lags.append(max(now - self._beat_at - BEAT_S, 0.0))
            self._beat_at = now

    @property
    def age_s(self) -> float:
        """Since the last beat."""
        return self._clock.monotonic() - self._beat_at

    @property
    def lag_s(self) -> float:
        """The longest a beat was late in the last minute."""
        return max(self._lags, default=0.0)
