"""All mappings of this worker: starts them, tells when all poll, drains them."""

from collections.abc import Callable, Sequence

import anyio

from poller.runner import Runner
from poller.surroundings import Surroundings


class Supervisor:
    """Runs every mapping until draining begins, then waits for what runs, but not for ever."""

    def __init__(
        self,
        surroundings: Surroundings,
        *,
        drain_timeout_s: float,
        on_ready: Callable[[int], None],
    ) -> None:
        self.runners: Sequence[Runner] = ()
        self._surroundings = surroundings
        self._drain_timeout_s = drain_timeout_s
        self._on_ready = on_ready
        self._told = False

    def polling(self) -> None:
        """A mapping polls; the last one makes the worker ready."""
        if not self._told and all(runner.polling for runner in self.runners):
            self._told = True
            self._on_ready(len(self.runners))

    async def run(self, runners: Sequence[Runner]) -> bool:
        """Run mappings until they have drained; whether all of them did in time."""
        self.runners = runners
        drained = True
        async with anyio.create_task_group() as clock:
            with anyio.CancelScope() as work:
                clock.start_soon(self._limit_drain, work)
                async with anyio.create_task_group() as group:
                    for runner in runners:
                        group.start_soon(runner.run)
            drained = not work.cancelled_caught
            clock.cancel_scope.cancel()
        return drained

    async def _limit_drain(self, work: anyio.CancelScope) -> None:
        await self._surroundings.drain.wait()
        await anyio.sleep(self._drain_timeout_s)
        work.cancel()
