"""Clocks that read the time of the running event loop, so that virtual time is the time of everything."""

import asyncio

EPOCH = 1_700_000_000.0  # wall time at the start of every loop


class LoopClock:
    """The time of the event loop. `skew_s` sets its wall clock apart from everybody else's."""

    def __init__(self) -> None:
        self.skew_s = 0.0
        self._loop = asyncio.get_running_loop()

    def monotonic(self) -> float:
        """Seconds for deadlines."""
        return self._loop.time()

    def wall(self) -> float:
        """Epoch seconds."""
        return EPOCH + self._loop.time() + self.skew_s
