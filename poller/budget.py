"""How many bytes of records this process may hold in memory."""

from collections.abc import Callable

from poller.waiting import Drain


class ByteBudget:
    """Counts the bytes of records between receive and settle, and of the pages that are being read."""

    def __init__(self, limit_bytes: int, drain: Drain) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._freed = drain.signal()

    async def reserve(self, page_bytes: int, *, stopping: Callable[[], bool]) -> bool:
        """Wait until a page of this size fits and count it; False if who asks is stopping first.

        With nothing held any page fits: a small budget makes reading slow, it does not end it.
        """
        while not stopping():
            if not self.used_bytes or self.used_bytes + page_bytes <= self.limit_bytes:
                self.take(page_bytes)
                return True
            await self._freed.wait()
        return False

    def wake(self) -> None:
        """Let those who wait look again: one of them may be stopping."""
        self._freed.set()

    def take(self, size_bytes: int) -> None:
        """Count bytes that are held from now on; a negative size gives bytes back."""
        self.used_bytes += size_bytes
        if size_bytes < 0:
            self._freed.set()
