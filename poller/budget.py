"""How many bytes of records this process may hold in memory."""

from poller.waiting import Drain


class ByteBudget:
    """Counts the bytes of records between receive and settle.

    A read is begun only below the limit, so the limit can be passed by the pages that were already asked for.
    """

    def __init__(self, limit_bytes: int, drain: Drain) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._drain = drain
        self._freed = drain.signal()

    async def room(self) -> None:
        """Wait until there is room, or until draining begins."""
        while self.used_bytes >= self.limit_bytes and not self._drain.requested:
            await self._freed.wait()

    def take(self, size_bytes: int) -> None:
        """Records were received."""
        self.used_bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Records were settled or forgotten."""
        self.used_bytes -= size_bytes
        self._freed.set()
