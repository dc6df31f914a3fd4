"""The first stage of an event: its function is run, and what came of that is written."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mappings.directory import FunctionDirectory
from mappings.errors import StoreUnavailable
from mappings.event_invoke import EventInvokeConfigStore
from mappings.function_options import LATEST
from mappings.functions import version_of
from poller.core.async_events import EventRules, Notice, QueuedEvent, begin, judge
from poller.core.event_time import Moment
from poller.core.invocation_records import kept
from poller.core.outcomes import LostReply, Outcome, Unreachable, outcome_name
from poller.events.clock import EventClock
from poller.events.queue import EventQueue
from poller.interfaces import Invocation
from poller.invoking.event_meter import EventMeter
from poller.invoking.event_settings import EventSettings
from poller.invoking.event_writes import EventWrites, Held
from poller.invoking.invoker import Invoker
from poller.rules import Tempo
from poller.surroundings import Surroundings

# A function or version that is missing from the files for so long is left to workers whose files list it.
PASS_ON_S = 5.0
_NOT_LISTED = Unreachable(reason="no mapping file lists the function", status_code=404)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRunner:
    """Runs events once."""

    queue: EventQueue
    configs: EventInvokeConfigStore
    directory: FunctionDirectory
    invoker: Invoker
    writes: EventWrites
    meter: EventMeter
    clock: EventClock
    surroundings: Surroundings
    tempo: Tempo
    missing_since: dict[str, float] = field(default_factory=dict)
    """When a function, or its version, was first found missing, by the event clock."""

    async def advance(self, held: Held) -> None:
        """Bring an event that is due one attempt further, each step written before the next."""
        settings = await self.settings(held.event)
        if settings is None:
            return
        rules = settings.rules(self.tempo)
        now = self.clock.now()
        needs = held.event.needs
        event = held.event = begin(held.event, rules, now)
        outcome: Outcome | None = None
        if event.running and not settings.runnable:
            await self._leave(held, rules, now)
            return
        self.missing_since.pop(needs, None)
        if event.running:
            if not await self.writes.keep(self.queue.update, event):
                return
            self.meter.begun(event)
            outcome = await self._invoke(event, settings)
            event = held.event = self._judged(event, outcome, rules)
        await self._write(held, "" if outcome is None else outcome_name(outcome))

    async def settings(self, event: QueuedEvent) -> EventSettings | None:
        """What is known of the event's function; None where that cannot be read before the drain."""
        function = self.directory.listed.get(event.function)
        version = None if function is None else version_of(function, event.qualifier)
        while True:
            try:
                config = await self.configs.get(event.function, event.qualifier or LATEST)
            except StoreUnavailable as error:
                if not await self.writes.may_go_on(error):
                    return None
            else:
                return EventSettings(
                    function=function, version=version, config=config, last_dead_letter=event.dead_letter
                )

    async def _leave(self, held: Held, rules: EventRules, now: Moment) -> None:
        """Nothing was run, so nothing was written before."""
        event = held.event
        since = self.missing_since.setdefault(event.needs, now.at)
        self.meter.unlisted(event)
        chance = self.surroundings.chance()
        held.event = judge(event, _NOT_LISTED, rules, now=now, chance=chance)
        pass_on = now.at - since >= PASS_ON_S
        await self.writes.release(self.queue.pass_on if pass_on else self.queue.put_back, held)

    async def _invoke(self, event: QueuedEvent, settings: EventSettings) -> Outcome:
        assert settings.function is not None
        assert settings.version is not None
        invocation = Invocation(
            payload=event.payload,
            request_id=event.request_id,
            attempt=event.failed + 1,
            function_arn=event.function_arn,
            version=settings.version,
        )
        try:
            return await self.invoker.run(settings.function, invocation)
        except Exception as error:  # noqa: BLE001  # it may have run: the attempt counts, whatever went wrong
            self.meter.crashed(event, error)
            return LostReply(reason=type(error).__name__)

    def _judged(self, event: QueuedEvent, outcome: Outcome, rules: EventRules) -> QueuedEvent:
        event = judge(event, outcome, rules, now=self.clock.now(), chance=self.surroundings.chance())
        told: Iterable[Notice]
        if event.ending is not None:
            told = event.ending.pending
        else:
            told = (notice for notices in rules.told.values() for notice in notices)
        return kept(event, told)

    async def _write(self, held: Held, outcome: str) -> None:
        event = held.event
        over = event.ending is not None and not event.ending.pending
        if not await self.writes.release(self.queue.remove if over else self.queue.put_back, held):
            return
        if event.ending is not None:
            self.meter.ended(event, outcome)
        else:
            self.meter.postponed(event, outcome, delay_s=event.due_at - self.clock.now().at)
