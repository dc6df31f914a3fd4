"""What every store of members promises; each implementation passes the same tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from poller.core.members import Member
from poller.errors import MembershipLost
from poller.interfaces import MemberStore
from poller.leases.memory_members import MemoryMemberStore
from tests.contract.stores import state_of


@pytest.fixture(params=["memory", "dynamodb"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MemberStore]:
    """An empty store of each kind."""
    async with state_of(request, tmp_path) as state:
        yield state.members or MemoryMemberStore()


A = Member(id="a", lease_s=7.5, label="host-1")
B = Member(id="b")


async def test_a_member_is_listed_whole(store: MemberStore) -> None:
    """In the order of ids."""
    await store.join(B)
    await store.join(A)

    assert list(await store.members()) == [A, B]


async def test_a_heartbeat_moves_the_counter_and_tells_who_leaves(store: MemberStore) -> None:
    """Nothing else changes."""
    await store.join(A)
    await store.beat(A)
    await store.beat(Member(id="a", leaving=True, applied=7))

    (row,) = await store.members()

    assert (row.counter, row.leaving, row.applied) == (2, True, 7)
    assert (row.lease_s, row.label) == (7.5, "host-1")


async def test_joining_again_changes_nothing(store: MemberStore) -> None:
    """The answer to the first time may have been lost."""
    await store.join(A)
    await store.beat(A)
    await store.join(A)

    assert (await store.members())[0].counter == 1


async def test_a_member_that_stands_still_is_buried(store: MemberStore) -> None:
    """From then on its heartbeats are refused."""
    await store.join(A)
    (seen,) = await store.members()
    await store.bury(seen)

    assert (await store.members())[0].dead
    with pytest.raises(MembershipLost):
        await store.beat(A)


async def test_a_member_that_moved_is_not_buried(store: MemberStore) -> None:
    """It lives, and goes on."""
    await store.join(A)
    (seen,) = await store.members()
    await store.beat(A)
    await store.bury(seen)

    assert not (await store.members())[0].dead
    await store.beat(A)


async def test_a_member_without_a_row_is_lost(store: MemberStore) -> None:
    """Somebody removed it."""
    with pytest.raises(MembershipLost):
        await store.beat(A)


async def test_who_leaves_is_dead_at_once(store: MemberStore) -> None:
    """Wherever its counter stands; leaving twice is fine, also unjoined."""
    await store.join(A)
    await store.beat(A)
    await store.leave(A)
    await store.leave(A)
    await store.leave(B)

    (row,) = await store.members()
    assert row.dead


async def test_only_the_dead_are_forgotten(store: MemberStore) -> None:
    """A member that lives keeps its row."""
    await store.join(A)
    await store.join(B)
    await store.leave(A)
    await store.forget(A)
    await store.forget(B)

    assert [row.id for row in await store.members()] == ["b"]
