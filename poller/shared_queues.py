"""What the mappings of one queue share in a process: its open polls, and which messages were handled."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from poller.core.receipts import Settled


class SharedQueue:
    """One queue, as all of its mappings here see it."""

    def __init__(self) -> None:
        self.settled = Settled()
        self._polls = 0
        self._quiet = anyio.Event()

    @contextmanager
    def polling(self) -> Iterator[None]:
        """A receive is open inside."""
        if not self._polls:
            self._quiet = anyio.Event()
        self._polls += 1
        try:
            yield
        finally:
            self._polls -= 1
            if not self._polls:
                self._quiet.set()

    async def until_quiet(self, longest_s: float) -> None:
        """Wait until no receive is open, which would take what is given back; at most `longest_s`."""
        with anyio.move_on_after(longest_s):
            while self._polls:
                await self._quiet.wait()


class SharedQueues:
    """The queues of this process by ARN."""

    def __init__(self) -> None:
        self._queues: dict[str, SharedQueue] = {}

    def of(self, arn: str) -> SharedQueue:
        """What is shared of a queue; kept, since one that comes back may still hold messages handled here."""
        return self._queues.setdefault(arn, SharedQueue())
