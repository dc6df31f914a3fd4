"""Parents before children, and where each shard starts."""

import pytest

from poller.core.lineage import (
    LISTINGS_TO_BELIEVE,
    RECREATED,
    Absences,
    KnownShard,
    covers_the_stream,
    plan,
)
from poller.core.records import Position, Shard, Topology

HORIZON = Position.trim_horizon()
LATEST = Position.latest(50.0)
END = Position.shard_end()


def _topology(*shards: Shard, incarnation: str = "one") -> Topology:
    return Topology(incarnation=incarnation, shards=shards)


def _known(shard: str, checkpoint: Position, *parents: str, incarnation: str = "one") -> KnownShard:
    return KnownShard(id=shard, parents=parents, checkpoint=checkpoint, incarnation=incarnation)


A = Shard(id="a", closed=True)
B = Shard(id="b", closed=True)
CHILD = Shard(id="c", parents=("a", "b"))


def test_shards_of_the_first_listing_start_at_the_starting_position() -> None:
    """Whatever it is, parents and children alike."""
    found = plan(_topology(A, CHILD), [], HORIZON)

    assert list(found.create) == [(A, HORIZON), (CHILD, HORIZON)]


def test_under_latest_closed_shards_are_finished_from_the_start() -> None:
    """Nothing more is written to them, so the open child is read at once."""
    found = plan(_topology(A, B, CHILD), [], LATEST)

    assert list(found.create) == [(A, END), (B, END), (CHILD, LATEST)]
    assert list(found.readable) == ["c"]


@pytest.mark.parametrize("starting", [LATEST, HORIZON, Position.at_timestamp(7.0)])
def test_a_shard_found_later_starts_at_the_horizon(starting: Position) -> None:
    """Or what was written before it was found would be lost."""
    found = plan(_topology(A, CHILD), [_known("a", Position.after("5"))], starting)

    assert list(found.create) == [(CHILD, HORIZON)]


def test_a_child_waits_for_both_parents_of_a_merge() -> None:
    """One finished parent is not enough."""
    half = [_known("a", END), _known("b", Position.after("5")), _known("c", HORIZON, "a", "b")]
    whole = [_known("a", END), _known("b", END), _known("c", HORIZON, "a", "b")]

    assert list(plan(_topology(A, B, CHILD), half, HORIZON).readable) == ["b"]
    assert list(plan(_topology(A, B, CHILD), whole, HORIZON).readable) == ["c"]


def test_a_parent_missing_from_one_listing_still_blocks_its_child() -> None:
    """What the store knows of a parent outweighs a listing that leaves it out."""
    known = [_known("a", Position.after("5")), _known("c", HORIZON, "a")]

    assert list(plan(_topology(CHILD), known, HORIZON).readable) == ["a"]


def test_a_parent_nobody_knows_left_before_it_was_seen() -> None:
    """It cannot be read, so it cannot be waited for; but one listing that lacks it proves nothing."""
    absences = Absences()
    topology = _topology(CHILD)

    found = [list(plan(topology, [], HORIZON, absences.note(topology, [])).readable) for _ in range(3)]

    assert found == [[], [], ["c"]]
    assert not absences.unsure


def test_an_absence_is_counted_in_a_row() -> None:
    """A shard that shows up again was never gone."""
    absences = Absences()
    whole = _topology(Shard(id="a"), Shard(id="b"), CHILD)

    for topology in (_topology(CHILD), _topology(CHILD), whole, _topology(CHILD)):
        assert absences.note(topology, []) == set()
    assert absences.unsure


def test_a_shard_that_left_the_stream_before_its_end_has_vanished() -> None:
    """It is never listed again; what it held is lost, and its children must not wait for ever."""
    absences = Absences()
    known = [_known("a", Position.after("5")), _known("c", HORIZON, "a")]
    topology = _topology(CHILD)
    for _ in range(3):
        gone = absences.note(topology, known)

    found = plan(topology, known, HORIZON, gone)

    assert list(found.vanished) == ["a"]
    assert list(found.readable) == ["a"]


@pytest.mark.parametrize(
    ("starting", "start"),
    [
        (Position.trim_horizon(), Position.trim_horizon()),
        (Position.at_timestamp(12.5), Position.at_timestamp(12.5)),
        (LATEST, Position.trim_horizon()),
    ],
    ids=str,
)
@pytest.mark.parametrize("closed", [False, True])
def test_a_recreated_stream_starts_over(starting: Position, start: Position, *, closed: bool) -> None:
    """Positions of the earlier stream mean nothing in it, and all it holds came after LATEST (faults 36)."""
    known = [_known("a", Position.after("900"), incarnation="zero")]

    found = plan(_topology(Shard(id="a", closed=closed), incarnation="one"), known, starting)

    assert list(found.forget) == ["a"]
    assert list(found.create) == [(Shard(id="a", closed=closed), start)]


def test_a_recreated_stream_is_known_for_one_once_its_leases_are_forgotten() -> None:
    """The mark that was written before keeps LATEST from being taken for the tip, by whoever lists next."""
    mark = _known(RECREATED, Position.shard_end(), incarnation="one")

    found = plan(_topology(Shard(id="a"), incarnation="one"), [mark], LATEST)

    assert list(found.create) == [(Shard(id="a"), Position.trim_horizon())]
    assert list(found.readable) == ["a"]


def test_the_mark_of_a_recreated_stream_leaves_like_a_shard_that_left() -> None:
    """Once a few listings have lacked it."""
    known = [_known(RECREATED, Position.shard_end()), _known("a", Position.after("5"))]
    topology = _topology(Shard(id="a"))
    absences = Absences()

    gone = [absences.note(topology, known) for _ in range(LISTINGS_TO_BELIEVE)][-1]

    assert list(plan(topology, known, LATEST, gone).settled) == [RECREATED]
    assert not absences.unsure


WHOLE = (0, 2**128 - 1)
HALF = 2**127


def test_a_finished_shard_is_forgotten_once_it_left_the_stream_and_its_children_began() -> None:
    """Until then its lease holds the children back, or keeps it from being read again."""
    ended = _known("a", END)
    waiting = _known("c", HORIZON, "a")
    begun = _known("c", Position.after("5"), "a")

    assert list(plan(_topology(A, CHILD), [ended, begun], HORIZON).settled) == []
    assert list(plan(_topology(CHILD), [ended, waiting], HORIZON, {"a"}).settled) == []
    assert list(plan(_topology(CHILD), [ended, begun], HORIZON, {"a"}).settled) == ["a"]


def test_a_finished_shard_is_not_forgotten_for_one_listing_that_lacks_it() -> None:
    """Listed again, it would be new, and be read from its beginning; and there is no hurry."""
    known = [_known("a", END), _known("c", Position.after("5"), "a")]
    absences = Absences()

    settled = []
    for _ in range(3):
        gone = absences.note(_topology(CHILD), known)
        settled.append(list(plan(_topology(CHILD), known, HORIZON, gone).settled))
        assert not absences.unsure

    assert settled == [[], [], ["a"]]


def test_a_child_that_has_begun_is_read_though_its_parents_are_forgotten() -> None:
    """It was allowed to begin; nothing about them is waited for or counted."""
    known = [_known("c", Position.after("5"), "a", "b")]
    absences = Absences()

    assert list(plan(_topology(CHILD), known, HORIZON).readable) == ["c"]
    assert absences.note(_topology(CHILD), known) == frozenset()
    assert not absences.unsure


def test_thirty_days_of_rotation_leave_a_bounded_number_of_leases() -> None:
    """A shard every four hours, listed for a day: leases come and go with the listing."""
    known: list[KnownShard] = []
    most = 0
    for number in range(180):
        listed = [
            Shard(id=f"s{n:04}", parents=(f"s{n - 1:04}",) if n else (), closed=n < number)
            for n in range(max(number - 6, 0), number + 1)
        ]
        found = plan(_topology(*listed), known, HORIZON, frozenset({f"s{max(number - 7, 0):04}"}))
        known += [_known(shard.id, at, *shard.parents) for shard, at in found.create]
        known = [
            _known(k.id, END if k.id != f"s{number:04}" else Position.after("1"), *k.parents)
            for k in known
            if k.id not in found.settled
        ]
        most = max(most, len(known))

    assert most <= 9


@pytest.mark.parametrize(
    ("ranges", "covered"),
    [
        ([WHOLE], True),
        ([(0, HALF - 1), (HALF, 2**128 - 1)], True),
        ([(0, HALF - 1)], False),
        ([(HALF, 2**128 - 1)], False),
        ([(0, HALF - 2), (HALF, 2**128 - 1)], False),
        ([(0, HALF), (5, 2**128 - 1)], True),
        ([], True),
    ],
)
def test_a_listing_with_a_hole_is_noticed(ranges: list[tuple[int, int]], *, covered: bool) -> None:
    """Open shards must take every hash key; closed ones take none."""
    shards = [Shard(id=f"s{n}", hash_range=r) for n, r in enumerate(ranges)]
    closed = Shard(id="closed", closed=True, hash_range=WHOLE)

    assert covers_the_stream(_topology(*shards, *([closed] if ranges else []))) is covered
