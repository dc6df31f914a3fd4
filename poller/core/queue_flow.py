"""How much of a queue is in flight: who may receive, which batch may start.

A slot of the function is taken when an invocation starts, never by a poll. A place is one poll and what it
brings, until all of that has been delivered.
"""

REQUEST_MESSAGES = 10  # of one ReceiveMessage, DeleteMessageBatch or ChangeMessageVisibilityBatch
MAX_IN_FLIGHT = 10_000  # messages of one mapping that are received and not settled


class Ticket:
    """One batch on its way to the function."""

    __slots__ = ("accepted",)

    def __init__(self) -> None:
        self.accepted: int | None = None
        """Invocations accepted when this batch was refused last; None before that."""


class QueueFlow:
    """The places of one mapping and what runs in them."""

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        """Places wanted: the smallest of the scaler's number, the mapping's maximum and the function's."""
        self.places = 0
        """Polls that are open, batches that are held and batches that run."""
        self.running = 0
        """Batches the function has, or is being asked to take."""
        self._accepted = 0
        self._closed = False
        self._probe: Ticket | None = None

    @property
    def closed(self) -> bool:
        """Whether the function takes nothing: then nothing is received, and one batch probes."""
        return self._closed

    @property
    def stranded(self) -> bool:
        """Whether the function takes nothing and no batch is there to find out when that ends."""
        return self._closed and not self.places

    def may_poll(self, in_flight: int) -> bool:
        """Whether another place may be taken, to receive.

        One batch beyond what runs may always be held, so that no mapping waits for another's poll.

        Args:
            in_flight: Messages that are received and not settled.
        """
        if self._closed or not self.limit or in_flight >= MAX_IN_FLIGHT:
            return False
        return self.places < max(self.limit, self.running + 1)

    def may_start(self, ticket: Ticket) -> bool:
        """Whether a batch may be sent to the function."""
        if self._closed:
            return self._probe is None or self._probe is ticket
        return self.running < max(self.limit, 1)

    def start(self, ticket: Ticket) -> None:
        """A batch is being sent."""
        self.running += 1
        if self._closed:
            self._probe = ticket

    def stop(self) -> None:
        """A batch that was sent is the function's no longer."""
        self.running -= 1

    def accepted(self) -> None:
        """The function took a batch, whatever came of it."""
        self._accepted += 1
        self.reopen()

    def refused(self, ticket: Ticket, *, gone: bool) -> None:
        """The function refused a batch.

        Args:
            ticket: Of the batch.
            gone: Whether the function cannot be reached at all.
        """
        if gone or ticket.accepted == self._accepted:  # nothing was taken during its whole back-off
            self._closed = True
            self._probe = self._probe or ticket
        ticket.accepted = self._accepted

    def leave(self, ticket: Ticket) -> None:
        """A batch is over, run or not: another may probe."""
        if self._probe is ticket:
            self._probe = None

    def reopen(self) -> None:
        """The function is there."""
        self._closed = False
        self._probe = None
