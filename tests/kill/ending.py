"""How a life of the poller ends: which signals it is sent, and at which moments."""

import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread

from tests.fakes.history import DrainBegun, Event, History
from tests.kill.clock import WorldClock
from tests.kill.processes import PollerProcess

KILL, TERM = signal.SIGKILL, signal.SIGTERM
# A moment that does not come is not waited for longer: not every life sees every kind of event.
PATIENCE_S = 1.5
READY_PATIENCE_S = 10.0  # an interpreter may have to start first
# The moments between an answer of a function and what the poller makes of it are drawn more often.
_MOMENTS = ("Answered",) * 4 + ("Invoked", "Invoked", "Received", "Read", "Opened", "Listed", "Deleted")
_DRAIN_MOMENTS = ("Answered", "Answered", "Deleted", "Shown", "Received", "Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When to send a signal: a time after the step before, or after the n-th event of a kind."""

    event: str | None = None
    count: int = 1
    after_s: float = 0.0
    ready: bool = False
    """Whether the time counts from the ready line."""

    def __str__(self) -> str:
        delay = f"{self.after_s * 1e6:.0f} us after"
        if self.event is None:
            return f"{delay} {'ready' if self.ready else 'the step before'}"
        return f"{delay} {self.event} no. {self.count}"


@dataclass(frozen=True, slots=True)
class Step:
    """One signal."""

    signal: signal.Signals
    moment: Moment

    def __str__(self) -> str:
        return f"{self.signal.name} {self.moment}"


def draw_ending(chance: random.Random) -> Sequence[Step]:
    """How the next life ends."""
    first = _draw_moment(chance)
    kind = chance.random()
    if kind < 0.6:
        return [Step(KILL, first)]
    if kind < 0.75:
        return [Step(TERM, first)]
    return [Step(TERM, first), Step(KILL if kind < 0.92 else TERM, _draw_drain_moment(chance))]


def _draw_moment(chance: random.Random) -> Moment:
    kind = chance.random()
    if kind < 0.15:
        return Moment(after_s=_log_uniform(chance, 20e-6, 0.4))
    if kind < 0.3:
        return Moment(after_s=chance.uniform(0.0, 0.5), ready=True)
    return Moment(
        event=chance.choice(_MOMENTS),
        count=chance.choice((1, 1, 2, 3, 5, 8, 13, 21)),
        after_s=_delay(chance),
    )


def _draw_drain_moment(chance: random.Random) -> Moment:
    if chance.random() < 0.5:
        return Moment(after_s=_log_uniform(chance, 20e-6, 0.1))
    return Moment(event=chance.choice(_DRAIN_MOMENTS), after_s=_delay(chance))


def _delay(chance: random.Random) -> float:
    return 0.0 if chance.random() < 0.3 else _log_uniform(chance, 20e-6, 0.02)


def _log_uniform(chance: random.Random, low: float, high: float) -> float:
    return float(low * (high / low) ** chance.random())


class Executioner:
    """Sends one process its signals."""

    def __init__(
        self,
        process: PollerProcess,
        name: str,
        steps: Sequence[Step],
        *,
        clock: WorldClock,
        history: History,
    ) -> None:
        self.sent: list[signal.Signals] = []
        self._process = process
        self._name = name
        self._steps = steps
        self._clock = clock
        self._history = history
        self._reached = anyio.Event()
        self._left = 0
        self._awaited: Step | None = None

    def see(self, event: Event) -> None:
        """An event has happened. A signal that is due at once is sent before the world moves on."""
        step = self._awaited
        if step is None or step.moment.event != type(event).__name__:
            return
        if getattr(event, "process", "") != self._name:
            return
        self._left -= 1
        if self._left == 0:
            self._awaited = None
            if not step.moment.after_s:
                self._send(step)
            self._reached.set()

    async def run(self) -> None:
        """Send everything."""
        for number, step in enumerate(self._steps):
            await self._until(step.moment, step, patience_s=PATIENCE_S / (number + 1) ** 2)
            if len(self.sent) == number:
                await anyio.to_thread.run_sync(self._wait_and_send, step)

    async def _until(self, moment: Moment, step: Step, *, patience_s: float) -> None:
        if moment.ready:
            with anyio.move_on_after(READY_PATIENCE_S):
                await self._process.ready.wait()
        if moment.event is None:
            return
        self._left, self._awaited, self._reached = moment.count, step, anyio.Event()
        with anyio.move_on_after(patience_s):
            await self._reached.wait()
        self._awaited = None

    def _wait_and_send(self, step: Step) -> None:
        time.sleep(step.moment.after_s)  # in a thread: finer than the timers of an event loop
        self._send(step)

    def _send(self, step: Step) -> None:
        if step.signal is TERM and not self.sent:
            self._history.add(DrainBegun(self._clock.monotonic(), self._name))
        self.sent.append(step.signal)
        self._process.send(step.signal)
