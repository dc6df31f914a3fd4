"""All mappings of this worker: runs those that are wanted, brings their States to rest, drains them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol

import anyio
import structlog
from anyio.abc import TaskGroup

from mappings.errors import StoreUnavailable, VersionChanged
from mappings.functions import Function
from mappings.states import settled_state
from mappings.store import NO_RECORDS_PROCESSED, MappingStore, StoredMapping
from poller.core.backoff import Backoff
from poller.core.leasing import at_rest
from poller.core.reconcile import Running, Settle, Start, Step, Stop, reconcile
from poller.errors import PollerError, StateUnavailable
from poller.fleet import Fleet
from poller.interfaces import LeaseStore
from poller.runner import Runner
from poller.surroundings import Surroundings
from poller.telemetry import Log
from poller.waiting import Drain

# A mapping whose runner cannot be made is tried again, later and later.
RESTART = Backoff(1.0, 60.0)
FUNCTION_GONE = "PROBLEM: Function does not exist"


class Workshop(Protocol):
    """Makes what runs a mapping."""

    def find(self, stored: StoredMapping) -> Function | None:
        """What the mapping invokes; None where that is no longer there."""
        ...

    def runner(
        self, stored: StoredMapping, function: Function, on_polling: Callable[[], None]
    ) -> AbstractAsyncContextManager[Runner]:
        """A runner and what it works with, which is let go of at the end. May raise a PollerError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorParts:
    """What a supervisor works with."""

    mappings: MappingStore
    leases: LeaseStore
    fleet: Fleet
    workshop: Workshop
    surroundings: Surroundings
    on_ready: Callable[[int, int], None]
    """Called once, when all that was wanted at the start polls or cannot: with the number of each."""
    look_s: float
    """Between two looks at the runners; their results are kept at this pace."""
    refresh_s: float
    """Between two listings of the store while nobody says that it has changed."""
    settle_patience_s: float
    """After this a mapping that cannot poll settles: it says why, and may be mended or deleted."""


class Supervisor:
    """Makes what runs follow what is stored, until draining begins; then waits, but not for ever."""

    def __init__(self, parts: SupervisorParts) -> None:
        self._parts = parts
        self._slots: dict[str, _Slot] = {}
        self._drained: list[_Slot] = []
        self._stored: Sequence[StoredMapping] = ()
        self._stale = True
        self._listed_at = float("-inf")
        self._revision = -1
        self._told_ready = False
        self.heir: Callable[[StoredMapping], str | None] = lambda _: None
        """Tells the UUID of the mapping that goes on at the checkpoints of one that is removed."""
        self._gone: set[str] = set()
        """The mappings that are wanted and have no function."""
        self._awake = False
        self._woken = parts.surroundings.drain.signal()

    @property
    def runners(self) -> Sequence[Runner]:
        """The runners of now, and those that have drained, in the order of their mappings."""
        slots = sorted((*self._slots.values(), *self._drained), key=lambda slot: slot.stored.order)
        return [slot.runner for slot in slots if slot.runner is not None]

    @property
    def stored(self) -> Sequence[StoredMapping]:
        """The mappings as they were when last looked at."""
        return self._stored

    @property
    def invoked(self) -> Sequence[tuple[Function, str]]:
        """What the mappings that run invoke, and what they call it."""
        return [(slot.function, slot.stored.mapping.function_arn) for slot in self._slots.values()]

    def changed(self) -> None:
        """What is stored, or what functions there are, has changed: look again."""
        self._stale = True
        self._wake()

    async def run(self) -> bool:
        """Run what is wanted until all of it has drained; whether it did in time."""
        async with anyio.create_task_group() as clock:
            with anyio.CancelScope() as work:
                clock.start_soon(self._limit_drain, work)
                async with anyio.create_task_group() as group:
                    await self._follow(group)
            clock.cancel_scope.cancel()
        return not work.cancelled_caught

    async def _limit_drain(self, work: anyio.CancelScope) -> None:
        drain = self._parts.surroundings.drain
        await drain.wait()
        # Below zero where this process was suspended meanwhile.
        await anyio.sleep(max(drain.deadline - self._now(), 0.0))
        work.cancel()

    def _wake(self) -> None:
        self._awake = True
        self._woken.set()

    async def _follow(self, group: TaskGroup) -> None:
        while not self._parts.surroundings.drain.requested:
            self._awake = False
            try:
                await self._look(group)
            except (StoreUnavailable, StateUnavailable) as error:
                structlog.get_logger().warning(Log.STATE_UNAVAILABLE, reason=str(error))
                self._stale = True
            if not self._awake:
                await self._woken.wait(self._parts.look_s)

    async def _look(self, group: TaskGroup) -> None:
        await self._refresh()
        steps = self._steps()
        for step in steps:
            await self._do(step, group)
        if not any(isinstance(step, Stop) for step in steps) and not self._stopping:
            self._parts.fleet.applied(self._revision)
        await self._report()
        self._tell_when_ready()

    async def _refresh(self) -> None:
        now, revision = self._now(), self._parts.fleet.revision
        due = now - self._listed_at >= self._parts.refresh_s
        if self._stale or due or revision != self._revision:
            self._stale = False
            self._revision = revision
            self._stored = await self._parts.mappings.list()
            self._listed_at = now

    def _steps(self) -> Sequence[Step]:
        functions = {each.uuid: self._parts.workshop.find(each) for each in self._stored}
        running = {uuid: self._running(slot) for uuid, slot in self._slots.items()}
        return list(reconcile(self._stored, running, functions))

    def _running(self, slot: "_Slot") -> Running:
        overdue = self._now() - slot.begun_at >= self._parts.settle_patience_s
        return Running(
            mapping=slot.stored.mapping,
            function=slot.function,
            settled=overdue or slot.polling,
            stopping=slot.stopping,
        )

    async def _do(self, step: Step, group: TaskGroup) -> None:
        match step:
            case Start():
                drain = self._parts.surroundings.drain.part()
                slot = _Slot(step.stored, step.function, self._now(), drain)
                self._slots[step.stored.uuid] = slot
                group.start_soon(self._run, slot)
            case Stop():
                self._slots[step.uuid].stop()
            case Settle():
                await self._settle(step.stored)

    @property
    def _stopping(self) -> bool:
        return any(slot.stopping for slot in self._slots.values())

    async def _settle(self, stored: StoredMapping) -> None:
        """Bring a State to rest; not before every worker has taken up what it says."""
        if stored.file is None and not self._parts.fleet.in_step:
            return
        following = settled_state(stored.state, enabled=stored.mapping.enabled)
        try:
            if following is None:
                await self._remove(stored)
            else:
                await self._parts.mappings.replace(replace(stored, state=following))
        except VersionChanged:
            pass  # somebody was faster; what they left is looked at next
        self.changed()

    async def _remove(self, stored: StoredMapping) -> None:
        # A mapping that leaves its file keeps its place: it may come back there.
        if stored.file is None:
            heir = self.heir(stored)
            if heir is not None:
                await self._hand_on(stored.uuid, heir)
            await self._parts.leases.clear(stored.uuid)
        await self._parts.mappings.remove(stored)

    async def _hand_on(self, uuid: str, heir: str) -> None:
        """Let another mapping begin where this one ends. Nobody holds a lease of either any more."""
        leases = await self._parts.leases.list(uuid)
        await self._parts.leases.clear(heir)
        await self._parts.leases.create([at_rest(lease, heir) for lease in leases])

    async def _run(self, slot: "_Slot") -> None:
        try:
            await self._run_until_stopped(slot)
        finally:
            del self._slots[slot.stored.uuid]
            if self._parts.surroundings.drain.requested:
                self._drained.append(slot)
            self._wake()
        try:
            await self._keep_result(slot)
        except StoreUnavailable as error:
            structlog.get_logger().warning(Log.STATE_UNAVAILABLE, reason=str(error))

    async def _run_until_stopped(self, slot: "_Slot") -> None:
        failures = 0
        mapping = slot.stored.mapping.label
        while not slot.drain.requested:
            try:
                async with self._parts.workshop.runner(slot.stored, slot.function, self._wake) as runner:
                    slot.runner = runner
                    if not slot.stopping:  # it may have been told to while there was no runner to tell
                        await runner.run()
                    return
            except PollerError as error:
                slot.problem = f"PROBLEM: {error}"
                structlog.get_logger().error(Log.MAPPING_PROBLEM, mapping=mapping, problem=str(error))
            except Exception as error:  # noqa: BLE001  # one mapping never takes the others down
                slot.problem = f"PROBLEM: {type(error).__name__}"
                structlog.get_logger().error(Log.MAPPING_RESTARTED, mapping=mapping, exc_info=error)
            slot.runner = None
            failures += 1
            await slot.drain.sleep(RESTART.delay(failures))

    async def _report(self) -> None:
        for slot in list(self._slots.values()):
            await self._keep_result(slot)
        self._gone &= {each.uuid for each in self._stored}
        for each in self._stored:
            gone = each.wanted and self._parts.workshop.find(each) is None
            self._tell_gone(each, gone=gone)
            if gone and each.last_processing_result != FUNCTION_GONE:
                await self._parts.mappings.report(each.uuid, FUNCTION_GONE)
                self.changed()

    def _tell_gone(self, each: StoredMapping, *, gone: bool) -> None:
        """Say once that a mapping that is wanted has no function, and that it has one again."""
        log, label, name = structlog.get_logger(), each.mapping.label, each.mapping.function_name
        if gone and each.uuid not in self._gone:
            self._gone.add(each.uuid)
            problem = f"{FUNCTION_GONE}: no file lists {name}, or its alias: list it, or delete the mapping"
            log.error(Log.MAPPING_PROBLEM, mapping=label, uuid=each.uuid, problem=problem)
        elif not gone and each.uuid in self._gone:
            self._gone.remove(each.uuid)
            log.info(Log.MAPPING_RECOVERED, mapping=label, uuid=each.uuid)

    async def _keep_result(self, slot: "_Slot") -> None:
        text = slot.last_processing_result
        if text != slot.kept_result:
            await self._parts.mappings.report(slot.stored.uuid, text)
            slot.kept_result = text

    def _tell_when_ready(self) -> None:
        if not self._told_ready and not self._stale and all(slot.polling for slot in self._slots.values()):
            self._told_ready = True
            self._parts.on_ready(len(self._slots), len(self._gone))

    def _now(self) -> float:
        return self._parts.surroundings.clock.monotonic()


class _Slot:
    """One mapping that runs, or is about to."""

    def __init__(self, stored: StoredMapping, function: Function, begun_at: float, drain: Drain) -> None:
        self.stored = stored
        self.function = function
        self.begun_at = begun_at
        self.drain = drain
        self.runner: Runner | None = None
        self.problem: str | None = None
        self.stopping = False
        # That its function was gone is true no more.
        gone = stored.last_processing_result == FUNCTION_GONE
        self.kept_result = FUNCTION_GONE if gone else NO_RECORDS_PROCESSED

    @property
    def polling(self) -> bool:
        return self.runner is not None and self.runner.polling

    @property
    def last_processing_result(self) -> str:
        if self.runner is not None:
            return self.runner.meter.last_processing_result
        return self.problem or NO_RECORDS_PROCESSED

    def stop(self) -> None:
        """Let it end at a batch boundary."""
        self.stopping = True
        self.drain.request()
        if self.runner is not None:
            self.runner.stop()
