"""Runs a scenario: the fakes live on while processes come and go; faults, then healing, then quiet."""

import asyncio
import logging
import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from unittest.mock import patch

import anyio
import structlog

import poller.rules
from mappings.arns import SourceKind
from poller.core.batching import BatchLimits
from poller.core.records import PositionKind
from poller.interfaces import Source
from poller.leases.memory import MemoryLeaseStore
from poller.leases.memory_members import MemoryMemberStore
from tests.fakes.clocks import LoopClock
from tests.fakes.destinations import FakeDestination
from tests.fakes.dynamodb import dynamodb_stream, rotate
from tests.fakes.faults import HAPPENINGS, Fault, FaultKind, Faults
from tests.fakes.functions import FakeFunction, FakeTarget
from tests.fakes.history import History, Paused, Quiet, Struck
from tests.fakes.kinesis import kinesis_stream, merge, split
from tests.fakes.leases import FakeLeaseStore
from tests.fakes.members import FakeMemberStore
from tests.fakes.sqs import FakeQueue, FakeQueueSource
from tests.fakes.stream_source import FakeStreamSource
from tests.fakes.streams import HASH_SPACE, FakeStream
from tests.fakes.wire import Wire
from tests.simulation.loop import VirtualLoop
from tests.simulation.process import Process, ProcessParts
from tests.simulation.scenario import End, Life, MappingPlan, Place, Scenario

# Everything must be finished this long after healing; the longest chain of back-offs takes far less.
PATIENCE_S = 1200.0
LATE_S = 60.0
STATE = "state"  # the place of the lease store; in a fleet each worker has a way of its own to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of a scenario."""

    scenario: Scenario
    history: History
    steps: int
    virtual_s: float


def run(scenario: Scenario) -> Run:
    """Run a scenario in an event loop of its own."""
    loops: list[VirtualLoop] = []

    def make_loop() -> VirtualLoop:
        loops.append(VirtualLoop(scenario.seed))
        return loops[0]

    history = History()
    configuration = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    limits = partial(BatchLimits, payload_bytes=scenario.payload_bytes)
    try:
        with patch.object(poller.rules, "BatchLimits", limits):  # a mapping has no say in it
            anyio.run(_World(scenario, history).run, backend_options={"loop_factory": make_loop})
    finally:
        structlog.configure(**configuration)
    return Run(scenario=scenario, history=history, steps=loops[0].steps, virtual_s=loops[0].time())


class _World:
    """Everything that outlives a process."""

    def __init__(self, scenario: Scenario, history: History) -> None:
        self._scenario = scenario
        self._history = history
        self._rows = MemoryLeaseStore()
        self._members = MemoryMemberStore()
        self._queues: dict[str, FakeQueue] = {}
        self._streams: dict[str, FakeStream] = {}
        self._functions: dict[str, FakeFunction] = {}
        self._plans = {plan.name: plan for plan in scenario.mappings}
        self._unwritten = {plan.name for plan in scenario.mappings}
        self._lives = 0

    async def run(self) -> None:
        self._clock = LoopClock()  # of the fakes: always right
        self._poller_clock = LoopClock()
        scenario = self._scenario
        self._faults = Faults(scenario.faults, seed=scenario.seed, clock=self._clock, history=self._history)
        for plan in scenario.mappings:
            self._build(plan)
        async with anyio.create_task_group() as everything:
            everything.start_soon(self._play)
            await self._until(scenario.start_at)
            if scenario.fleet:
                await self._live_together(everything)
            else:
                for life in scenario.lives:
                    await self._live(everything, life, self._poller_clock)
                await self._last_life(everything, [self._begin(everything, self._poller_clock)])
            everything.cancel_scope.cancel()

    # ----- what there is

    def _build(self, plan: MappingPlan) -> None:
        wire = self._wire(plan.name)
        clock, history = self._clock, self._history
        match plan.kind:
            case SourceKind.SQS:
                self._queues[plan.name] = FakeQueue(
                    wire,
                    clock=clock,
                    history=history,
                    visibility_timeout_s=plan.visibility_timeout_s,
                    max_receive_count=plan.max_receive_count,
                    fifo=plan.mapping.event_source.fifo,
                    message_bytes=plan.message_bytes,
                )
            case SourceKind.KINESIS:
                self._streams[plan.name] = kinesis_stream(
                    wire, clock=clock, history=history, shards=plan.shards
                )
            case SourceKind.DYNAMODB:
                self._streams[plan.name] = dynamodb_stream(
                    wire, clock=clock, history=history, shards=plan.shards
                )
        self._functions[plan.name] = FakeFunction(
            place=plan.name,
            clock=clock,
            history=history,
            faults=self._faults,
            chance=random.Random(f"{self._scenario.seed}/{plan.name}()"),
            reports_failures=plan.mapping.report_batch_item_failures,
            timeout_s=plan.timeout_s,
            duration_s=plan.duration_s,
            concurrency=plan.concurrency,
            poison=set(plan.poison),
        )

    def _wire(self, place: str) -> Wire:
        chance = random.Random(f"{self._scenario.seed}/{place}")
        return Wire(place, faults=self._faults, chance=chance)

    def _process(self, clock: LoopClock, state: str = STATE) -> Process:
        self._lives += 1
        scenario = self._scenario
        name = f"p{self._lives}"
        return Process(
            ProcessParts(
                name=name,
                seed=scenario.seed,
                mappings=[plan.mapping for plan in scenario.mappings],
                sources={plan.name: self._source(plan.name, name) for plan in scenario.mappings},
                targets={key: FakeTarget(f, process=name) for key, f in self._functions.items()},
                destinations={
                    plan.name: FakeDestination(
                        self._wire(f"{plan.name}!"),
                        mapping=plan.name,
                        clock=self._clock,
                        history=self._history,
                    )
                    for plan in scenario.mappings
                    if plan.mapping.on_failure_destination
                },
                concurrency={
                    plan.name: plan.concurrency
                    for plan in scenario.mappings
                    if plan.concurrency is not None and plan.concurrency_known
                },
                leases=FakeLeaseStore(
                    self._rows, self._wire(state), clock=self._clock, history=self._history, process=name
                ),
                members=FakeMemberStore(self._members, self._wire(state)) if scenario.fleet else None,
                lease_s=scenario.lease_s,
                clock=clock,
                world_clock=self._clock,
                history=self._history,
                tempo=scenario.tempo,
                byte_budget=scenario.byte_budget,
                drain_timeout_s=scenario.drain_timeout_s,
            )
        )

    def _source(self, place: str, process: str) -> Source:
        if place in self._queues:
            plan = self._plans[place]
            return FakeQueueSource(
                self._queues[place],
                process=process,
                window_s=float(plan.mapping.maximum_batching_window_in_seconds),
                timeout_s=plan.timeout_s if plan.timeout_known else None,
            )
        return FakeStreamSource(self._streams[place], process=process)

    # ----- what happens

    async def _play(self) -> None:
        """Write records and let things happen, each at its time."""
        scenario = self._scenario
        script: list[tuple[float, Callable[[], None]]] = [
            (write.at, partial(self._put, plan.name, write.record, write.key))
            for plan in scenario.mappings
            for write in plan.writes
        ]
        happenings = [fault for fault in scenario.faults if fault.kind in HAPPENINGS]
        script += [(fault.start, partial(self._happen, fault)) for fault in happenings]
        for at, action in sorted(script, key=lambda entry: entry[0]):
            await self._until(at)
            action()

    async def _until(self, at: float) -> None:
        await anyio.sleep(max(at - self._clock.monotonic(), 0.0))

    def _put(self, place: str, record: str, key: str) -> None:
        if place in self._queues:
            self._queues[place].send(record, key)
        else:
            self._streams[place].put(record, key)

    def _happen(self, fault: Fault) -> None:
        chance = random.Random(f"{self._scenario.seed}/{fault}")
        self._history.add(Struck(self._clock.monotonic(), fault.place, fault.kind.value))
        if fault.kind is FaultKind.WALL_JUMP:
            self._poller_clock.skew_s = chance.uniform(-3600, 3600)
            return
        stream = self._streams[fault.place]
        shard = chance.choice(stream.open_shards)
        match fault.kind:
            case FaultKind.SPLIT:
                split(stream, shard)
            case FaultKind.MERGE:
                merge(stream, shard)
            case FaultKind.ROTATE:
                rotate(stream, shard)
            case FaultKind.TRIM:
                for old in stream.shards.values():
                    stream.trim(old, chance.randint(0, len(old.stored)))
            case FaultKind.RECREATE:
                stream.recreate(chance.randint(1, 3))

    # ----- lives

    def _begin(self, everything: anyio.abc.TaskGroup, clock: LoopClock, state: str = STATE) -> Process:
        process = self._process(clock, state)
        everything.start_soon(process.run)
        return process

    async def _live(
        self, everything: anyio.abc.TaskGroup, life: Life, clock: LoopClock, state: str = STATE
    ) -> None:
        process = self._process(clock, state)
        self._arm(process)
        everything.start_soon(process.run)
        for at, seconds in life.pauses:
            everything.start_soon(self._pause, process, at, seconds)
        with anyio.move_on_after(life.until):
            await process.ended.wait()
        if life.end is not End.KILL:
            process.drain()
            with anyio.move_on_after(life.kill_after if life.end is End.DRAIN_KILL else None):
                await process.ended.wait()
        self._kill(process)
        await process.ended.wait()
        await anyio.sleep(life.downtime)

    def _kill(self, process: Process) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        process.kill()
        loop.go_on(process.name)  # a process that stands still can be killed all the same

    async def _pause(self, process: Process, at: float, seconds: float) -> None:
        """Stop a process, as SIGSTOP does."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        await anyio.sleep(at)
        if not process.ended.is_set():
            self._history.add(Paused(self._clock.monotonic(), process.name, seconds))
            for queue in self._queues.values():
                queue.suspend(process.name)
            loop.stop_process(process.name)
            await anyio.sleep(seconds)
            loop.go_on(process.name)

    async def _live_together(self, everything: anyio.abc.TaskGroup) -> None:
        """Each place of the fleet lives its lives; the last of all go on together."""
        last: list[Process] = []

        async def live(number: int, place: Place) -> None:
            clock, state = LoopClock(place.rate), f"{STATE}{number}"
            await anyio.sleep(place.start_at)
            for life in place.lives:
                await self._live(everything, life, clock, state)
            last.append(self._begin(everything, clock, state))

        async with anyio.create_task_group() as lives:
            for number, place in enumerate(self._scenario.fleet):
                lives.start_soon(live, number, place)
        await self._last_life(everything, last)

    def _arm(self, process: Process) -> None:
        step = self._scenario.kill_at_step
        loop = asyncio.get_running_loop()
        if step is not None and self._lives == 1 and isinstance(loop, VirtualLoop):
            loop.alarms[loop.steps + step] = process.kill

    async def _last_life(self, everything: anyio.abc.TaskGroup, processes: Sequence[Process]) -> None:
        await self._until(self._scenario.heal_at)
        self._heal()
        everything.start_soon(self._write_last_words)
        deadline = self._clock.monotonic() + PATIENCE_S
        problems: tuple[str, ...] = ()
        while self._clock.monotonic() < deadline:
            problems = tuple(problem for process in processes for problem in process.problems())
            if self._finished() and not problems:
                break
            await anyio.sleep(1.0)
        self._history.add(Quiet(self._clock.monotonic(), self._finished(), problems))
        for process in processes:
            process.drain()
        for process in processes:
            await process.ended.wait()

    def _heal(self) -> None:
        """End all faults."""
        self._faults.heal()
        self._poller_clock.skew_s = 0.0
        for function in self._functions.values():
            function.cure()

    async def _write_last_words(self) -> None:
        """Write once more to every shard: an idle one shows whether it is read.

        What is written before LATEST was looked up is not in scope: those streams get theirs late.
        """
        for place, queue in self._queues.items():
            queue.send(f"{place}-last", "last")
            self._unwritten.discard(place)
        latest = [p.name for p in self._scenario.mappings if p.mapping.starting_position == "LATEST"]
        for place in sorted(self._streams, key=latest.__contains__):
            if place in latest:
                await self._until(self._scenario.heal_at + LATE_S)
            stream = self._streams[place]
            for number, shard in enumerate(stream.open_shards):
                stream.put(f"{place}-last-{number}", _key_between(shard.first_hash, shard.last_hash))
            self._unwritten.discard(place)

    def _finished(self) -> bool:
        """Whether the sources have been told that everything is done."""
        quiet = not self._unwritten and not any(queue.messages for queue in self._queues.values())
        return quiet and all(
            self._shard_finished(place, shard_id)
            for place, stream in self._streams.items()
            for shard_id in stream.shards
        )

    def _shard_finished(self, place: str, shard_id: str) -> bool:
        stream = self._streams[place]
        shard = stream.shards[shard_id]
        lease = self._rows.rows.get((place, shard_id))
        if lease is None:
            return shard.expired
        if lease.incarnation != stream.incarnation:
            return False
        if shard.closed:
            return lease.checkpoint.ended
        reached = lease.checkpoint
        return (
            reached.kind is PositionKind.AFTER_SEQUENCE_NUMBER
            and int(reached.sequence_number or 0) == shard.stored[-1].number
        )


def _key_between(first: int, last: int) -> str:
    """A key that belongs to a range of hashes."""
    number = 0
    while not first <= zlib.crc32(f"last{number}".encode()) % HASH_SPACE <= last:
        number += 1
    return f"last{number}"
