"""How many bytes of records this process may hold in memory."""

from collections import deque
from collections.abc import Callable

from poller.waiting import Drain, Signal


class ByteBudget:
    """Counts the bytes of records between receive and settle, and of the pages that are being read.

    Who waits for room gets it in turn, and looks when it is its turn: a thousand shards are not all woken by
    each page that is given back.
    """

    def __init__(self, limit_bytes: int, drain: Drain) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._drain = drain
        self._turns: deque[Signal] = deque()

    async def reserve(self, page_bytes: int, *, stopping: Callable[[], bool]) -> bool:
        """Wait until a page of this size fits and count it; False if who asks is stopping first.

        With nothing held any page fits: a small budget makes reading slow, it does not end it.
        """
        if self._turns or not self._fits(page_bytes):
            await self._wait_for(page_bytes, stopping)
        if stopping():
            return False
        self.take(page_bytes)
        return True

    async def _wait_for(self, page_bytes: int, stopping: Callable[[], bool]) -> None:
        turn = self._drain.signal()
        self._turns.append(turn)
        try:
            while not stopping() and (self._turns[0] is not turn or not self._fits(page_bytes)):
                await turn.wait()
        finally:
            self._turns.remove(turn)
            self._call_next()

    def wake(self) -> None:
        """Let those who wait look again: one of them may be stopping."""
        for turn in self._turns:
            turn.set()

    def take(self, size_bytes: int) -> None:
        """Count bytes that are held from now on; a negative size gives bytes back."""
        self.used_bytes += size_bytes
        if size_bytes < 0:
            self._call_next()

    def _call_next(self) -> None:
        """Who is called looks later, once whoever gave a page back has taken in what was in it."""
        if self._turns:
            self._turns[0].set()

    def _fits(self, size_bytes: int) -> bool:
        return not self.used_bytes or self.used_bytes + size_bytes <= self.limit_bytes
