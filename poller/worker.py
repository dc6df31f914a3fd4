"""One process: puts state, functions, mappings and the API together and runs them until drained."""

import os
import random
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import structlog

from mappings.api import Handler
from mappings.arns import SourceKind
from mappings.directory import FunctionDirectory
from mappings.errors import InvalidFile, StoreUnavailable
from mappings.files import MappingSet
from mappings.function_operations import FunctionOperations
from mappings.functions import planned_timeout
from mappings.handlers import function_handlers, mapping_handlers
from mappings.home import DEFAULT_REGION, Home
from mappings.operations import Admission, MappingOperations
from mappings.readers.answers import Given
from mappings.store import MappingStore
from mappings.stores.layered import LayeredStore
from mappings.stores.memory import MemoryMappingStore
from mappings.tag_operations import TagOperations
from poller.admission import AwsAdmission
from poller.aws import Aws
from poller.budget import ByteBudget
from poller.control_plane import serving
from poller.core.tenure import Tenure
from poller.core.visibility import long_poll_s
from poller.definitions import Definitions
from poller.errors import StartError, StateRefused
from poller.events.queue import QueueLimits
from poller.file_book import FileBook
from poller.fleet import Alone, Fleet, SharedFleet
from poller.functions.hosted import HostedFunctions
from poller.invoking.event_meter import EventMeter
from poller.invoking.service import Invoking, InvokingParts
from poller.latest import LatestReaders
from poller.membership import Membership, MembershipParts
from poller.ops import Ops
from poller.rules import FAST, Tempo
from poller.runner import Runner
from poller.settings import Profile, Settings, handler_environment
from poller.state import State, open_state
from poller.status import views_of
from poller.supervisor import Supervisor, SupervisorParts
from poller.surroundings import Surroundings, SystemClock
from poller.targets.timeouts import FunctionTimeouts
from poller.telemetry import Log
from poller.waiting import Drain
from poller.watcher import FileWatcher
from poller.workshop import AwsWorkshop

DRAIN_MARGIN_S = 30.0
# Of what a drain waits for, so many are named.
WAITS_SHOWN = 20


class Worker:
    """A poller process, or one inside another program."""

    def __init__(
        self,
        mapping_set: MappingSet | None,
        settings: Settings,
        *,
        on_ready: Callable[[int, int], None],
        paths: Sequence[Path | str] = (),
        given: Given | None = None,
    ) -> None:
        """Make a worker.

        Args:
            mapping_set: What the mapping files say; None where there are none.
            settings: What it is told from outside.
            on_ready: Called once, when all enabled mappings poll or cannot: with the number of each.
            paths: The files, to be watched for changes.
            given: What the user says beside the files: values for what they refer to.
        """
        clock = SystemClock()
        self.drain = Drain(lambda: clock.monotonic() + self._drain_timeout_s())
        self._mapping_set = mapping_set or MappingSet(functions={}, mappings=())
        self._settings = settings
        self._on_ready = on_ready
        self._paths = paths
        self._given = given
        self._directory = FunctionDirectory(
            functions_only=settings.functions_only, home=Home(region=settings.region or DEFAULT_REGION)
        )
        self._surroundings = Surroundings(
            clock=clock,
            chance=random.random,
            drain=self.drain,
            budget=ByteBudget(settings.byte_budget, self.drain),
        )
        self._event_meter = EventMeter(self._surroundings.clock.monotonic)
        self.ops = Ops(self._surroundings, self._event_meter, shards=settings.metrics_shards)
        self._tempo = _tempo(settings)
        self._supervisor: Supervisor | None = None
        self._invoking: Invoking | None = None
        self._timeouts: FunctionTimeouts | None = None

    @property
    def runners(self) -> Sequence[Runner]:
        """The runners of now."""
        return () if self._supervisor is None else self._supervisor.runners

    async def run(self) -> bool:
        """Run until draining was requested and is over; whether everything finished in time.

        Raises:
            StateRefused: The state store cannot be used.
            StartError: A function cannot be hosted, the files do not fit what is stored, or a port is taken.
        """
        async with AsyncExitStack() as stack:
            if self._settings.ops is not None:
                await stack.enter_async_context(self.ops.serving(self._settings.ops))
            aws = await stack.enter_async_context(Aws(hot_path=self._settings.hot_path))
            await aws.check(os.environ, self._directory.home.region)
            state = await stack.enter_async_context(
                open_state(self._settings.state, self._queue_limits, aws=aws, region=self._settings.region)
            )
            fleet = await stack.enter_async_context(self._fleet(state))
            timeouts = self._timeouts = FunctionTimeouts(aws, self._surroundings.clock)
            hosted = HostedFunctions(handler_environment())
            stack.push_async_callback(hosted.keep, {})
            files = MemoryMappingStore()
            store = LayeredStore(files=files, api=state.mappings)
            latest = LatestReaders()
            workshop = AwsWorkshop(
                directory=self._directory,
                hosted=hosted,
                aws=aws,
                timeouts=timeouts,
                leases=state.leases,
                fleet=fleet,
                tempo=self._tempo,
                surroundings=self._surroundings,
                latest=latest,
            )
            supervisor = self._supervisor = Supervisor(
                SupervisorParts(
                    mappings=store,
                    leases=state.leases,
                    fleet=fleet,
                    workshop=workshop,
                    surroundings=self._surroundings,
                    on_ready=self._now_ready,
                    look_s=self._tempo.look_s,
                    refresh_s=self._tempo.discovery_s,
                    settle_patience_s=self._tempo.settle_patience_s,
                )
            )
            definitions = Definitions(
                directory=self._directory,
                hosted=hosted,
                aws=aws,
                files=files,
                store=store,
                book=FileBook(leases=state.leases, fleet=fleet),
                changed=supervisor.changed,
                wall=self._surroundings.clock.wall,
                metrics=self._settings.ops is not None,
                allow_removal=self._settings.allow_removal,
            )
            supervisor.heir = definitions.heir
            await self._tell_state(state)
            await _take_up(definitions, self._mapping_set)
            invoking = self._invoking = self._make_invoking(state, fleet, hosted, aws, timeouts)
            handlers = self._handlers(store, self._admission(aws, latest, timeouts), supervisor)
            await stack.enter_async_context(serving(self._settings, {**handlers, **invoking.handlers}))
            self.ops.loaded(lambda: views_of(supervisor.stored, supervisor.runners, definitions.problems_of))
            watcher = FileWatcher(
                self._paths,
                definitions.take_up,
                self._given,
                home=self._directory.home,
                included=self._mapping_set.included,
                again=definitions.look_again,
            )
            return await self._supervise(supervisor, watcher, invoking)

    def _now_ready(self, mappings: int, problems: int) -> None:
        self.ops.begun()
        self._on_ready(mappings, problems)

    async def _tell_state(self, state: State) -> None:
        """Say what is remembered, and where: the default is one file for all that a user runs."""
        try:
            made = len(await state.mappings.list())
        except StoreUnavailable as error:
            raise StateRefused(str(error)) from error
        structlog.get_logger().info(Log.STATE_OPENED, state=self._settings.state, mappings=made)

    def drain_facts(self) -> Mapping[str, object]:
        """What a drain that begins now waits for, and for how long at most."""
        waits = list(self._waits())
        more = [f"and {len(waits) - WAITS_SHOWN} more"] if len(waits) > WAITS_SHOWN else []
        return {
            "waiting_for": [*waits[:WAITS_SHOWN], *more],
            "at_most_s": self._drain_timeout_s(),
            "hint": "a second signal ends at once",
        }

    def _waits(self) -> Iterator[str]:
        for runner in self.runners:
            counts, label = runner.meter.counts, runner.mapping.label
            if counts.invocations:
                yield f"{label}: {counts.invocations} invocations under way"
            elif counts.pollers and runner.mapping.event_source.kind is SourceKind.SQS:
                yield f"{label}: a poll, up to {self._tempo.long_poll_s:g} s"
        if self._invoking is not None:
            for function in self._invoking.functions:
                yield f"{function.name}: invoked by a client or an event"

    def _admission(self, aws: Aws, latest: LatestReaders, timeouts: FunctionTimeouts) -> Admission:
        metrics = self._settings.ops is not None
        return AwsAdmission(aws, self._surroundings, latest, timeouts=timeouts, metrics=metrics)

    @property
    def _queue_limits(self) -> QueueLimits:
        settings = self._settings
        return QueueLimits(events=settings.async_queue_events, kept_bytes=settings.async_queue_bytes)

    def _make_invoking(
        self, state: State, fleet: Fleet, hosted: HostedFunctions, aws: Aws, timeouts: FunctionTimeouts
    ) -> Invoking:
        return Invoking(
            InvokingParts(
                directory=self._directory,
                hosted=hosted,
                aws=aws,
                timeouts=timeouts,
                events=state.events(fleet, lambda: self._directory.listed),
                meter=self._event_meter,
                without_state=self._settings.profile is Profile.TEST,
                fleet=fleet,
                configs=state.event_invoke_configs,
                surroundings=self._surroundings,
                tempo=self._tempo,
            )
        )

    @asynccontextmanager
    async def _fleet(self, state: State) -> AsyncIterator[Fleet]:
        """The workers that share the state, this one among them."""
        if state.members is None:
            yield Alone(str(uuid.uuid4()))
            return
        membership = Membership(
            MembershipParts(
                store=state.members,
                tenure=Tenure(lease_s=self._settings.lease_s),
                surroundings=self._surroundings,
                new_id=lambda: str(uuid.uuid4()),
                label=socket.gethostname(),
            )
        )
        async with membership.joined():
            yield SharedFleet(membership, self._surroundings.clock)

    def _handlers(
        self, store: MappingStore, admission: Admission, supervisor: Supervisor
    ) -> Mapping[str, Handler]:
        wall = self._surroundings.clock.wall
        operations = MappingOperations(
            store, self._directory, admission, wall=wall, changed=supervisor.changed
        )
        functions = FunctionOperations(self._directory, started_at=wall())
        tags = TagOperations(store, self._directory)
        return {**mapping_handlers(operations, tags), **function_handlers(functions)}

    async def _supervise(self, supervisor: Supervisor, watcher: FileWatcher, invoking: Invoking) -> bool:
        drained = invoked = False
        async with anyio.create_task_group() as beside:
            beside.start_soon(watcher.run, self.drain)
            async with anyio.create_task_group() as limit:
                with anyio.CancelScope() as work:
                    limit.start_soon(self._limit_drain, work)
                    async with anyio.create_task_group() as invocations:
                        invocations.start_soon(invoking.run)
                        drained = await supervisor.run()
                invoked = not work.cancelled_caught
                limit.cancel_scope.cancel()
            beside.cancel_scope.cancel()
        return drained and invoked

    async def _limit_drain(self, work: anyio.CancelScope) -> None:
        await self.drain.wait()
        await anyio.sleep(max(self.drain.deadline - self._surroundings.clock.monotonic(), 0.0))
        work.cancel()

    def _drain_timeout_s(self) -> float:
        if self._settings.drain_timeout_s is not None:
            return self._settings.drain_timeout_s
        return max(map(planned_timeout, self._running_timeouts()), default=0.0) + DRAIN_MARGIN_S

    def _running_timeouts(self) -> Iterator[float | None]:
        """Of what runs; None for what is not known."""
        if self._supervisor is not None and self._timeouts is not None:
            for function, arn in self._supervisor.invoked:
                yield self._timeouts.known(function, arn)
        if self._invoking is not None:
            for function in self._invoking.functions:
                yield function.timeout


def _tempo(settings: Settings) -> Tempo:
    tempo = FAST if settings.profile is Profile.TEST else Tempo()
    poll_s = long_poll_s(tempo.long_poll_s, grace_s=settings.drain_timeout_s)
    tempo = replace(tempo, long_poll_s=poll_s)
    if settings.async_retry_base_s is None:
        return tempo
    return replace(tempo, event_retry_base_s=settings.async_retry_base_s)


async def _take_up(definitions: Definitions, mapping_set: MappingSet) -> None:
    try:
        await definitions.take_up(mapping_set)
    except InvalidFile as error:
        raise ExceptionGroup("mapping files", [StartError(problem) for problem in error.problems]) from error
    except StoreUnavailable as error:
        raise StateRefused(str(error)) from error


async def run_until_signalled(worker: Worker) -> int:
    """Run a worker as a daemon: the first SIGTERM or SIGINT drains, a second one ends at once.

    Returns:
        Exit code: 0 drained, 1 cut short.
    """
    log = structlog.get_logger()
    drained = False
    async with anyio.create_task_group() as group:
        group.start_soon(_obey_signals, worker, group.cancel_scope)
        drained = await worker.run()
        group.cancel_scope.cancel()
    log.info(Log.DRAINED if drained else Log.DRAIN_CUT_SHORT)
    return 0 if drained else 1


async def _obey_signals(worker: Worker, everything: anyio.CancelScope) -> None:
    try:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
            async for _ in received:
                if worker.drain.requested:
                    everything.cancel()
                    return
                structlog.get_logger().info(Log.DRAINING, **worker.drain_facts())
                worker.drain.request()
    finally:
        # A late signal must not replace the exit code of a process that has drained and is on its way out.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
