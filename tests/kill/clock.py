"""The real clocks of the machine, with one liberty: time may be passed over while no poller lives."""

import time


class WorldClock:
    """The clock of the sources. A poller has the machine's own, which never jumps."""

    def __init__(self) -> None:
        self._passed_over_s = 0.0

    def monotonic(self) -> float:
        """Seconds for visibility and iterators."""
        return time.monotonic() + self._passed_over_s

    def wall(self) -> float:
        """Epoch seconds; never passed over, because records may not come from the future."""
        return time.time()

    def pass_over(self, seconds: float) -> None:
        """As if so long nothing had happened. Only while no poller lives: it would hold what others get."""
        self._passed_over_s += seconds
