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
from mappings.resolution import DEFAULT_REGION, Asked, resolve
from poller.aws import Aws
from poller.core.async_events import QueuedEvent
from poller.destinations.of_events import EventDestinations
from poller.errors import DestinationGone, StateUnavailable
from poller.events.queue import EventQueue
from poller.fleet import Fleet
from poller.functions.hosted import HostedFunctions
from poller.invoking.api import InvokeOperation, queued
from poller.invoking.dispatcher import DispatcherParts, EventDispatcher
from poller.invoking.invoker import Invoker
from poller.invoking.targets import ListedTargets
from poller.rules import Tempo
from poller.surroundings import Surroundings
from poller.telemetry import Log

# Between two looks at whether a function that was invoked is still listed.
LET_GO_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InvokingParts:
    """What serves invocations works with."""

    directory: FunctionDirectory
    hosted: HostedFunctions
    aws: Aws
    events: EventQueue
    fleet: Fleet
    """The workers that share the events."""
    configs: EventInvokeConfigStore
    surroundings: Surroundings
    tempo: Tempo


class Invoking:
    """Invocations of one process."""

    def __init__(self, parts: InvokingParts) -> None:
        self._parts = parts
        self._targets = ListedTargets(parts.directory, parts.aws, parts.hosted)
        self._invoker = Invoker(self._targets)
        self._dispatcher = EventDispatcher(
            DispatcherParts(
                queue=parts.events,
                configs=parts.configs,
                directory=parts.directory,
                invoker=self._invoker,
                destinations=EventDestinations(
                    aws=parts.aws, is_listed=self._is_listed, accept=self._accept_for
                ),
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
            drain=parts.surroundings.drain,
            wall=wall,
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
                await self._dispatcher.run()
                await self._invoker.until_idle()
        finally:
            await self._targets.close()

    async def _let_go(self) -> None:
        drain = self._parts.surroundings.drain
        while not drain.requested:
            await drain.sleep(LET_GO_S)
            await self._targets.let_go()

    async def _inherit(self) -> None:
        """Take over what other workers have left, soon after they are gone."""
        fleet, drain = self._parts.fleet, self._parts.surroundings.drain
        changed = drain.signal()
        fleet.wake(changed)
        while fleet.look_s is not None and not drain.requested:
            try:
                inherited = await self._parts.events.inherit()
            except StateUnavailable as error:
                structlog.get_logger().warning(Log.STATE_UNAVAILABLE, reason=str(error))
            else:
                if inherited:
                    structlog.get_logger().info(Log.EVENTS_INHERITED, events=inherited)
                    self._dispatcher.wake()
            await changed.wait(fleet.look_s)

    async def _accept(self, event: QueuedEvent) -> None:
        await self._parts.events.add(event)
        self._dispatcher.wake()

    def _is_listed(self, name: FunctionName) -> bool:
        return resolve(Asked(name=name, region=DEFAULT_REGION), self._parts.directory.listed) is not None

    async def _accept_for(self, arn: str, payload: bytes) -> None:
        """Accept an event for a function that is listed, or was when its ARN was looked at."""
        asked = Asked.of({"FunctionName": arn}, None)
        found = resolve(asked, self._parts.directory.listed)
        if found is None:
            raise DestinationGone(f"{arn}: no mapping file lists it any more")
        now = self._parts.surroundings.clock.wall()
        await self._accept(queued(found, payload, request_id=str(uuid.uuid4()), now=now))


def is_invocation(method: str, target: str) -> bool:
    """Whether a request is a call of Invoke, which has limits of its own: payload, concurrency and queue."""
    path = unquote(target.partition("?")[0])
    return method == "POST" and path.startswith("/2015-03-31/functions/") and path.endswith("/invocations")
