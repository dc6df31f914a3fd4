"""The pollers of one queue, as many as the scaler says."""

from collections.abc import Callable, Coroutine, Mapping

import anyio
from anyio.abc import TaskGroup

from poller.core.records import Position, Shard, Topology
from poller.core.scaling import Load, QueueScaler, ScalingRules
from poller.core.sharing import shared
from poller.core.timewindow import WindowState
from poller.counts import Counts
from poller.errors import SourceError
from poller.fleet import Fleet
from poller.poller import Poller
from poller.poller_parts import PollerParts

Work = Callable[[], Coroutine[None, None, None]]
Supervise = Callable[[str, Work], Coroutine[None, None, None]]
"""Runs a named piece of work and starts it again should it die of an unforeseen error."""

_FAILURES = ("function_error", "timeout", "lost_reply")
_REFUSALS = ("throttled", "unreachable")


class QueuePool:
    """Polls a queue with several pollers. A queue is never leased: SQS hides a message from the others."""

    def __init__(
        self,
        parts: PollerParts,
        *,
        rules: ScalingRules,
        fleet: Fleet,
        capped: bool,
        sample_s: float,
        refresh_s: float,
        on_open: Callable[[], None],
        supervise: Supervise,
    ) -> None:
        self._parts = parts
        self._rules = rules
        self._fleet = fleet
        self._capped = capped
        self._scaler = QueueScaler(self._share())
        self._sample_s = sample_s
        self._refresh_s = refresh_s
        self._on_open = on_open
        self._supervise = supervise
        self._running: list[_Slot] = []
        self._retired = False
        self._changed = parts.surroundings.drain.signal()
        fleet.wake(self._changed)

    def _share(self) -> ScalingRules:
        """What of the mapping's concurrency is this worker's."""
        return shared(self._rules, self._fleet.part(capped=self._capped), capped=self._capped)

    def retire(self) -> None:
        """Receive no more, deliver what is there, then end.

        What was received is not given back, which would cost each message a receive, unless the function
        refuses it: whoever waits for the end would wait as long as messages stay invisible.
        """
        self._retired = True
        for slot in self._running:
            slot.retire(for_good=True)
        self._changed.set()

    async def run(self, topology: Topology) -> None:
        """Poll until retired, or until draining begins; look at the load and, now and then, at the queue."""
        (queue,) = topology.shards
        drain = self._parts.surroundings.drain
        clock = self._parts.surroundings.clock
        before = _reading(self._parts.meter.counts)
        sampled_at = refreshed_at = clock.monotonic()
        async with anyio.create_task_group() as pollers:
            self._resize(pollers, queue)
            while not drain.requested and not self._retired:
                await self._changed.wait(self._sample_s)
                now = clock.monotonic()
                reading = _reading(self._parts.meter.counts)
                self._scaler.follow(self._load(now - sampled_at, before, reading))
                before, sampled_at = reading, now
                self._resize(pollers, queue)
                if now - refreshed_at >= self._refresh_s and not drain.requested and not self._retired:
                    refreshed_at = now
                    await self._refresh()

    def _load(self, elapsed_s: float, before: Mapping[str, int], now: Mapping[str, int]) -> Load:
        working = [slot for slot in self._running if not slot.retiring]
        return Load(
            elapsed_s=elapsed_s,
            pollers=len(working),
            busy=sum(slot.poller.busy for slot in working),
            **{name: now[name] - before[name] for name in now},
        )

    def _resize(self, pollers: TaskGroup, queue: Shard) -> None:
        """Start pollers up to the number wanted; retire idle ones first beyond it.

        A retiring poller still counts: no other takes its place before it has ended.
        """
        if self._parts.surroundings.drain.requested or self._retired:
            return
        self._scaler.limit(self._share())
        wanted = self._scaler.wanted
        if self._has_no_part():
            self._on_open()
        for _ in range(wanted - len(self._running)):
            slot = _Slot(self._poller(queue))
            self._running.append(slot)
            pollers.start_soon(self._run, slot, queue)
        working = [slot for slot in self._running if not slot.retiring]
        for slot in sorted(working, key=lambda slot: slot.poller.busy)[: max(len(working) - wanted, 0)]:
            slot.retire()

    def _has_no_part(self) -> bool:
        """Whether the others use all there is: then this worker has nothing to open."""
        part = self._fleet.part(capped=self._capped)
        return not part.nothing and self._scaler.wanted == 0

    async def _run(self, slot: "_Slot", queue: Shard) -> None:
        async def poll() -> None:
            if slot.spent and slot.retiring:
                return
            if slot.spent:  # it died of an unforeseen error: another takes its place
                slot.poller = self._poller(queue)
            slot.spent = True
            await slot.poller.run()

        await self._supervise(queue.id, poll)
        self._running.remove(slot)

    def _poller(self, queue: Shard) -> Poller:
        return Poller(
            self._parts,
            shard=queue,
            start=Position.trim_horizon(),
            save=_nothing_to_save,
            on_open=self._on_open,
        )

    async def _refresh(self) -> None:
        """Learn of attributes that were changed; a failure is the pollers' to report."""
        try:
            await self._parts.source.discover()
        except SourceError as error:
            self._parts.meter.problem(f"PROBLEM: {error}")
        else:
            self._parts.meter.working()


class _Slot:
    """One place in the pool."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self.spent = False
        self.retiring = False

    def retire(self, *, for_good: bool = False) -> None:
        """Let its poller deliver what it has and end."""
        self.retiring = True
        self.poller.retire(for_good=for_good)


def _reading(counts: Counts) -> dict[str, int]:
    """The totals a load sample is the difference of."""
    return {
        "reads": counts.reads,
        "asked": counts.asked,
        "received": counts.polled,
        "invocations": counts.batches,
        "failures": sum(counts.outcomes.get(name, 0) for name in _FAILURES),
        "throttles": sum(counts.outcomes.get(name, 0) for name in _REFUSALS),
    }


async def _nothing_to_save(position: Position | None, _: WindowState | None) -> None:
    raise AssertionError(f"a queue has no checkpoint: {position}")
