"""One process: puts mappings, state, sources and functions together and runs them until drained."""

import random
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import structlog

from mappings.files import MappingSet
from mappings.functions import Function, known_timeout
from mappings.model import EventSourceMapping
from poller.aws import Aws
from poller.budget import ByteBudget
from poller.destinations import make_destination
from poller.errors import DestinationUnsuitable, StartError
from poller.interfaces import Destination, LeaseStore, Target
from poller.rules import FAST, Tempo
from poller.runner import Runner, RunnerParts
from poller.settings import Profile, Settings, handler_environment
from poller.sources import SourceParts, make_source
from poller.state import open_state
from poller.supervisor import Supervisor
from poller.surroundings import Surroundings, SystemClock
from poller.targets import make_target
from poller.telemetry import Log
from poller.waiting import Drain

DRAIN_MARGIN_S = 30.0


class Worker:
    """A poller process, or one inside another program."""

    def __init__(
        self, mapping_set: MappingSet, settings: Settings, *, on_ready: Callable[[int], None]
    ) -> None:
        self.drain = Drain()
        self.runners: list[Runner] = []
        self._owner = str(uuid.uuid4())
        self._mapping_set = mapping_set
        self._settings = settings
        self._surroundings = Surroundings(
            clock=SystemClock(),
            chance=random.random,
            drain=self.drain,
            budget=ByteBudget(settings.byte_budget, self.drain),
        )
        self._tempo = FAST if settings.profile is Profile.TEST else Tempo()
        self._supervisor = Supervisor(
            self._surroundings, drain_timeout_s=self._drain_timeout_s(), on_ready=on_ready
        )

    async def run(self) -> bool:
        """Run until draining was requested and is over; whether everything finished in time.

        Raises:
            StateRefused: The state store cannot be used.
            StartError: A function cannot be hosted.
        """
        async with AsyncExitStack() as stack:
            state = await stack.enter_async_context(open_state(self._settings.state))
            aws = await stack.enter_async_context(Aws())
            targets = await stack.enter_async_context(self._open_targets(aws))
            self.runners = [self._runner(mapping, state.leases, aws, targets) for mapping in self._enabled()]
            return await self._supervisor.run(self.runners)

    def _enabled(self) -> list[EventSourceMapping]:
        return [mapping for mapping in self._mapping_set.mappings if mapping.enabled]

    def _functions(self) -> dict[str, Function]:
        """The functions in use, by the ARN they are known by."""
        return {m.function_arn: self._mapping_set.function_for(m) for m in self._enabled()}

    def _drain_timeout_s(self) -> float:
        if self._settings.drain_timeout_s is not None:
            return self._settings.drain_timeout_s
        return max((f.timeout for f in self._functions().values()), default=0.0) + DRAIN_MARGIN_S

    @asynccontextmanager
    async def _open_targets(self, aws: Aws) -> AsyncIterator[Mapping[str, Target]]:
        """Every function in use, each hosted once however many mappings invoke it."""
        async with AsyncExitStack() as stack:
            targets: dict[str, Target] = {}
            for arn, function in self._functions().items():
                target = await make_target(function, arn, aws, handler_environment())
                stack.push_async_callback(target.close)
                targets[arn] = target
            yield targets

    def _runner(
        self, mapping: EventSourceMapping, store: LeaseStore, aws: Aws, targets: Mapping[str, Target]
    ) -> Runner:
        parts = RunnerParts(
            source=make_source(
                mapping,
                SourceParts(
                    aws=aws,
                    clock=self._surroundings.clock,
                    long_poll_s=self._tempo.long_poll_s,
                    timeout_s=known_timeout(self._mapping_set.function_for(mapping)),
                ),
            ),
            target=targets[mapping.function_arn],
            destination=_destination(mapping, aws),
            leases=store,
            owner=self._owner,
            tempo=self._tempo,
            surroundings=self._surroundings,
        )
        return Runner(mapping, parts, on_polling=self._supervisor.polling)


def _destination(mapping: EventSourceMapping, aws: Aws) -> Destination | None:
    arn = mapping.on_failure_destination
    if not arn:
        return None
    try:
        return make_destination(arn, region=mapping.event_source.region, aws=aws)
    except DestinationUnsuitable as error:
        raise StartError(f"{mapping.label}: {error}") from error


async def run_until_signalled(worker: Worker) -> int:
    """Run a worker as a daemon: the first SIGTERM or SIGINT drains, a second one ends at once.

    Returns:
        Exit code: 0 drained, 1 cut short.
    """
    log = structlog.get_logger()
    drained = False
    async with anyio.create_task_group() as group:
        group.start_soon(_obey_signals, worker.drain, group.cancel_scope)
        drained = await worker.run()
        group.cancel_scope.cancel()
    log.info(Log.DRAINED if drained else Log.DRAIN_CUT_SHORT)
    return 0 if drained else 1


async def _obey_signals(drain: Drain, everything: anyio.CancelScope) -> None:
    try:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
            async for _ in received:
                if drain.requested:
                    everything.cancel()
                    return
                structlog.get_logger().info(Log.DRAINING)
                drain.request()
    finally:
        # A late signal must not replace the exit code of a process that has drained and is on its way out.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
