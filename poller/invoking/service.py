"""What serves invocations in one process, put together: the handlers for the API, and the work on events."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import anyio
import structlog

from mappings.api import Handler
from mappings.arns import FunctionName
from mappings.directory import FunctionDirectory
from mappings.event_invoke import EventInvokeConfigStore
from mappings.event_invoke_operations import EventInvokeOperations
from mappings.functions import Function
from mappings.handlers import event_invoke_handlers
from mappings.resolution import Asked, Resolved, resolve
from poller.aws import Aws
from poller.core.async_events import QueuedEvent
from poller.core.event_time import Age, Moment
from poller.destinations.of_events import EventDestinations
from poller.errors import DestinationGone, StateRefused, StateUnavailable
from poller.events.clock import EventClock
from poller.events.queue import EventQueue, QueueFull
from poller.fleet import Fleet
from poller.functions.hosted import HostedFunctions
from poller.invoking.api import InvokeOperation
from poller.invoking.dispatcher import DispatcherParts, EventDispatcher
from poller.invoking.event_meter import EventMeter
from poller.invoking.event_settings import dead_letter_of
from poller.invoking.invoker import Invoker
from poller.invoking.targets import ListedTargets
from poller.rules import Tempo
from poller.surroundings import Surroundings
from poller.targets.timeouts import FunctionTimeouts
from poller.telemetry import Log

# Between two looks at whether a function that was invoked is still listed.
LET_GO_S = 1.0
TIDY_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InvokingParts:
    """What serves invocations works with."""

    directory: FunctionDirectory
    hosted: HostedFunctions
    aws: Aws
    timeouts: FunctionTimeouts
    events: EventQueue
    meter: EventMeter
    without_state: bool
    """Whether events are accepted that end with the process."""
    fleet: Fleet
    """The workers that share the events."""
    configs: EventInvokeConfigStore
    surroundings: Surroundings
    tempo: Tempo


class Invoking:
    """Invocations of one process."""

    def __init__(self, parts: InvokingParts) -> None:
        self._parts = parts
        self._clock = EventClock(parts.surroundings.clock, parts.events.time)
        self._targets = ListedTargets(parts.directory, parts.aws, parts.hosted, parts.timeouts)
        self._invoker = Invoker(self._targets)
        self._dispatcher = EventDispatcher(
            DispatcherParts(
                queue=parts.events,
                clock=self._clock,
                configs=parts.configs,
                directory=parts.directory,
                invoker=self._invoker,
                destinations=EventDestinations(
                    aws=parts.aws, is_listed=self._is_listed, accept=self._accept_for
                ),
                meter=parts.meter,
                surroundings=parts.surroundings,
                tempo=parts.tempo,
            )
        )

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The operations of the Lambda API that are served here."""
        parts = self._parts
        wall = parts.surroundings.clock.wall
        invoke = InvokeOperation(
            directory=parts.directory,
            invoker=self._invoker,
            accept=self._accept,
            aws=parts.aws,
            timeouts=parts.timeouts,
            drain=parts.surroundings.drain,
        )
        configs = EventInvokeOperations(parts.configs, parts.directory, wall=wall)
        return {"Invoke": invoke, **event_invoke_handlers(configs)}

    @property
    def functions(self) -> Sequence[Function]:
        """What runs now."""
        return self._invoker.functions

    async def run(self) -> None:
        """Work on events until draining begins, and everything that runs is over."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._let_go)
                group.start_soon(self._inherit)
                group.start_soon(self._tidy)
                await self._dispatcher.run()
                await self._invoker.until_idle()
        finally:
            await self._targets.close()

    async def _let_go(self) -> None:
        drain = self._parts.surroundings.drain
        while not drain.requested:
            await drain.sleep(LET_GO_S)
            await self._targets.let_go()

    async def _tidy(self) -> None:
        drain = self._parts.surroundings.drain
        while not drain.requested:
            await drain.sleep(TIDY_S)
            try:
                await self._parts.events.tidy()
            except StateUnavailable as error:
                self._parts.meter.state_unavailable(str(error))

    async def _inherit(self) -> None:
        """Take over what other workers have left, soon after they are gone."""
        fleet, drain = self._parts.fleet, self._parts.surroundings.drain
        queue, serves = self._parts.events, self._parts.directory.serves
        changed = drain.signal()
        fleet.wake(changed)
        while fleet.look_s is not None and not drain.requested:
            try:
                await self._clock.set()
                now = self._clock.now()
                inherited = await queue.inherit(serves, now=now.at, by_store=now.by_store)
            except StateUnavailable as error:
                self._parts.meter.state_unavailable(str(error))
            except Exception as error:  # noqa: BLE001  # what this worker has already goes on
                self._parts.meter.crashed(None, error)
            else:
                if inherited:
                    structlog.get_logger().info(Log.EVENTS_INHERITED, events=inherited)
                    self._dispatcher.wake()
            await changed.wait(fleet.look_s)

    async def _accept(self, found: Resolved, payload: bytes, request_id: str) -> None:
        """Make an event durable. Raises QueueFull, StateUnavailable and StateRefused."""
        parts = self._parts
        if not parts.events.durable and not parts.without_state:
            raise StateRefused(
                "Asynchronous invocations need a state that keeps them: start the poller with --state "
                "sqlite:///PATH or dynamodb://TABLE (or with --profile test, where they may be lost)."
            )
        if not parts.events.durable and parts.surroundings.drain.requested:
            raise StateUnavailable("The poller is ending: nothing is begun any more.")
        await self._clock.set()
        event = accepted_event(found, payload, request_id=request_id, now=self._clock.now())
        try:
            await parts.events.add(event)
        except QueueFull as full:
            parts.meter.refused(event.function, full)
            raise
        parts.meter.received(event.function)
        self._dispatcher.wake()

    def _is_listed(self, name: FunctionName) -> bool:
        home = self._parts.directory.home
        return (
            resolve(Asked(name=name, region=home.region, home=home), self._parts.directory.listed) is not None
        )

    async def _accept_for(self, arn: str, payload: bytes) -> None:
        """Accept an event for a function that is listed, or was when its ARN was looked at."""
        asked = Asked.of({"FunctionName": arn}, None, self._parts.directory.home)
        found = resolve(asked, self._parts.directory.listed)
        if found is None:
            raise DestinationGone(f"{arn}: no mapping file lists it any more")
        await self._accept(found, payload, str(uuid.uuid4()))


def accepted_event(found: Resolved, payload: bytes, *, request_id: str, now: Moment) -> QueuedEvent:
    """Return the event that is accepted for a function."""
    return QueuedEvent(
        request_id=request_id,
        function=found.function.name,
        qualifier=found.qualifier,
        function_arn=found.arn,
        payload=payload,
        accepted_at=now.wall,
        due_at=now.at,
        age=Age(until=now),
        dead_letter=dead_letter_of(found.function),
    )


def is_invocation(method: str, target: str) -> bool:
    """Whether a request is a call of Invoke, which has limits of its own: payload, concurrency and queue."""
    path = unquote(target.partition("?")[0])
    return method == "POST" and path.startswith("/2015-03-31/functions/") and path.endswith("/invocations")
