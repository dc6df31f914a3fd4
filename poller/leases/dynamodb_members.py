"""Members of a fleet in a DynamoDB table."""

import time
import uuid
from collections.abc import Sequence
from contextlib import suppress

from mappings.errors import StoreRefused
from mappings.stores.dynamodb_table import NEW, SORT, THERE, Condition, ConditionFailed, Item, Table
from poller.core.members import Member
from poller.errors import MembershipLost
from poller.state_errors import state_errors

SCHEMA_VERSION = 1
PARTITION = "member"
# In the partition of the members, so that whoever looks at them sees it too; before every id.
FLEET = "!fleet"
_LIVING = Condition(text=f"{THERE.text} AND #dead = :no", values={"no": False})


class DynamoDbMemberStore:
    """A member store over tables with settings of their own: a heartbeat waits for nothing else."""

    def __init__(self, *, beats: Table, scans: Table, incarnation: str) -> None:
        """Make a view of the fleet.

        Args:
            beats: For heartbeats.
            scans: For everything else.
            incarnation: Which table of this name this is: see `open_fleet`.
        """
        self._beats = beats
        self._scans = scans
        self._incarnation = incarnation
        self._revision = 0

    @property
    def revision(self) -> int:
        """Of the mappings, as far as it is known here."""
        return self._revision

    async def mappings_changed(self) -> None:
        """Let all workers look at the mappings again. Raises StoreUnavailable."""
        item = await self._scans.update(PARTITION, FLEET, when=THERE, change={}, add={"revision": 1})
        self._revision = max(self._revision, int(item["revision"]))

    async def members(self) -> Sequence[Member]:
        """All members."""
        with state_errors():
            items = await self._scans.query(PARTITION)
            fleet = [item for item in items if item[SORT] == FLEET]
            if not fleet or fleet[0]["incarnation"] != self._incarnation:
                raise StoreRefused(
                    f"table {self._scans.name} is another one than it was at the start: its positions "
                    "were deleted or restored; see to them, then start again"
                )
        self._revision = max(self._revision, int(fleet[0].get("revision", 0)))
        return [_member(item) for item in items if item[SORT] != FLEET]

    async def join(self, member: Member) -> None:
        """Add a member."""
        item: Item = {
            "counter": member.counter,
            "leaving": member.leaving,
            "dead": member.dead,
            "lease_ms": round(member.lease_s * 1000),
            "applied": member.applied,
            "label": member.label,
            "at": _now(),
        }
        with state_errors(), suppress(ConditionFailed):
            await self._beats.put(PARTITION, member.id, item, when=NEW)

    async def beat(self, member: Member) -> None:
        """Show that a worker lives."""
        change = {"leaving": member.leaving, "applied": member.applied, "at": _now()}
        with state_errors():
            try:
                await self._beats.update(
                    PARTITION, member.id, when=_LIVING, change=change, add={"counter": 1}
                )
            except ConditionFailed as failed:
                raise MembershipLost(f"worker {member.id} was taken for dead") from failed

    async def bury(self, member: Member) -> None:
        """Declare a member dead if its counter still stands where it was seen."""
        await self._declare_dead(
            member, Condition(text="#counter = :counter", values={"counter": member.counter})
        )

    async def leave(self, member: Member) -> None:
        """Say of oneself that one is no more."""
        await self._declare_dead(member, THERE)

    async def forget(self, member: Member) -> None:
        """Remove a dead member."""
        with state_errors(), suppress(ConditionFailed):
            dead = Condition(text="#dead = :yes", values={"yes": True})
            await self._scans.delete(PARTITION, member.id, when=dead)

    async def _declare_dead(self, member: Member, when: Condition) -> None:
        with state_errors(), suppress(ConditionFailed):
            await self._beats.update(PARTITION, member.id, when=when, change={"dead": True})


async def open_fleet(table: Table) -> str:
    """The incarnation of a table: written when its namespace is first used, so that a later one differs.

    Raises:
        StoreRefused: It was written by a newer version of the poller, or does not exist.
    """
    fresh: Item = {"incarnation": uuid.uuid4().hex, "schema": SCHEMA_VERSION}
    with suppress(ConditionFailed):
        await table.put(PARTITION, FLEET, fresh, when=NEW)
    found = await table.get(PARTITION, FLEET) or fresh
    schema = int(found["schema"])
    if schema > SCHEMA_VERSION:
        raise StoreRefused(
            f"table {table.name} was written by a newer version of the poller (schema {schema}, this one "
            f"knows {SCHEMA_VERSION})"
        )
    return str(found["incarnation"])


def _member(item: Item) -> Member:
    return Member(
        id=str(item[SORT]),
        counter=int(item["counter"]),
        leaving=bool(item["leaving"]),
        dead=bool(item["dead"]),
        lease_s=int(item["lease_ms"]) / 1000,
        applied=int(item["applied"]),
        label=str(item["label"]),
    )


def _now() -> int:
    """Wall time in milliseconds, for people who look at the table; nothing else reads it."""
    return int(time.time() * 1000)
