"""What one worker takes, asks for and gives up."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poller.core.balance import View, allot
from poller.core.holdings import Holdings
from poller.core.leasing import Lease
from poller.core.records import Position
from poller.core.tenure import Tenure


def lease(number: int, owner: str | None = None, claimant: str | None = None, mapping: str = "m") -> Lease:
    """A lease as it is listed."""
    return Lease(
        mapping=mapping,
        shard=f"s{number:04}",
        incarnation="i",
        checkpoint=Position.trim_horizon(),
        owner=owner,
        epoch=1,
        claimant=claimant,
    )


def owned(**counts: int) -> list[Lease]:
    """So many leases of each owner."""
    owners = [owner for owner, count in counts.items() for _ in range(count)]
    return [lease(number, owner) for number, owner in enumerate(owners)]


def fleet(me: str, staying: str, leases: Sequence[Lease] = (), **more: object) -> View:
    """What `me` sees: the workers that stay are single letters; it reads all leases that name it."""
    reading = {(le.mapping, le.shard) for le in leases if le.owner == me}
    return View(me=me, staying=list(staying), reading=reading, **more)  # type: ignore[arg-type]


def shards(leases: Sequence[Lease]) -> list[str]:
    return [le.shard for le in leases]


def test_one_worker_takes_everything() -> None:
    """Whatever is free."""
    leases = [lease(1), lease(2, "gone")]

    assert allot(leases, fleet("a", "a", gone={"gone"})).take == leases


def test_free_work_is_dealt_without_anybody_leading() -> None:
    """Each worker takes its own part; together they take all of it, and nothing twice."""
    leases = [lease(number) for number in range(10)]

    takes = [shards(allot(leases, fleet(me, "abc")).take) for me in "abc"]

    assert sorted(shard for take in takes for shard in take) == shards(leases)
    assert sorted(map(len, takes)) == [3, 3, 4]


def test_free_work_goes_to_who_has_least() -> None:
    """A crash is taken over by those with room."""
    leases = [*owned(a=3, b=1), lease(7, "dead"), lease(8, "dead")]

    assert not allot(leases, fleet("a", "ab", leases, gone={"dead"})).take
    assert len(allot(leases, fleet("b", "ab", leases, gone={"dead"})).take) == 2


def test_free_work_that_nobody_came_for_is_taken_by_whoever_sees_it() -> None:
    """Without limit: no share is worth a shard that nobody reads."""
    leases = [lease(1), lease(2)]
    late = fleet("b", "ab", stale={("m", "s0001"), ("m", "s0002")})

    assert shards(allot(leases, late).take) == ["s0001", "s0002"]


def test_a_lease_that_is_kept_for_somebody_is_left_to_it() -> None:
    """Unless it has waited too long, or its claimant does not stay."""
    kept = [lease(1, None, "c")]

    assert not allot(kept, fleet("a", "abc")).take
    assert allot(kept, fleet("c", "abc")).take == kept
    assert allot(kept, fleet("a", "abc", stale={("m", "s0001")})).take == kept
    assert allot(kept, fleet("a", "ab")).take == kept


def test_a_lease_one_has_and_does_not_read_is_taken_again() -> None:
    """The answer to its taking was lost: that is no theft from oneself."""
    mine = lease(1, "a")

    assert allot([mine], View(me="a", staying=["a", "b"])).take == [mine]
    assert not allot([mine], fleet("a", "ab", [mine])).take


def test_a_new_worker_asks_those_that_have_most() -> None:
    """For one, or a third of an even share."""
    few = owned(a=3, b=3)
    many = owned(a=30, b=30)

    assert len(allot(few, fleet("c", "abc")).request) == 1
    assert len(allot(many, fleet("c", "abc")).request) == 7
    assert not allot(many, fleet("c", "abc"), may_request=False).request


def test_places_are_not_swapped() -> None:
    """A difference of one is as even as it gets."""
    assert not allot(owned(a=2, b=1), fleet("b", "ab")).request


def test_nobody_asks_for_what_another_has_asked_for() -> None:
    """It counts for its claimant already."""
    leases = [replace(le, claimant="c") for le in owned(a=4)]

    assert not allot(leases, fleet("b", "abc")).request


def test_what_moved_a_moment_ago_stays() -> None:
    """Leases do not wander."""
    leases = owned(a=4)

    assert not allot(leases, fleet("b", "ab", settling={(le.mapping, le.shard) for le in leases})).request


def test_a_worker_that_leaves_is_not_asked_and_takes_nothing() -> None:
    """It gives everything up by itself."""
    leases = owned(a=4)

    assert not allot(leases, fleet("b", "b")).request
    assert not allot([lease(9)], fleet("a", "b")).take


def test_the_owner_gives_what_it_was_asked_for() -> None:
    """To a worker that stays."""
    leases = owned(a=4)
    leases[1] = replace(leases[1], claimant="b")

    assert allot(leases, fleet("a", "ab", leases)).give == [leases[1]]


def test_the_owner_keeps_an_even_share() -> None:
    """Of several that ask at the same time some are refused."""
    leases = [replace(le, claimant="bcd"[n]) for n, le in enumerate(owned(a=3))]

    decided = allot(leases, fleet("a", "abcd", leases))

    assert len(decided.give) == 3
    assert not decided.decline
    decided = allot([*leases, lease(5, "b"), lease(6, "c")], fleet("a", "abcd", leases))
    assert len(decided.give) == 2
    assert len(decided.decline) == 1


def test_a_request_of_somebody_unknown_is_declined_only_when_it_is_old() -> None:
    """It may have joined a moment ago."""
    leases = [lease(1, "a", "z")]

    assert not allot(leases, fleet("a", "ab", leases)).decline
    assert allot(leases, fleet("a", "ab", leases, stale={("m", "s0001")})).decline == leases


@settings(deadline=None, max_examples=60)
@given(counts=st.lists(st.integers(0, 20), min_size=1, max_size=5), joined=st.integers(0, 2))
def test_shares_become_even_and_then_nothing_moves(counts: list[int], joined: int) -> None:
    """From any distribution; every worker decides on the same listing and asks once in an interval."""
    staying = "abcdefghij"[: len(counts) + joined]
    leases = owned(**dict(zip("abcdefghij", counts, strict=False)))

    for _ in range(10):
        leases = _interval(leases, staying)

    assert len(leases) == sum(counts)
    assert _is_even(leases, staying)
    assert _interval(leases, staying) == leases


@settings(deadline=None, max_examples=30)
@given(workers=st.integers(1, 5), each=st.integers(0, 60), joins=st.booleans())
def test_three_intervals_after_a_worker_comes_or_goes_shares_are_even(
    *, workers: int, each: int, joins: bool
) -> None:
    """However many shards there are."""
    before = "abcdef"[:workers]
    leases = owned(**dict.fromkeys(before, each))
    staying = before + "x" if joins or workers == 1 else before[1:]
    if not joins and workers > 1:
        leases = [replace(le, owner=None) if le.owner == "a" else le for le in leases]

    for _ in range(3):
        leases = _interval(leases, staying)

    assert _is_even(leases, staying)


def _is_even(leases: Sequence[Lease], staying: str) -> bool:
    loads = Counter(str(le.owner) for le in leases)
    spread = [loads[worker] for worker in staying]
    return sum(spread) == len(leases) and max(spread) - min(spread) <= 1


def _interval(leases: Sequence[Lease], staying: str) -> list[Lease]:
    """One interval: all decide on what they see now, then it happens; the first write to a lease wins."""
    rows = {(le.mapping, le.shard): le for le in leases}
    for me in staying:
        for taken in allot(leases, fleet(me, staying, leases)).take:
            rows[taken.mapping, taken.shard] = replace(taken, owner=me, claimant=None)
    seen = list(rows.values())
    for me in staying:
        for wanted in allot(seen, fleet(me, staying, seen)).request:
            if rows[wanted.mapping, wanted.shard].claimant is None:
                rows[wanted.mapping, wanted.shard] = replace(wanted, claimant=me)
    seen = list(rows.values())
    for me in staying:
        decided = allot(seen, fleet(me, staying, seen), may_request=False)
        for given_up in decided.give:
            moved = replace(given_up, owner=given_up.claimant, claimant=None)
            rows[given_up.mapping, given_up.shard] = moved
        for kept in decided.decline:
            rows[kept.mapping, kept.shard] = replace(kept, claimant=None)
    return sorted(rows.values(), key=lambda le: le.shard)


TENURE = Tenure(lease_s=9.0)


@pytest.mark.parametrize(("claimant", "patience_s"), [(None, 3.0), ("b", 9.0)])
def test_what_waits_too_long_is_noticed(claimant: str | None, patience_s: float) -> None:
    """A free lease after an interval, one that is kept or asked for after a lease length."""
    holdings = Holdings(TENURE)
    waiting = [lease(1, None, claimant)]
    holdings.see("m", waiting, (), 100.0)
    holdings.see("m", waiting, (), 104.0)

    assert not holdings.stale(100.0 + patience_s - 0.1)
    assert holdings.stale(100.0 + patience_s) == {("m", "s0001")}


def test_a_lease_waits_from_when_it_became_free() -> None:
    """How long its owner had it says nothing."""
    holdings = Holdings(TENURE)
    holdings.see("m", [lease(1, "dead")], (), 100.0)
    holdings.see("m", [lease(1, "dead")], {"dead"}, 200.0)

    assert not holdings.stale(202.9)
    assert holdings.stale(203.0)


def test_what_changed_hands_settles_for_two_intervals() -> None:
    """What was in these hands when it was first seen has settled long ago."""
    holdings = Holdings(TENURE)
    holdings.see("m", [lease(1, "a")], (), 100.0)
    assert not holdings.settling(100.0)

    holdings.see("m", [lease(1, "b")], (), 110.0)
    assert holdings.settling(115.9) == {("m", "s0001")}
    assert not holdings.settling(116.0)
