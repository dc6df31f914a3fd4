"""How long to wait before trying again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubles from `first_s` up to `cap_s`, then is shortened by up to a quarter so that waits spread."""

    first_s: float
    cap_s: float

    def delay(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, before spreading; 0 for none."""
        if failures <= 0:
            return 0.0
        # The exponent is bounded: 2**1024 does not fit a float, and every cap is reached long before.
        return min(self.first_s * 2.0 ** min(failures - 1, 60), self.cap_s)


def spread(delay_s: float, chance: float) -> float:
    """Shorten a delay by up to a quarter; `chance` is drawn from [0, 1) by the caller."""
    return delay_s * (1.0 - 0.25 * chance)
