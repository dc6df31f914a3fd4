"""Clocks that read the time of the running event loop, so that virtual time is the time of everything."""

import asyncio

EPOCH = 1_700_000_000.0  # wall time at the start of every loop


class LoopClock:
    """The time of the event loop. `skew_s` sets its wall clock apart from everybody else's.

    A clock with a rate of its own shows other times for deadlines than those of others.
    """

    def __init__(self, rate: float = 1.0) -> None:
        self.skew_s = 0.0
        self._rate = rate
        self._loop = asyncio.get_running_loop()

    def monotonic(self) -> float:
        """Seconds for deadlines."""
        now = self._loop.time()
        # In steps, as real clocks go: timers run by the loop's time, and would come closer for ever.
        return now if self._rate == 1.0 else round(now * self._rate, 6)

    def wall(self) -> float:
        """Epoch seconds."""
        return EPOCH + self._loop.time() + self.skew_s
