"""The second stage of an event: its end is sent to the destinations that were decided with it.

It holds no place of the function: a destination that does not answer keeps no event from being run. Each call
has a time limit, and a destination that failed last is tried with one event at a time.
"""

from dataclasses import dataclass, field, replace

import anyio

from poller.core.async_events import Notice, QueuedEvent, Role, delivered, telling_s, undelivered
from poller.core.invocation_records import dead_letter, invocation_record
from poller.core.recovery import delivery_delay_s
from poller.core.telling import Reaction, react
from poller.destinations.of_events import Destinations
from poller.errors import DestinationError, DestinationGone, DestinationUnavailable
from poller.events.clock import EventClock
from poller.events.queue import EventQueue
from poller.invoking.event_meter import EventMeter
from poller.invoking.event_runner import EventRunner
from poller.invoking.event_writes import EventWrites, Held
from poller.rules import Tempo

# Ends of one function sent to one destination at once.
AT_ONCE = 8
ANSWER_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTeller:
    """Sends one notice of an end at a time."""

    queue: EventQueue
    destinations: Destinations
    runner: EventRunner
    """Knows what is configured, for events that were stored without their destinations."""
    writes: EventWrites
    meter: EventMeter
    clock: EventClock
    tempo: Tempo
    failing: set[str] = field(default_factory=set)
    """Lines whose destination failed last."""

    def room(self, line: str) -> int:
        """How many ends of a line may be sent at once."""
        return 1 if line in self.failing else AT_ONCE

    async def advance(self, held: Held) -> None:
        """Send the first notice that is pending, and write what came of it before the next."""
        event = held.event
        assert event.ending is not None
        notice = event.ending.pending[0] if event.ending.pending else None
        if notice is not None:
            held.event = await self._send(event, notice)
        ending = held.event.ending
        if ending is None or not ending.pending:
            await self.writes.release(self.queue.remove, held)
        elif ending.failures and held.event.needs and not self.runner.directory.serves(held.event.needs):
            await self.writes.release(self.queue.pass_on, held)
        else:
            await self.writes.release(self.queue.put_back, held)

    async def _send(self, event: QueuedEvent, notice: Notice) -> QueuedEvent:
        """Return the event as it is after a notice was sent, in the largest form that is taken."""
        reduced = False
        while True:
            try:
                await self._deliver(event, notice, reduced=reduced)
            except DestinationError as error:
                waited_s = telling_s(event, self.clock.now())
                match react(error, reduced=reduced, telling_s=waited_s):
                    case Reaction.REDUCE:
                        reduced = True
                    case Reaction.DROP:
                        self.meter.record_dropped(event, notice, str(error))
                        return delivered(event, notice)
                    case Reaction.RETRY:
                        return self._again(event, notice, error)
            else:
                self.failing.discard(event.line)
                return delivered(event, notice)

    def _again(self, event: QueuedEvent, notice: Notice, error: DestinationError) -> QueuedEvent:
        assert event.ending is not None
        self.failing.add(event.line)
        self.meter.undelivered(event, notice, str(error))
        delay_s = delivery_delay_s(error, event.ending.failures + 1, self.tempo.patience)
        return undelivered(event, now=self.clock.now(), delay_s=delay_s)

    async def _deliver(self, event: QueuedEvent, notice: Notice, *, reduced: bool) -> None:
        """Send a notice once. Raises DestinationError."""
        arn = notice.arn or await self._configured(event, notice)
        try:
            with anyio.fail_after(ANSWER_LIMIT_S):
                if notice.role is Role.DEAD_LETTER:
                    letter = dead_letter(event)
                    await self.destinations.bury(arn, letter.reduced() if reduced else letter)
                else:
                    record = replace(invocation_record(event), reduced=reduced)
                    region = event.function_arn.split(":")[3]
                    await self.destinations.tell(arn, record, region=region)
        except DestinationError:
            raise
        except TimeoutError as error:
            raise DestinationUnavailable(f"{arn} did not answer within {ANSWER_LIMIT_S:.0f} s") from error
        except Exception as error:
            # What has run is written: only sending is repeated, for as long as a refusal would be.
            self.meter.crashed(event, error)
            raise DestinationError(type(error).__name__) from error

    async def _configured(self, event: QueuedEvent, notice: Notice) -> str:
        settings = await self.runner.settings(event)
        if settings is None:
            raise DestinationUnavailable("the process is ending")
        arn = settings.destination(notice.role)
        if arn is None:
            raise DestinationGone(f"{notice.role} is not configured")
        return arn
