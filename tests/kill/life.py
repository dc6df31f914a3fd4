"""One life of the poller: started on the world's state file, ended by signals, buried."""

import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from tests.fakes.history import Died, Ended, Ready, Started
from tests.kill.clock import WorldClock
from tests.kill.ending import KILL, TERM, Executioner, Step
from tests.kill.handlers import URL_VARIABLE
from tests.kill.processes import Nursery, PollerProcess, processes_marked, start_cold
from tests.kill.watching import WatchedHistory

# The last life does what all others left; each invocation takes it less than a second.
LIFE_LIMIT_S = 180.0
HANDLERS_GONE_S = 5.0
MARK = "KILL_MARK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What all lives of a world share."""

    folder: Path
    clock: WorldClock
    history: WatchedHistory
    nursery: Nursery
    environment: Mapping[str, str]
    functions_url: str
    """Where functions are reached; the name of the life and of the function follow."""
    handlers: bool
    """Whether functions are processes that have to die with the poller."""


@dataclass(slots=True, kw_only=True)
class Life:
    """A life and what was wrong with its end."""

    name: str
    steps: Sequence[Step]
    cold: bool
    sent: list[signal.Signals] = field(default_factory=list)
    ready: bool = False
    code: int | None = None
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        how = "cold" if self.cold else "warm"
        steps = ", then ".join(map(str, self.steps))
        return f"{self.name} ({how}): {steps}; exit code {self.code}"

    def check_code(self) -> None:
        """Compare the exit code with what it was sent."""
        allowed = {0} if TERM in self.sent else set()
        if KILL in self.sent:
            allowed.add(-KILL)
        if self.sent.count(TERM) > 1:
            allowed.add(1)
        if TERM in self.sent and not self.ready:
            allowed.add(-TERM)  # nothing listens yet while an interpreter starts
        if self.code not in allowed:
            self.wrong.append(f"exit code {self.code} after {[s.name for s in self.sent]}")


async def live(life: Life, place: Place, *, hold: Callable[[], Awaitable[None]] | None = None) -> None:
    """Run a life from its start to its end; the history has all but what became durable and its end.

    Args:
        life: Its plan; takes up what became of it.
        place: What it shares with others.
        hold: What to wait for before the first of its steps.
    """
    process = _start(life, place)
    place.history.add(Started(place.clock.monotonic(), life.name))
    executioner = Executioner(process, life.name, life.steps, clock=place.clock, history=place.history)
    place.history.watch = executioner.see
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_tell_ready, process, life, place)
            tasks.start_soon(_execute, executioner, hold)
            with anyio.move_on_after(LIFE_LIMIT_S) as limit:
                await process.ended()
            tasks.cancel_scope.cancel()
        if limit.cancelled_caught:
            life.wrong.append(f"still running {LIFE_LIMIT_S} s after its start")
    finally:
        place.history.watch = None
        place.history.dead.add(life.name)
        life.sent = executioner.sent
        await _bury(process, life, place)


def tell_end(life: Life, place: Place) -> None:
    """Say in the history how it ended."""
    now = place.clock.monotonic()
    if life.code in (0, 1):
        place.history.add(Ended(now, life.name, life.code == 0, 0, 0))
    else:
        place.history.add(Died(now, life.name))


def _start(life: Life, place: Place) -> PollerProcess:
    environment = {
        **place.environment,
        "AWS_ACCESS_KEY_ID": life.name,
        MARK: _mark(life, place),
        URL_VARIABLE: f"{place.functions_url}/{life.name}",
    }
    arguments = ("run", "mappings.yaml", "--state", "sqlite:///state.db", "--profile", "test", "--api", "off")
    start = start_cold if life.cold else place.nursery.start
    log = os.open(place.folder / "log.jsonl", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    try:
        return start(
            (*arguments, "--log-level", "debug"), folder=place.folder, environment=environment, log=log
        )
    finally:
        os.close(log)


async def _execute(executioner: Executioner, hold: Callable[[], Awaitable[None]] | None) -> None:
    if hold is not None:
        await hold()
    await executioner.run()


async def _tell_ready(process: PollerProcess, life: Life, place: Place) -> None:
    await process.watch_ready()
    if process.ready.is_set():
        life.ready = True
        place.history.add(Ready(place.clock.monotonic(), life.name))


async def _bury(process: PollerProcess, life: Life, place: Place) -> None:
    with anyio.CancelScope(shield=True):
        process.send(signal.SIGKILL)  # whatever it was sent, it is not left behind
        await process.ended()
        life.code = process.reap()
        if place.handlers:
            await _handlers_gone(life, place)


async def _handlers_gone(life: Life, place: Place) -> None:
    with anyio.move_on_after(HANDLERS_GONE_S):
        while processes_marked(_mark(life, place)):  # noqa: ASYNC110  # nobody announces their end
            await anyio.sleep(0.01)
    for pid in processes_marked(_mark(life, place)):
        life.wrong.append(f"handler process {pid} outlives it")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _mark(life: Life, place: Place) -> str:
    return f"{place.folder.name}/{life.name}."
