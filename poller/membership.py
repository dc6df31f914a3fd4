"""This worker's place in its fleet: shows that it lives, watches the others, knows until when it may act.

It runs beside everything else: neither a slow function nor a full buffer holds up a heartbeat.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import structlog

from poller.core.members import Member, Sightings
from poller.core.tenure import Tenure, may_act
from poller.errors import MembershipLost, StateUnavailable
from poller.interfaces import MemberStore
from poller.surroundings import Surroundings
from poller.telemetry import Log
from poller.waiting import Signals

LEAVE_LIMIT_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipParts:
    """What a membership works with."""

    store: MemberStore
    tenure: Tenure
    surroundings: Surroundings
    new_id: Callable[[], str]
    """Makes a name that was never used before."""
    label: str = ""
    """Of this worker, for people."""


class Membership:
    """A member of a fleet. Use `joined` around everything that acts for it."""

    def __init__(self, parts: MembershipParts) -> None:
        self.tenure = parts.tenure
        self.sightings = Sightings(parts.tenure)
        self.changes = Signals()
        """Set when members come or go, and when this worker may act again, or has become another."""
        self._parts = parts
        self._drain = parts.surroundings.drain
        self._clock = parts.surroundings.clock
        self._me = parts.new_id()
        self._beaten_at: float | None = None
        self._fenced = False
        self._applied = 0
        self._hurry = self._drain.signal()

    @property
    def me(self) -> str:
        """The name this worker has now; another one after the fleet took it for dead."""
        return self._me

    def may_act(self, owner: str) -> bool:
        """Whether this worker may act on what it took under a name."""
        now = self._clock.monotonic()
        return owner == self._me and may_act(now=now, beaten_at=self._beaten_at, tenure=self.tenure)

    @property
    def revision(self) -> int:
        """Of the mappings: another one means that a worker has changed one."""
        return self._parts.store.revision

    def applied(self, revision: int) -> None:
        """Tell the others that nothing runs here that is of an earlier revision."""
        if revision != self._applied:
            self._applied = revision
            self._hurry.set()

    @asynccontextmanager
    async def joined(self) -> AsyncIterator[None]:
        """Be a member of the fleet; at the end all that is still held is free.

        Raises:
            StateRefused: The store is another one than it was.
        """
        await self._join()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._beat_on)
                tasks.start_soon(self._watch_on)
                try:
                    yield
                finally:
                    tasks.cancel_scope.cancel()
        finally:
            with anyio.move_on_after(LEAVE_LIMIT_S, shield=True):
                await self._leave()

    async def _join(self) -> None:
        """Take a place among the members, as often as it takes: nothing can be done without.

        Who was taken for dead while it drains has nothing left to do, and stays away.
        """
        while not self._drain.requested:
            asked_at = self._clock.monotonic()
            try:
                await self._parts.store.join(self._member())
                await self._parts.store.beat(self._member())
                await self._look()
            except MembershipLost:
                self._become_another()
            except StateUnavailable as error:
                self._tell_trouble(str(error))
                await self._rest()
            else:
                self._beaten_at = asked_at
                structlog.get_logger().info(Log.WORKER_JOINED, worker=self._me)
                return

    async def _leave(self) -> None:
        while True:
            try:
                await self._parts.store.leave(self._member())
            except StateUnavailable:
                await self._rest()
            else:
                return

    # ----- heartbeats

    async def _beat_on(self) -> None:
        while True:
            sent_at, member = self._clock.monotonic(), self._member()
            try:
                heard = await self._beat(member)
            except MembershipLost:
                self._become_another()
                if self._drain.requested:
                    return
                await self._join()
                continue
            if not heard:
                await self._rest()
                continue
            self._beaten_at = sent_at
            self._tell_end_of_trouble()
            # What has changed meanwhile is told at once.
            if (member.leaving, member.applied) == (self._drain.requested, self._applied):
                await self._hurry.wait(self.tenure.beat_s - (self._clock.monotonic() - sent_at))

    async def _beat(self, member: Member) -> bool:
        """Whether it was heard."""
        try:
            with anyio.move_on_after(self.tenure.reply_s):
                await self._parts.store.beat(member)
                return True
        except StateUnavailable as error:
            self._tell_trouble(str(error))
            return False
        self._tell_trouble("a heartbeat was not answered in time")
        return False

    def _become_another(self) -> None:
        """The fleet took this worker for dead: what it held is not its own any more."""
        structlog.get_logger().warning(Log.WORKER_REPLACED, worker=self._me)
        self._me = self._parts.new_id()
        self._beaten_at = None
        self.changes.set()

    # ----- the others

    async def _watch_on(self) -> None:
        while True:
            await anyio.sleep(self.tenure.watch_s * (0.8 + 0.2 * self._parts.surroundings.chance()))
            try:
                await self._look()
                await self._bury()
            except StateUnavailable as error:
                self._tell_trouble(str(error))

    async def _look(self) -> None:
        asked_at = self._clock.monotonic()
        members = await self._parts.store.members()
        before = (self.sightings.living, self.sightings.staying)
        self.sightings.see(members, asked_at=asked_at, answered_at=self._clock.monotonic())
        if before != (self.sightings.living, self.sightings.staying):
            self.changes.set()

    async def _bury(self) -> None:
        for member in self.sightings.to_bury:
            if member.id != self._me:
                structlog.get_logger().warning(
                    Log.WORKER_BURIED, worker=member.id, label=member.label, counter=member.counter
                )
                await self._parts.store.bury(member)
        for member in self.sightings.to_forget:
            await self._parts.store.forget(member)

    # ----- what is told

    def _tell_trouble(self, reason: str) -> None:
        now = self._clock.monotonic()
        if not self._fenced and not may_act(now=now, beaten_at=self._beaten_at, tenure=self.tenure):
            self._fenced = True
            structlog.get_logger().warning(Log.WORKER_FENCED, worker=self._me, reason=reason)

    def _tell_end_of_trouble(self) -> None:
        if self._fenced:
            self._fenced = False
            structlog.get_logger().info(Log.WORKER_JOINED, worker=self._me)
            self.changes.set()

    def _member(self) -> Member:
        return Member(
            id=self._me,
            leaving=self._drain.requested,
            applied=self._applied,
            lease_s=self.tenure.lease_s,
            label=self._parts.label,
        )

    async def _rest(self) -> None:
        """Wait a little, each worker a time of its own."""
        await anyio.sleep(self.tenure.watch_s * (0.2 + 0.8 * self._parts.surroundings.chance()))
