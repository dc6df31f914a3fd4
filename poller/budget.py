"""How many bytes of records this process may hold in memory."""

from poller.waiting import Drain


class ByteBudget:
    """Counts the bytes of records between receive and settle, and of the pages that are being read."""

    def __init__(self, limit_bytes: int, drain: Drain) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._drain = drain
        self._freed = drain.signal()

    async def reserve(self, page_bytes: int) -> None:
        """Wait until a page of this size fits, or until draining begins; then count it.

        With nothing held any page fits: a small budget makes reading slow, it does not end it.
        """
        while self.used_bytes and self.used_bytes + page_bytes > self.limit_bytes:
            if self._drain.requested:
                break
            await self._freed.wait()
        self.take(page_bytes)

    def take(self, size_bytes: int) -> None:
        """Count bytes that are held from now on; a negative size gives bytes back."""
        self.used_bytes += size_bytes
        if size_bytes < 0:
            self._freed.set()
