"""Takes accepted events when they are due: those to be run, and those whose end is to be sent."""

from collections import Counter
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from mappings.directory import FunctionDirectory
from mappings.event_invoke import EventInvokeConfigStore
from mappings.functions import LambdaFunction
from poller.core.async_events import QueuedEvent, crashed
from poller.destinations.of_events import Destinations
from poller.errors import StateUnavailable
from poller.events.clock import EventClock
from poller.events.queue import EventQueue
from poller.invoking.event_meter import EventMeter
from poller.invoking.event_runner import EventRunner
from poller.invoking.event_teller import EventTeller
from poller.invoking.event_writes import EventWrites, Held
from poller.invoking.invoker import Invoker
from poller.rules import Tempo
from poller.surroundings import Surroundings

# Events of one function under way at once, where its concurrency does not say less. Each holds up to 1 MiB.
MOST_AT_ONCE = 64
AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatcherParts:
    """What a dispatcher works with."""

    queue: EventQueue
    clock: EventClock
    configs: EventInvokeConfigStore
    directory: FunctionDirectory
    invoker: Invoker
    destinations: Destinations
    meter: EventMeter
    surroundings: Surroundings
    tempo: Tempo


class EventDispatcher:
    """Works on the events of this process until draining begins; then what was begun is finished.

    Of a queue that keeps nothing, all events are worked off then.
    """

    def __init__(self, parts: DispatcherParts) -> None:
        self._parts = parts
        self._drain = parts.surroundings.drain
        self._running: Counter[str] = Counter()
        self._awake = False
        self._woken = self._drain.signal()
        self._writes = EventWrites(drain=self._drain, meter=parts.meter)
        self._runner = EventRunner(
            queue=parts.queue,
            configs=parts.configs,
            directory=parts.directory,
            invoker=parts.invoker,
            writes=self._writes,
            meter=parts.meter,
            clock=parts.clock,
            surroundings=parts.surroundings,
            tempo=parts.tempo,
        )
        self._teller = EventTeller(
            queue=parts.queue,
            destinations=parts.destinations,
            runner=self._runner,
            writes=self._writes,
            meter=parts.meter,
            clock=parts.clock,
            tempo=parts.tempo,
        )

    def wake(self) -> None:
        """An event was accepted: look at once."""
        self._awake = True
        self._woken.set()

    async def run(self) -> None:
        """Work until draining begins and what was begun is over."""
        try:
            async with anyio.create_task_group() as group:
                while self._goes_on():
                    self._awake = False
                    begun = await self._begin_due(group)
                    self._parts.meter.flush()
                    if not begun and not self._awake:
                        await self._woken.wait(self._parts.tempo.look_s)
        finally:
            for event in self._parts.queue.left():
                self._parts.meter.not_kept(event)
            self._parts.meter.flush(everything=True)

    def _goes_on(self) -> bool:
        queue = self._parts.queue
        return not self._drain.requested or (not queue.durable and queue.held > 0)

    async def _begin_due(self, group: TaskGroup) -> int:
        try:
            await self._parts.clock.set()
            taken = await self._parts.queue.take(self._room, now=self._parts.clock.now().at)
        except StateUnavailable as error:
            self._parts.meter.state_unavailable(str(error))
            return 0
        except Exception as error:  # noqa: BLE001  # looked at again; what runs goes on
            self._parts.meter.crashed(None, error)
            return 0
        for event in taken:
            self._running[event.line] += 1
            group.start_soon(self._handle, event)
        return len(taken)

    def _room(self, line: str) -> int:
        """How many more events of a line may be begun."""
        function = self._parts.directory.listed.get(line)
        if function is None and " " in line:
            return self._teller.room(line) - self._running[line]
        declared = None if isinstance(function, LambdaFunction | None) else function.concurrency
        most = min(declared, MOST_AT_ONCE) if declared else AT_ONCE
        return most - self._running[line]

    async def _handle(self, event: QueuedEvent) -> None:
        line, held = event.line, Held(event)
        stage = self._runner if event.ending is None else self._teller
        try:
            await stage.advance(held)
        except Exception as error:  # noqa: BLE001  # a bug must not end the work on all other events
            self._parts.meter.crashed(held.event, error)
            if not held.released:
                await self._repeat_later(held, error)
        finally:
            self._running[line] -= 1
            self._running = +self._running  # forgets lines of which nothing runs
            self.wake()

    async def _repeat_later(self, held: Held, error: Exception) -> None:
        """Leave an event as an unforeseen error leaves it, and say what ended with that."""
        before = held.event.ending
        event = held.event = crashed(held.event, self._parts.clock.now())
        if not await self._writes.release(self._parts.queue.put_back, held) or event.ending is None:
            return
        if before is None:
            self._parts.meter.ended(event, type(error).__name__)
        elif not event.ending.pending:
            for notice in before.pending:
                self._parts.meter.record_dropped(event, notice, type(error).__name__)
