"""What the pollers of one queue pass: to receive, and to send a batch to the function."""

from collections.abc import Sequence
from dataclasses import dataclass

from poller.core.queue_flow import MAX_IN_FLIGHT, QueueFlow, Ticket
from poller.core.receipts import Receipts, groups_of
from poller.core.records import Record
from poller.core.visibility import MARGIN_S
from poller.interfaces import Target
from poller.surroundings import Surroundings
from poller.telemetry import Meter, Operation
from poller.waiting import Signal
from poller.watch import GROUP, Watch

NOT_READY = "PROBLEM: the function is not ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateParts:
    """What a gate works with."""

    flow: QueueFlow
    receipts: Receipts
    target: Target
    surroundings: Surroundings
    meter: Meter
    watch: Watch
    fifo: bool
    """Whether messages have an order within their groups."""
    probe_s: float
    """Between two questions whether a function is there."""


class QueueGate:
    """Keeps pollers waiting until the flow and the order of message groups let them pass."""

    def __init__(self, parts: GateParts) -> None:
        self.retired = False
        self.pollers = 0
        """Tasks that come here for a place."""
        self.polls = 0
        """Receives that are open or wait for memory."""
        self._parts = parts
        self._flow = parts.flow
        self._groups: set[str] = set()
        """Message groups that have a batch on its way (semantics 2.5.1)."""
        self._entering = 0
        self._probing = False
        self._full = False
        """Whether a poller waits because too many messages are in flight."""
        self._changed: Signal = parts.surroundings.drain.signal()

    @property
    def stopping(self) -> bool:
        """Whether nothing more is to be received."""
        return self.retired or self._parts.surroundings.drain.requested

    @property
    def takes_nothing(self) -> bool:
        """Whether the function refuses all it is given, so that nothing is received for it."""
        return self._flow.closed

    def retire(self) -> None:
        """Let nobody receive any more."""
        self.retired = True
        self._changed.set()

    def limit(self, places: int) -> None:
        """Let so many places be taken from now on."""
        self._flow.limit = places
        self._changed.set()

    def settled(self) -> None:
        """Messages are no longer in flight."""
        if self._full:
            self._full = False
            self._changed.set()

    async def rest(self, seconds: float) -> None:
        """Wait, unless all is to end."""
        until = self._now() + seconds
        while not self.stopping and (left_s := until - self._now()) > 0:
            await self._changed.wait(left_s)

    # ----- a place

    async def place(self) -> bool:
        """Wait for a place from which to receive; False where this poller is to end."""
        while not self.stopping and self.pollers <= self._flow.limit + 1:
            if self._flow.may_poll(len(self._parts.receipts)):
                self._flow.places += 1
                self._parts.meter.counts.pollers += 1
                return True
            if self._flow.stranded and not self._probing:
                await self._until_there()
            else:
                self._full = len(self._parts.receipts) >= MAX_IN_FLIGHT
                await self._changed.wait()
        self.pollers -= 1
        return False

    def leave(self) -> None:
        """Give a place back; whoever had it takes another, if any may be taken."""
        self._flow.places -= 1
        self._parts.meter.counts.pollers -= 1
        if self._flow.stranded:
            self._changed.set()

    async def _until_there(self) -> None:
        """No batch is left to find out with whether the function takes anything: ask it."""
        parts = self._parts
        self._probing = True
        try:
            while not self.stopping and self._flow.stranded:
                if await parts.target.ready():
                    self._flow.reopen()
                    parts.meter.working(operation=Operation.FUNCTION)
                else:
                    parts.meter.problem(NOT_READY, operation=Operation.FUNCTION)
                    await self.rest(parts.probe_s)
        finally:
            self._probing = False
            self._changed.set()

    # ----- to the function

    async def enter(self, ticket: Ticket, records: Sequence[Record], *, again: bool) -> bool:
        """Wait until a batch may be sent; False where there is no time left for it, or no function.

        Args:
            ticket: Of the batch.
            records: Its messages, whose groups are taken until `leave_groups`.
            again: Whether it has its groups already.
        """
        groups = groups_of(records) if self._parts.fifo else frozenset()
        if self._may_enter(ticket, records, groups, again=again):
            return self._enter(ticket, groups)
        watched = self._parts.watch.waiting_for(GROUP)
        self._entering += 1
        try:
            while not self._may_enter(ticket, records, groups, again=again):
                if self._hopeless():
                    return False
                if again or self._free(records, groups):
                    await self._changed.wait(self._time_left_s())
                else:
                    with watched:
                        await self._changed.wait(self._time_left_s())
        finally:
            self._entering -= 1
        return self._enter(ticket, groups)

    def _may_enter(
        self, ticket: Ticket, records: Sequence[Record], groups: frozenset[str], *, again: bool
    ) -> bool:
        free = again or not groups or self._free(records, groups)
        return free and self._flow.may_start(ticket) and self._in_time()

    def _free(self, records: Sequence[Record], groups: frozenset[str]) -> bool:
        """Whether nothing of these groups is on its way, or comes before."""
        return self._groups.isdisjoint(groups) and self._parts.receipts.leads(records)

    def _enter(self, ticket: Ticket, groups: frozenset[str]) -> bool:
        self._groups |= groups
        self._flow.start(ticket)
        if self._flow.running >= self._flow.limit:
            self._changed.set()  # one more may be held
        return True

    def _hopeless(self) -> bool:
        return not self._in_time() or (self.stopping and self._flow.closed)

    def _in_time(self) -> bool:
        left_s = self._time_left_s()
        return left_s is None or left_s > 0

    def _time_left_s(self) -> float | None:
        """Seconds within which an invocation has to start to end before a drain does; None for any time."""
        drain = self._parts.surroundings.drain
        if not drain.requested:
            return None
        return drain.deadline - self._parts.receipts.visibility.run_s - MARGIN_S - self._now()

    def stop(self) -> None:
        """A batch that was sent is the function's no longer."""
        self._flow.stop()
        if self._entering:
            self._changed.set()

    def accepted(self) -> None:
        """The function took a batch."""
        if self._flow.closed:
            self._changed.set()
        self._flow.accepted()

    def refused(self, ticket: Ticket, *, gone: bool) -> None:
        """The function refused a batch; see `QueueFlow.refused`."""
        self._flow.refused(ticket, gone=gone)
        self._changed.set()

    def leave_groups(self, ticket: Ticket, records: Sequence[Record]) -> None:
        """A batch that had entered is over."""
        self._flow.leave(ticket)
        if self._parts.fifo:
            self._groups -= groups_of(records)
        self.given_back()

    def given_back(self) -> None:
        """What others wait for may be gone."""
        if self._entering:
            self._changed.set()

    def _now(self) -> float:
        return self._parts.surroundings.clock.monotonic()
