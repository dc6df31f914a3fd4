"""The lease protocol in a small world, exhausted: three workers, two shards, mishaps at every step."""

from collections.abc import Callable, Collection
from dataclasses import replace

import pytest

from poller.core.leasing import Lease
from poller.core.members import Member, Sightings
from poller.core.tenure import Tenure
from tests.leases.explore import Plan, explore
from tests.leases.world import Hit

CLOCKS = [(1.0, 1.0, 1.0), (0.85, 1.0, 1.25)]


@pytest.mark.parametrize("rates", CLOCKS)
def test_no_single_mishap_breaks_the_protocol(rates: tuple[float, ...]) -> None:
    """Whoever is killed, stopped, ended or robbed of an answer, before any step, whatever the clocks.

    No record is begun under a lease that is lost, no checkpoint jumps, and every shard is soon read again.
    """
    report = explore(Plan(rates=rates, mishaps=1, rounds=8))

    assert report.problems == []
    assert report.worlds > 200


@pytest.mark.parametrize(
    ("hits", "rounds"),
    [({Hit.PAUSE, Hit.TERM}, 1), ({Hit.KILL, Hit.LOST_REPLY}, 1)],
)
def test_no_two_mishaps_break_it_together(hits: Collection[Hit], rounds: int) -> None:
    """While the shards are being dealt and spread; `make leases` takes all pairs, and longer."""
    report = explore(Plan(mishaps=2, rounds=rounds, hits=frozenset(hits)))

    assert report.problems == []
    assert report.worlds > 500


def _no_fence(**_: object) -> bool:
    return True


def _no_burial(seen: Sightings, owner: str, now: float) -> bool:
    """Take from who seems dead, and tell nobody."""
    return any(member.id == owner for member in seen.to_bury)


def _late_fence(*, now: float, beaten_at: float | None, tenure: Tenure) -> bool:
    return beaten_at is not None and now < beaten_at + 3 * tenure.lease_s


def _taken_blindly(stored: Lease | None, seen: Lease, owner: str) -> Lease:
    current = stored or seen
    return replace(current, owner=owner, epoch=current.epoch + 1, counter=current.counter + 1)


def _beaten_by_the_dead(stored: Member | None, member: Member) -> Member:
    current = stored or member
    return replace(current, counter=current.counter + 1, dead=False)


@pytest.mark.parametrize(
    ("name", "mutant"),
    [
        ("tests.leases.world.may_act", _no_fence),
        ("poller.core.members.Sightings.gone", _no_burial),
        ("tests.leases.world.may_act", _late_fence),
        ("tests.leases.world.taken", _taken_blindly),
        ("tests.leases.world.beaten", _beaten_by_the_dead),
    ],
)
def test_the_world_shows_what_a_missing_rule_would_do(
    name: str, mutant: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rule of the protocol is there because something breaks without it."""
    monkeypatch.setattr(name, mutant)

    assert explore(Plan(mishaps=1, rounds=8)).problems
