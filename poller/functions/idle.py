"""The processes of one function that wait for an event, and the end of those that wait for too long."""

import asyncio
from collections.abc import Iterator

import anyio

from poller.functions.process import RuntimeProcess

# AWS ends environments that stay unused for some minutes; it promises no number.
UNUSED_S = 600.0
# A runtime asks within a millisecond of its answer. Beyond this another process would be there as soon.
SOON_S = 0.1


class IdleProcesses:
    """Processes that have asked for their next event."""

    def __init__(self, *, unused_s: float = UNUSED_S) -> None:
        """Keep each for `unused_s` seconds at most."""
        self._unused_s = unused_s
        self._waiting: list[tuple[float, RuntimeProcess]] = []
        """With the loop's time since which it waits: the first has waited longest."""
        self._expected: list[RuntimeProcess] = []
        self._changed = anyio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def __iter__(self) -> Iterator[RuntimeProcess]:
        """All of them."""
        return (process for _, process in self._waiting)

    def expect(self, process: RuntimeProcess) -> None:
        """A process has answered: it will be added, or has ended."""
        self._expected.append(process)

    def add(self, process: RuntimeProcess) -> None:
        """Keep a process that has asked."""
        self._waiting.append((asyncio.get_running_loop().time(), process))
        self._arm()

    def forget(self, process: RuntimeProcess) -> None:
        """A process is expected no longer."""
        if process in self._expected:
            self._expected.remove(process)
            self._changed.set()
            self._changed = anyio.Event()

    async def expected(self, version: str) -> None:
        """Wait a moment for a process of this version that is about to ask, where none waits already."""
        if not self._lacks(version):
            return
        with anyio.move_on_after(SOON_S):
            while self._lacks(version):
                await self._changed.wait()

    def take(self, version: str) -> RuntimeProcess | None:
        """Take one that runs this version: the one used last, whose caches are warm."""
        self._waiting = [(since, process) for since, process in self._waiting if process.alive]
        for index in range(len(self._waiting) - 1, -1, -1):
            if self._waiting[index][1].version == version:
                return self._waiting.pop(index)[1]
        return None

    def has(self, version: str) -> bool:
        """Whether one of this version waits."""
        return any(process.alive and process.version == version for process in self)

    def _lacks(self, version: str) -> bool:
        return any(process.version == version for process in self._expected) and not self.has(version)

    def close(self) -> None:
        """End none of them any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._timer is None and self._waiting:
            at = self._waiting[0][0] + self._unused_s
            self._timer = asyncio.get_running_loop().call_at(at, self._end_unused)

    def _end_unused(self) -> None:
        self._timer = None
        # The clock of the loop may ring a moment early.
        unused_since = asyncio.get_running_loop().time() - self._unused_s + 0.001
        while self._waiting and self._waiting[0][0] <= unused_since:
            self._waiting.pop(0)[1].stop()
        self._arm()
