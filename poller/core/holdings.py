"""How long each lease has been as it is, by one worker's clock: what waits too long, what moved just now."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from poller.core.balance import Key
from poller.core.leasing import Lease
from poller.core.tenure import Tenure

SETTLING_BEATS = 2  # intervals a lease stays where it went


@dataclass(frozen=True, slots=True)
class _Holding:
    hands: tuple[str | None, int]
    """Owner and epoch."""
    claimant: str | None
    moved_at: float | None
    """When it was first seen in these hands; None where it was in them when it was first seen at all."""
    since: float
    """When hands and claimant were first seen together."""


class Holdings:
    """The leases of the fleet, as they were seen."""

    def __init__(self, tenure: Tenure) -> None:
        self._tenure = tenure
        self._seen: dict[str, dict[str, _Holding]] = {}

    def see(self, mapping: str, leases: Sequence[Lease], gone: Collection[str], now: float) -> None:
        """Take in the leases of a mapping that can be read now, and which owners are no more."""
        before = self._seen.get(mapping, {})
        self._seen[mapping] = {
            lease.shard: _followed(before.get(lease.shard), lease, gone, now) for lease in leases
        }

    def forget(self, mapping: str) -> None:
        """A mapping is run no more."""
        self._seen.pop(mapping, None)

    def stale(self, now: float) -> frozenset[Key]:
        """What has waited too long: a free lease for its taker, a request for its owner."""
        return frozenset(
            (mapping, shard)
            for mapping, holdings in self._seen.items()
            for shard, holding in holdings.items()
            if now - holding.since >= self._patience(holding)
        )

    def settling(self, now: float) -> frozenset[Key]:
        """What changed hands a moment ago."""
        limit = SETTLING_BEATS * self._tenure.beat_s
        return frozenset(
            (mapping, shard)
            for mapping, holdings in self._seen.items()
            for shard, holding in holdings.items()
            if holding.moved_at is not None and now - holding.moved_at < limit
        )

    def _patience(self, holding: _Holding) -> float:
        return self._tenure.beat_s if holding.claimant is None else self._tenure.keep_s


def _followed(before: _Holding | None, lease: Lease, gone: Collection[str], now: float) -> _Holding:
    hands = (None if lease.owner in gone else lease.owner, lease.epoch)
    if before is None:
        return _Holding(hands, lease.claimant, None, now)
    moved_at = before.moved_at if before.hands == hands else now
    same = before.hands == hands and before.claimant == lease.claimant
    return _Holding(hands, lease.claimant, moved_at, before.since if same else now)
