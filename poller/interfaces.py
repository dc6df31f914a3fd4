"""The seams: everything the loop needs from outside, each two to five methods.

Implementations are dumb: they never retry, never batch and never decide. What they may raise is in `errors`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from poller.core.documents import Document
from poller.core.leasing import Lease
from poller.core.log_tail import LogTail
from poller.core.members import Member
from poller.core.outcomes import Outcome
from poller.core.records import Page, Position, Record, Shard, Topology
from poller.core.timewindow import WindowState
from poller.core.visibility import Visibility


class Clock(Protocol):
    """Time and waiting. The simulation replaces it."""

    def monotonic(self) -> float:
        """Seconds for deadlines, back-off and visibility."""
        ...

    def wall(self) -> float:
        """Epoch seconds, for record age and display only."""
        ...


class Unsettled(Struct, frozen=True, kw_only=True):
    """What a queue did not do of what it was asked."""

    again: Sequence[Record] = ()
    """Worth another try."""
    lost: Sequence[Record] = ()
    """Beyond it: the receipt has expired, so that the queue delivers these again by itself."""
    reason: str = ""
    """Why, in the queue's words."""


class Reader(Protocol):
    """An open shard or queue."""

    async def receive(self, limit: int, wait_s: float) -> Page:
        """Read up to `limit` records, in order; a source that can wait does so for up to `wait_s`.

        Never cancelled: a message taken by a cancelled long poll would stay invisible.
        """
        ...


class QueueReader(Reader, Protocol):
    """An open queue. Any number of its calls may be under way at once."""

    async def delete(self, records: Sequence[Record]) -> Unsettled:
        """Delete up to ten messages; returns those that were not deleted."""
        ...

    async def hide(self, records: Sequence[Record], seconds: float) -> Unsettled:
        """Hide up to ten messages from others for so long from now on; 0 shows them at once.

        Returns those that were not changed. Raises SourceDenied where that is not allowed.
        """
        ...


class Source(Protocol):
    """One event source of one mapping."""

    async def discover(self) -> Topology:
        """List all shards, completely or not at all: a page that fails discards the listing."""
        ...

    async def open(self, shard: Shard, after: Position) -> Reader:
        """Open a shard at a position. Raises PositionExpired where that position was trimmed."""
        ...


@runtime_checkable
class QueueSource(Source, Protocol):
    """One queue of one mapping."""

    @property
    def visibility(self) -> Visibility:
        """How long its messages stay hidden, as of the last `discover`."""
        ...

    async def open(self, shard: Shard, after: Position) -> QueueReader:
        """Open the queue."""
        ...


class NotStarted(Exception):
    """Raised by `Invocation.start`: the batch must not run as it is, or not now."""


class Invocation(Struct, frozen=True, kw_only=True):
    """One request to a function."""

    payload: bytes
    """The event, JSON."""
    request_id: str
    """The same for every try of an unchanged batch."""
    attempt: int = 1
    """1 for the first delivery of this payload."""
    mapping: str = ""
    """Name of the mapping that asks; for logs and headers."""
    function_arn: str = ""
    """What the function is called by who asks; empty for what its target calls it."""
    version: str = ""
    """Which version is to run; empty for the one that its target means."""
    client_context: str = ""
    """JSON for the handler's context."""
    tail: LogTail | None = None
    """Takes what the invocation prints."""
    by_caller: bool = False
    """Whether a client waits for the answer, who is refused rather than kept waiting for a slot."""
    start: Callable[[], None] | None = None
    """Called once the function has a slot, right before the event is sent.

    Raises NotStarted, which leaves `invoke`: the slot is given back and nothing is sent.
    """


class Target(Protocol):
    """A function. Answers with data; raises only NotStarted, and for bugs of ours."""

    async def ready(self) -> bool:
        """Whether it could take an invocation now. Nothing is received for a function that is not there."""
        ...

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Run the function once, synchronously. Never retried here."""
        ...

    async def close(self) -> None:
        """Let go of processes and connections."""
        ...


class Destination(Protocol):
    """An on-failure destination of one mapping."""

    async def check(self) -> None:
        """Raise DestinationError where it can be seen, without sending, that it takes nothing."""
        ...

    async def send(self, document: Document) -> None:
        """Deliver a document; once this returns, the destination has acknowledged it.

        Raises DestinationError. Never retried here; what was not answered may have been delivered.
        """
        ...


class LeaseStore(Protocol):
    """Leases, durable. Every write names the epoch it was made under; a stale one raises LeaseLost.

    Reads and writes may raise StateUnavailable; what was not answered may have been written.
    """

    async def mappings(self) -> Sequence[str]:
        """UUIDs of all mappings that have leases, for whoever looks at the whole."""
        ...

    async def list(self, mapping: str) -> Sequence[Lease]:
        """All leases of a mapping, in the order of their shard ids."""
        ...

    async def get(self, mapping: str, shard: str) -> Lease | None:
        """The lease of one shard; None where there is none."""
        ...

    async def create(self, leases: Sequence[Lease]) -> None:
        """Add leases, all in one write; a lease that exists is left as it is."""
        ...

    async def take(self, lease: Lease, owner: str) -> Lease:
        """Become the owner of a lease seen at this epoch and counter."""
        ...

    async def request(self, lease: Lease, claimant: str) -> None:
        """Ask the owner of a lease seen at this epoch and counter to give it up."""
        ...

    async def decline(self, lease: Lease) -> None:
        """Keep a lease that somebody asked for."""
        ...

    async def checkpoint(self, lease: Lease, position: Position, window: WindowState | None = None) -> Lease:
        """Record that everything up to and including `position` is finished, and what window is open there.

        Both in one write: a state counts exactly the records up to its checkpoint.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Give a lease up, for its claimant if there is one, so that another may take it at once."""
        ...

    async def delete(self, leases: Sequence[Lease]) -> None:
        """Forget leases whose shards no longer exist."""
        ...

    async def clear(self, mapping: str) -> None:
        """Forget all that is kept of a mapping; again, what somebody who was cut off has left of it."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of the store."""
        ...


class MemberStore(Protocol):
    """The workers of a fleet. Only a store that several workers share has one.

    Every method may raise StateUnavailable; what was not answered may have been written.
    """

    @property
    def revision(self) -> int:
        """Of the mappings, as last read here: grows with each change of one, by whichever worker."""
        ...

    async def members(self) -> Sequence[Member]:
        """All members as they are now, also the dead. Raises StateRefused where the store was replaced."""
        ...

    async def join(self, member: Member) -> None:
        """Add a member; one that exists is left as it is."""
        ...

    async def beat(self, member: Member) -> None:
        """Show that a worker lives, and whether it leaves. Raises MembershipLost."""
        ...

    async def bury(self, member: Member) -> None:
        """Declare a member dead if its counter still stands where it was seen."""
        ...

    async def leave(self, member: Member) -> None:
        """Say of oneself that one is no more: all leases still held are free."""
        ...

    async def forget(self, member: Member) -> None:
        """Remove a dead member."""
        ...
