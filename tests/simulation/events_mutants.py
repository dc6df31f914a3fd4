"""Faults in our own code about events, each of which the world of events must find."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import anyio

import poller.events.shared
import poller.invoking.dispatcher
import poller.invoking.event_runner
import poller.invoking.event_teller
from poller.core.async_events import Condition, Notice, QueuedEvent
from poller.core.event_time import Age, Moment
from poller.core.invocation_records import dead_letter, invocation_record
from poller.core.telling import Reaction
from poller.events.clock import EventClock
from poller.invoking.event_meter import EventMeter
from poller.invoking.event_runner import EventRunner
from poller.invoking.event_teller import EventTeller
from poller.invoking.event_writes import Held
from tests.simulation.mutants import patched

Mutant = Callable[[], AbstractContextManager[None]]


def _as_it_was(event: QueuedEvent, now: Moment) -> QueuedEvent:
    """Back before it ran."""
    return replace(event, ending=None, running=False, due_at=now.at + 60.0)


async def _deliver_raw(self: EventTeller, event: QueuedEvent, notice: Notice, *, reduced: bool) -> None:
    """Whatever it raises, it raises."""
    if notice.role == "dead_letter":
        letter = dead_letter(event)
        await self.destinations.bury(notice.arn, letter.reduced() if reduced else letter)
    else:
        record = replace(invocation_record(event), reduced=reduced)
        await self.destinations.tell(notice.arn, record, region="us-east-1")


@contextmanager
def _run_again_after_an_odd_error() -> Iterator[None]:
    with (
        patched(EventTeller, "_deliver", _deliver_raw),
        patched(poller.invoking.dispatcher, "crashed", _as_it_was),
    ):
        yield


def _always_again(error: Exception, **_: object) -> Reaction:
    return Reaction.RETRY


def _one_line(event: QueuedEvent) -> str:
    return event.function


def _wall(self: EventClock) -> Moment:
    """As if all wall clocks were one."""
    wall = self._clock.wall()
    return Moment(at=wall, clock="store/all", wall=wall)


def _nothing_doubted(self: Age, now: Moment) -> Age:
    """A span between two clocks counts at once."""
    span_s = max(now.at - self.until.at, 0.0)
    return Age(certain_s=self.certain_s + span_s, doubted_s=0.0, until=now)


async def _told_as_configured(self: EventTeller, held: Held) -> None:
    """To where an end goes is looked up when it is sent."""
    event = held.event
    assert event.ending is not None
    settings = await self.runner.settings(event)
    assert settings is not None
    told = settings.rules(self.tempo).told.get(event.ending.condition, ())
    pending = tuple(notice for notice in event.ending.pending if notice in told)
    held.event = replace(event, ending=replace(event.ending, pending=pending))
    await _advance(self, held)


_advance = EventTeller.advance
_ended = EventMeter.ended


def _say_no_end(self: EventMeter, event: QueuedEvent, outcome: str) -> None:
    """Ends by exhaustion alone are counted where the function answered."""
    assert event.ending is not None
    if event.ending.condition is Condition.SUCCESS:
        _ended(self, event, outcome)


async def _forget_the_record(self: EventTeller, event: QueuedEvent, notice: Notice) -> QueuedEvent:
    """Whatever came of sending it."""
    sent = await _send(self, event, notice)
    assert sent.ending is not None
    return replace(sent, ending=replace(sent.ending, pending=()))


_send = EventTeller._send


async def _write_after_telling(self: EventRunner, held: Held, outcome: str) -> None:
    """An end is told before it is written."""
    await anyio.sleep(0.5)
    held.event = replace(held.event, ending=None, due_at=self.clock.now().at + 1.0)
    await self.writes.release(self.queue.put_back, held)


def _anything(item: Mapping[str, object], **_: object) -> bool:
    return True


def _attribute(owner: Any, name: str, value: object) -> Mutant:
    return partial(patched, owner, name, value)


@contextmanager
def _kept_from_others() -> Iterator[None]:
    with (
        patched(poller.events.shared, "is_wanted", _anything),
        patched(poller.invoking.event_runner, "PASS_ON_S", math.inf),
    ):
        yield


MUTANTS: Mapping[str, Mutant] = {
    "0: an odd error of a destination runs the function again": _run_again_after_an_odd_error,
    "0: an end is not written": _attribute(EventRunner, "_write", _write_after_telling),
    "1: a permanent refusal is an outage": _attribute(poller.invoking.event_teller, "react", _always_again),
    "1: a record that was not told is forgotten": _attribute(EventTeller, "_send", _forget_the_record),
    "2: telling takes the places of running": _attribute(QueuedEvent, "line", property(_one_line)),
    "3: the wall clock decides": _attribute(EventClock, "now", _wall),
    "3: a span that nobody measured is certain": _attribute(Age, "to", _nothing_doubted),
    "4: an end goes where destinations are when it is sent": _attribute(
        EventTeller, "advance", _told_as_configured
    ),
    "4: an event is kept from workers that can run it": _kept_from_others,
    "7: an end that is no success is not counted": _attribute(EventMeter, "ended", _say_no_end),
}
"""Each begins with the rule it breaks."""
