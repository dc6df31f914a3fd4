"""The pollers of one queue, as many as the scaler says."""

from collections.abc import Callable, Coroutine

import anyio

from poller.core.records import Position, Shard, Topology
from poller.poller import Poller, PollerParts
from poller.rules import QUEUE_POLLERS

Work = Callable[[], Coroutine[None, None, None]]
Supervise = Callable[[str, Work], Coroutine[None, None, None]]
"""Runs a named piece of work and starts it again should it die of an unforeseen error."""


class QueuePool:
    """Polls a queue with several pollers. A queue is never leased: SQS hides a message from the others."""

    def __init__(self, parts: PollerParts, *, on_open: Callable[[], None], supervise: Supervise) -> None:
        self._parts = parts
        self._on_open = on_open
        self._supervise = supervise

    async def run(self, topology: Topology) -> None:
        """Poll until draining begins."""
        (queue,) = topology.shards
        async with anyio.create_task_group() as pollers:
            for _ in range(QUEUE_POLLERS):
                pollers.start_soon(self._supervise, queue.id, lambda: self._poll(queue))

    async def _poll(self, queue: Shard) -> None:
        poller = Poller(
            self._parts,
            shard=queue,
            start=Position.trim_horizon(),
            save=_nothing_to_save,
            on_open=self._on_open,
        )
        await poller.run()


async def _nothing_to_save(position: Position) -> None:
    raise AssertionError(f"a queue has no checkpoint: {position}")
