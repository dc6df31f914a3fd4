"""How workers divide what only the whole fleet may use up: the concurrency of a queue."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from poller.core.scaling import ScalingRules
from poller.core.tenure import Tenure


@dataclass(frozen=True, slots=True, order=True)
class Share:
    """One of `members` equal parts; the part at `index`."""

    index: int
    members: int

    @property
    def nothing(self) -> bool:
        return self.members == 0


WHOLE = Share(0, 1)
NOTHING = Share(0, 0)


def share(total: int, *, members: int, index: int) -> int:
    """This worker's part of a total. All parts together are the total, and none is larger by more than one.

    With more workers than there is to share, those at the end get nothing.
    """
    return total // members + (index < total % members)


def share_of(me: str, staying: Sequence[str]) -> Share:
    """The part of one worker among those that stay."""
    return Share(sorted(staying).index(me), len(staying)) if me in staying else NOTHING


def shared(rules: ScalingRules, part: Share, *, capped: bool) -> ScalingRules:
    """The scaling rules of one worker.

    Args:
        rules: Of the whole mapping.
        part: What of it this worker has.
        capped: Whether its user set the maximum: then all workers together keep it, and one may have nothing
            to do. Otherwise each polls, whatever is left for it.
    """
    if part.nothing:
        return replace(rules, start=0, low=0, quiet=0, maximum=0)

    def cut(total: int) -> int:
        mine = share(total, members=part.members, index=part.index)
        return mine if capped else max(mine, 1)

    maximum = cut(rules.maximum)
    return replace(
        rules,
        start=min(cut(rules.start), maximum) or min(maximum, 1),
        low=min(cut(rules.low), maximum) or min(maximum, 1),
        quiet=min(cut(rules.quiet), maximum) or min(maximum, 1),
        maximum=maximum,
        growth_per_s=None if rules.growth_per_s is None else rules.growth_per_s / part.members,
    )


class Portion:
    """The share in force: one that shrinks does so at once, one that grows waits for the others to shrink."""

    def __init__(self, tenure: Tenure) -> None:
        self._tenure = tenure
        self._wanted = NOTHING
        self._since = 0.0
        self.current = NOTHING

    def follow(self, me: str, staying: Sequence[str], now: float) -> Share:
        """Take in who there is; what this worker may use from now on."""
        wanted = share_of(me, staying)
        if wanted != self._wanted:
            self._wanted, self._since = wanted, now
        alone = wanted == WHOLE and self.current.nothing
        patient = now - self._since >= self._tenure.growth_s
        if alone or patient or _within(wanted, self.current):
            self.current = wanted
        elif not self.current.nothing:
            # Until then: no more than the smaller of both, wherever the total is cut.
            self.current = Share(
                max(wanted.index, self.current.index), max(wanted.members, self.current.members)
            )
        return self.current


def _within(part: Share, of: Share) -> bool:
    """Whether a part is never larger than another, whatever the total."""
    larger = part.members < of.members or part.index < of.index
    return part.nothing or not (of.nothing or larger)
