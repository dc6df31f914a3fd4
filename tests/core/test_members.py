"""The rows of members, and what a worker makes of them by its own clock."""

from dataclasses import replace

import pytest

from poller.core.members import Member, Sightings, beaten, buried, heirs
from poller.core.tenure import Tenure
from poller.errors import MembershipLost

TENURE = Tenure(lease_s=10.0)


def seen_at(*looks: tuple[float, list[Member]]) -> Sightings:
    """Sightings after some looks, each answered at once."""
    sightings = Sightings(TENURE)
    for at, members in looks:
        sightings.see(members, asked_at=at, answered_at=at)
    return sightings


def test_the_dead_do_not_beat() -> None:
    """A worker that was taken for dead, or whose row is gone, learns so at its next heartbeat."""
    member = Member(id="a")

    for stored in (None, replace(member, dead=True)):
        with pytest.raises(MembershipLost):
            beaten(stored, member)


def test_who_moves_is_not_buried() -> None:
    """A heartbeat between the look and the burial saves the member."""
    seen = Member(id="a", counter=4)

    assert buried(replace(seen, counter=5), seen) is None
    assert buried(None, seen) is None
    assert buried(seen, seen) == replace(seen, dead=True)


def test_a_heartbeat_that_stands_still_for_a_lease_and_a_margin_is_buried() -> None:
    """By the watcher's clock, from the first sighting on."""
    still = Member(id="a", counter=4)

    assert not seen_at((100.0, [still]), (110.9, [still])).to_bury
    assert seen_at((100.0, [still]), (111.0, [still])).to_bury == [still]
    assert not seen_at((100.0, [still]), (111.0, [replace(still, counter=5)])).to_bury


def test_a_member_is_given_the_lease_length_it_works_with() -> None:
    """Workers with different settings may meet while a new setting is rolled out."""
    slow = Member(id="a", lease_s=30.0)

    assert not seen_at((100.0, [slow]), (120.0, [slow])).to_bury
    assert seen_at((100.0, [slow]), (133.1, [slow])).to_bury == [slow]


def test_a_watcher_that_slept_looks_again_before_it_buries() -> None:
    """What it saw before says nothing of the time it slept through."""
    member = Member(id="a", counter=4)

    assert not seen_at((100.0, [member]), (900.0, [replace(member, counter=99)])).to_bury


def test_the_time_of_an_answer_counts_against_the_watcher() -> None:
    """The counter may have been read at any moment between the question and the answer."""
    member = Member(id="a")
    sightings = Sightings(TENURE)
    sightings.see([member], asked_at=100.0, answered_at=105.0)
    sightings.see([member], asked_at=115.9, answered_at=120.0)
    assert not sightings.to_bury

    sightings.see([member], asked_at=116.0, answered_at=121.0)
    assert sightings.to_bury == [member]


def test_leases_of_the_dead_are_free_at_once() -> None:
    """Those of members that live are not, whatever their age."""
    sightings = seen_at((100.0, [Member(id="a", dead=True), Member(id="b")]))

    assert sightings.gone("a", 100.0)
    assert not sightings.gone("b", 900.0)


def test_an_owner_nobody_knows_is_watched_like_one_that_stands_still() -> None:
    """It may have joined a moment ago; once its row is seen it is no longer missing."""
    sightings = seen_at((100.0, []))
    assert not sightings.gone("a", 100.0)

    sightings.see([], asked_at=110.9, answered_at=110.9)
    assert not sightings.gone("a", 110.9)
    sightings.see([], asked_at=111.0, answered_at=111.0)
    assert sightings.gone("a", 111.0)

    sightings.see([Member(id="a")], asked_at=112.0, answered_at=112.0)
    assert not sightings.gone("a", 112.0)


def test_a_watcher_that_sees_nothing_takes_nobody_for_gone() -> None:
    """Time alone proves nothing: only a fresh look does."""
    sightings = seen_at((100.0, []))
    sightings.gone("a", 100.0)

    assert not sightings.gone("a", 900.0)


def test_work_is_divided_among_those_that_stay() -> None:
    """Who leaves still lives; who is dead does not."""
    members = [Member(id="c"), Member(id="a", leaving=True), Member(id="b", dead=True)]
    sightings = seen_at((1.0, members))

    assert sightings.living == ["a", "c"]
    assert sightings.staying == ["c"]


def test_the_dead_are_forgotten_when_nobody_asks_for_them_any_more() -> None:
    """Their rows would gather for ever."""
    dead = Member(id="a", dead=True)

    assert not seen_at((100.0, [dead]), (399.0, [dead])).to_forget
    assert seen_at((100.0, [dead]), (400.0, [dead])).to_forget == [dead]


def test_a_fleet_is_in_step_when_all_that_live_have_taken_a_revision_up() -> None:
    """The dead run nothing; who leaves may still."""
    members = [Member(id="a", applied=5), Member(id="b", applied=4, leaving=True), Member(id="c", dead=True)]

    assert seen_at((1.0, members)).in_step(4)
    assert not seen_at((1.0, members)).in_step(5)


def test_what_somebody_leaves_goes_to_one_of_those_that_stay() -> None:
    """To the same one whoever asks; to another one when that is gone too; evenly over all that leave."""
    staying = ["a", "b", "c"]
    chosen = {owner: heirs(owner, staying)[0] for owner in map(str, range(300))}

    assert all(heirs(owner, ["c", "a", "b"])[0] == chosen[owner] for owner in chosen)
    assert {heirs(owner, ["a", "b"])[0] for owner in chosen} == {"a", "b"}
    assert all(heirs(owner, ["a", "b"])[0] == name for owner, name in chosen.items() if name != "c")
    assert all(60 <= list(chosen.values()).count(name) <= 140 for name in staying)
    assert heirs("1", []) == []
