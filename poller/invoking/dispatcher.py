"""Takes accepted events when they are due, has them run, and tells their destinations of the end."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import anyio
import structlog
from anyio.abc import TaskGroup

from mappings.directory import FunctionDirectory
from mappings.errors import StoreUnavailable
from mappings.event_invoke import EventInvokeConfigStore
from mappings.function_options import LATEST
from mappings.functions import LambdaFunction, version_of
from poller.core.async_events import Condition, QueuedEvent, Role, begin, delivered, judge, undelivered
from poller.core.invocation_records import dead_letter, invocation_record
from poller.core.outcomes import Outcome, Unreachable, outcome_name
from poller.core.recovery import delivery_delay_s
from poller.destinations.of_events import Destinations
from poller.errors import DestinationError, EventLost, StateUnavailable
from poller.events.queue import EventQueue
from poller.interfaces import Invocation
from poller.invoking.event_settings import EventSettings
from poller.invoking.invoker import Invoker
from poller.rules import Tempo
from poller.surroundings import Surroundings
from poller.telemetry import Log

# Events of one function under way at once, where its concurrency does not say less. Each holds up to 1 MiB.
MOST_AT_ONCE = 64
AT_ONCE = 16
# While the state cannot be written; nothing of an event is forgotten meanwhile.
WRITE_AGAIN_S = 1.0
CRASHED_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatcherParts:
    """What a dispatcher works with."""

    queue: EventQueue
    configs: EventInvokeConfigStore
    directory: FunctionDirectory
    invoker: Invoker
    destinations: Destinations
    surroundings: Surroundings
    tempo: Tempo


class EventDispatcher:
    """Works on the events of this process until draining begins; then what runs is finished."""

    def __init__(self, parts: DispatcherParts) -> None:
        self._parts = parts
        self._drain = parts.surroundings.drain
        self._running: Counter[str] = Counter()
        self._awake = False
        self._woken = self._drain.signal()
        self._log = structlog.get_logger()

    def wake(self) -> None:
        """An event was accepted: look at once."""
        self._awake = True
        self._woken.set()

    async def run(self) -> None:
        """Work until draining begins and what was begun is over."""
        async with anyio.create_task_group() as group:
            while not self._drain.requested:
                self._awake = False
                begun = await self._begin_due(group)
                if not begun and not self._awake:
                    await self._woken.wait(self._parts.tempo.look_s)

    async def _begin_due(self, group: TaskGroup) -> int:
        try:
            taken = await self._parts.queue.take(self._room, now=self._wall())
        except StateUnavailable as error:
            self._log.warning(Log.STATE_UNAVAILABLE, reason=str(error))
            return 0
        for event in taken:
            self._running[event.line] += 1
            group.start_soon(self._handle, event)
        return len(taken)

    def _room(self, line: str) -> int:
        """How many more events of a line may be begun."""
        function = self._parts.directory.listed.get(line)
        declared = None if isinstance(function, LambdaFunction | None) else function.concurrency
        most = min(declared, MOST_AT_ONCE) if declared else AT_ONCE
        return most - self._running[line]

    async def _handle(self, event: QueuedEvent) -> None:
        line = event.line
        try:
            await self._advance(event)
        except Exception as error:  # noqa: BLE001  # a bug must not end the work on all other events
            self._log.error(Log.EVENT_CRASHED, request_id=event.request_id, exc_info=error)
            again = replace(event, due_at=self._wall() + CRASHED_AGAIN_S)
            await self._written(self._parts.queue.put_back, again)
        finally:
            self._running[line] -= 1
            self._running = +self._running  # forgets lines of which nothing runs
            self.wake()

    async def _advance(self, event: QueuedEvent) -> None:
        """Bring an event as far as it comes now, each step written before the next."""
        settings = await self._settings(event)
        if settings is None:
            return
        rules = settings.rules(self._parts.tempo)
        event = begin(event, rules, self._wall())
        if event.running:
            if not await self._written(self._parts.queue.update, event):
                return
            outcome = await self._invoke(event, settings)
            chance = self._parts.surroundings.chance()
            event = judge(event, outcome, rules, now=self._wall(), chance=chance)
            self._say(event, outcome)
        if event.ending is not None:
            told = await self._tell(event, settings)
            if told is None:
                return
            event = told
        ended = event.ending is not None and not event.ending.pending
        queue = self._parts.queue
        await self._written(queue.remove if ended else queue.put_back, event)

    async def _invoke(self, event: QueuedEvent, settings: EventSettings) -> Outcome:
        if settings.function is None or settings.version is None:
            return Unreachable(reason="no mapping file lists the function", status_code=404)
        invocation = Invocation(
            payload=event.payload,
            request_id=event.request_id,
            attempt=event.failed + 1,
            function_arn=event.function_arn,
            version=settings.version,
        )
        return await self._parts.invoker.run(settings.function, invocation)

    async def _tell(self, event: QueuedEvent, settings: EventSettings) -> QueuedEvent | None:
        """Tell those who have not been told; a failure leaves the rest for later.

        None where it could not be written who was told: nobody else is then.
        """
        assert event.ending is not None
        for role in event.ending.pending:
            try:
                await self._send(event, role, settings.destination(role))
            except DestinationError as error:
                failures = event.ending.failures + 1
                delay_s = delivery_delay_s(error, failures, self._parts.tempo.patience)
                self._log.warning(
                    Log.EVENT_UNDELIVERED, request_id=event.request_id, role=role, problem=str(error)
                )
                return undelivered(event, now=self._wall(), delay_s=delay_s)
            event = delivered(event, role)
            more = event.ending is not None and event.ending.pending
            if more and not await self._written(self._parts.queue.update, event):
                return None
        return event

    async def _send(self, event: QueuedEvent, role: Role, arn: str | None) -> None:
        if arn is None:
            return
        if role is Role.DEAD_LETTER:
            await self._parts.destinations.bury(arn, dead_letter(event))
            return
        region = event.function_arn.split(":")[3]
        await self._parts.destinations.tell(arn, invocation_record(event), region=region)

    async def _settings(self, event: QueuedEvent) -> EventSettings | None:
        """What is known of the event's function; None where that cannot be read before the drain."""
        function = self._parts.directory.listed.get(event.function)
        version = None if function is None else version_of(function, event.qualifier)
        while True:
            try:
                config = await self._parts.configs.get(event.function, event.qualifier or LATEST)
            except StoreUnavailable as error:
                if not await self._may_go_on(error):
                    return None
            else:
                return EventSettings(function=function, version=version, config=config)

    async def _written(self, write: Callable[[QueuedEvent], Awaitable[None]], event: QueuedEvent) -> bool:
        """Write, however often it takes; False where draining began before, or the event is another's."""
        while True:
            try:
                await write(event)
            except EventLost:
                self._log.warning(Log.EVENT_LOST, request_id=event.request_id)
                return False
            except StateUnavailable as error:
                if not await self._may_go_on(error):
                    return False
            else:
                return True

    async def _may_go_on(self, error: Exception) -> bool:
        self._log.warning(Log.STATE_UNAVAILABLE, reason=str(error))
        await self._drain.sleep(WRITE_AGAIN_S)
        return not self._drain.requested

    def _say(self, event: QueuedEvent, outcome: Outcome) -> None:
        fields = {
            "function": event.function,
            "request_id": event.request_id,
            "invoke_count": event.delivered,
            "outcome": outcome_name(outcome),
        }
        match event.ending:
            case None:
                self._log.warning(
                    Log.EVENT_POSTPONED, delay_s=round(event.due_at - self._wall(), 3), **fields
                )
            case ending if ending.condition is Condition.SUCCESS:
                self._log.debug(Log.EVENT_SUCCEEDED, **fields)
            case ending:
                self._log.error(
                    Log.EVENT_GIVEN_UP, condition=ending.condition, told=list(ending.pending), **fields
                )

    def _wall(self) -> float:
        return self._parts.surroundings.clock.wall()
