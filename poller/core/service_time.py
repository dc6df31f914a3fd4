"""A source's own clock, as its answers show it: what decides over the age of records."""

from poller.core.records import Page

# Times in answers are whole seconds, and an answer travels for a while: less than this is no sign.
TOLERANCE_S = 5.0


class ServiceTime:
    """The time at a source, carried on by the monotonic clock from answer to answer; never late.

    A time that is known to have passed can only make a record seem younger than it is.
    """

    def __init__(self) -> None:
        self._shown: float | None = None
        self._shown_at = 0.0

    def see(self, page: Page, monotonic: float) -> None:
        """Take an answer in that arrived at this monotonic time.

        Where the source does not tell the time, its last record tells when it arrived, and the page how long
        ago that was.
        """
        shown = page.served_at
        if shown is None:
            if not page.records:
                return
            shown = page.records[-1].arrived_at + (page.behind_s or 0.0)
            if self._shown is not None:
                shown = max(shown, self._carried_on(self._shown, monotonic))
        self._shown, self._shown_at = shown, monotonic

    def at(self, monotonic: float) -> float | None:
        """Epoch seconds at a monotonic time; None before the source has told any time."""
        return None if self._shown is None else self._carried_on(self._shown, monotonic)

    def ahead_s(self, wall: float, monotonic: float) -> float:
        """How far a clock that shows `wall` is ahead of the source's; 0.0 within what is no sign."""
        now = self.at(monotonic)
        ahead_s = 0.0 if now is None else wall - now
        return ahead_s if abs(ahead_s) > TOLERANCE_S else 0.0

    def _carried_on(self, shown: float, monotonic: float) -> float:
        return shown + (monotonic - self._shown_at)
