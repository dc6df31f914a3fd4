"""Members in memory: a fleet inside one process, for tests and for programs that embed several workers."""

from collections.abc import Sequence
from dataclasses import replace

import anyio.lowlevel

from poller.core.members import Member, beaten, buried


class MemoryMemberStore:
    """A member store over a dict."""

    def __init__(self) -> None:
        self.rows: dict[str, Member] = {}
        self.revision = 0

    async def members(self) -> Sequence[Member]:
        """All members."""
        await anyio.lowlevel.checkpoint()
        return [self.rows[id_] for id_ in sorted(self.rows)]

    async def join(self, member: Member) -> None:
        """Add a member."""
        await anyio.lowlevel.checkpoint()
        self.rows.setdefault(member.id, member)

    async def beat(self, member: Member) -> None:
        """Show that a worker lives."""
        await anyio.lowlevel.checkpoint()
        self.rows[member.id] = beaten(self.rows.get(member.id), member)

    async def bury(self, member: Member) -> None:
        """Declare a member dead if its counter still stands where it was seen."""
        await anyio.lowlevel.checkpoint()
        dead = buried(self.rows.get(member.id), member)
        if dead is not None:
            self.rows[member.id] = dead

    async def leave(self, member: Member) -> None:
        """Say of oneself that one is no more."""
        await anyio.lowlevel.checkpoint()
        if member.id in self.rows:
            self.rows[member.id] = replace(self.rows[member.id], dead=True)

    async def forget(self, member: Member) -> None:
        """Remove a dead member."""
        await anyio.lowlevel.checkpoint()
        stored = self.rows.get(member.id)
        if stored is not None and stored.dead:
            del self.rows[member.id]
