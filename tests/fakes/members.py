"""A member store over rows in memory that outlive processes: refuses writes, and loses answers of writes."""

from collections.abc import Sequence

from poller.core.members import Member
from poller.errors import StateUnavailable
from poller.leases.memory_members import MemoryMemberStore
from tests.fakes.faults import FaultKind
from tests.fakes.wire import Wire


class FakeMemberStore:
    """The store as one process reaches it."""

    def __init__(self, inner: MemoryMemberStore, wire: Wire) -> None:
        self._inner = inner
        self._wire = wire

    @property
    def revision(self) -> int:
        """Of the mappings."""
        return self._inner.revision

    async def members(self) -> Sequence[Member]:
        """All members."""
        await self._begin()
        found = await self._inner.members()
        await self._end()
        return found

    async def join(self, member: Member) -> None:
        """Add a member."""
        await self._begin()
        await self._inner.join(member)
        await self._end()

    async def beat(self, member: Member) -> None:
        """Show that a worker lives."""
        await self._begin()
        await self._inner.beat(member)
        await self._end()

    async def bury(self, member: Member) -> None:
        """Declare a member dead."""
        await self._begin()
        await self._inner.bury(member)
        await self._end()

    async def leave(self, member: Member) -> None:
        """Say of oneself that one is no more."""
        await self._begin()
        await self._inner.leave(member)
        await self._end()

    async def forget(self, member: Member) -> None:
        """Remove a dead member."""
        await self._begin()
        await self._inner.forget(member)
        await self._end()

    async def _begin(self) -> None:
        await self._wire.there(FaultKind.STATE_SLOW)
        if self._wire.faults.strike(self._wire.place, FaultKind.STATE_UNAVAILABLE):
            raise StateUnavailable("the table is throttled")

    async def _end(self) -> None:
        await self._wire.back()
        if self._wire.faults.strike(self._wire.place, FaultKind.STATE_LOST_REPLY):
            raise StateUnavailable("the answer was lost")
