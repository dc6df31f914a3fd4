"""An asyncio event loop on virtual time: its clock jumps, its ready queue is shuffled, threads are refused.

One seed is one interleaving. Nothing that happens depends on memory addresses or on the order of sets: ready
tasks are put in the order of their creation before they are shuffled.
"""

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from itertools import count
from typing import Any, NoReturn

# Which process a task works for: it may be stopped as a whole.
WORKS_FOR: ContextVar[str] = ContextVar("WORKS_FOR", default="")
# A process that runs so many steps without time passing is in a hot loop.
STEPS_PER_MOMENT = 20_000


class Deadlock(AssertionError):
    """Nothing is ready and no timer runs: everybody waits for somebody else."""


class HotLoop(AssertionError):
    """Steps are run and time does not pass."""


class _Task(asyncio.Task[Any]):
    """A task that knows how many were created before it."""

    number: int

    def __hash__(self) -> int:
        return self.number


class VirtualLoop(asyncio.BaseEventLoop):
    """Use it through `anyio.run(..., backend_options={"loop_factory": lambda: VirtualLoop(seed)})`."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, seed: object) -> None:
        super().__init__()
        self.steps = 0
        self.alarms: dict[int, Callable[[], None]] = {}
        """What to call right before a step, by its number: how a crash meets an await."""
        self._now = 0.0
        self._stopped: dict[str, list[asyncio.Handle]] = {}
        self._moment_began = 0
        self._chance = random.Random(repr(seed))
        self._numbers = count(1)
        self.set_task_factory(self._numbered)  # type: ignore[arg-type]  # typeshed wants any Future

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def stop_process(self, name: str) -> None:
        """Run nothing of a process until it goes on; what it waits for comes to pass meanwhile."""
        self._stopped.setdefault(name, [])

    def go_on(self, name: str) -> None:
        """Let a process go on where it stood."""
        self._ready.extend(self._stopped.pop(name, ()))

    def run_in_executor(self, executor: object, func: object, *args: object) -> NoReturn:
        """Refuse threads: their order cannot be repeated."""
        raise AssertionError(f"{func} would run in a thread")

    def call_soon_threadsafe(self, callback: object, *args: object, context: object = None) -> NoReturn:
        """Refuse threads: nobody else may know of this loop."""
        raise AssertionError(f"{callback} comes from a thread")

    def _run_once(self) -> None:
        """Run what is ready, in an order drawn from the seed; with nothing ready, jump to the next timer."""
        if not self._ready:
            self._jump()
        self._collect_due()
        if self._stopped:
            self._set_aside()
        if len(self._ready) > 1:
            order = sorted(self._ready, key=_creation)
            self._chance.shuffle(order)
            self._ready = deque(order)
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if not handle._cancelled:
                self._step(handle)

    def _set_aside(self) -> None:
        ready, self._ready = self._ready, deque()
        for handle in ready:
            name = handle._context.get(WORKS_FOR, "")  # type: ignore[attr-defined]
            self._stopped.get(name, self._ready).append(handle)

    def _step(self, handle: asyncio.Handle) -> None:
        self.steps += 1
        if self.alarms and self.steps in self.alarms:
            self.alarms.pop(self.steps)()
        if self.steps - self._moment_began > STEPS_PER_MOMENT:
            self._moment_began = self.steps  # the tasks are still to be cancelled
            self._ready.appendleft(handle)
            raise HotLoop(f"{STEPS_PER_MOMENT} steps at t={self._now}")
        handle._run()

    def _jump(self) -> None:
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)
        if not self._scheduled:
            raise Deadlock(f"nothing is ready and no timer runs at t={self._now}")
        self._now = max(self._now, self._scheduled[0].when())
        self._moment_began = self.steps

    def _collect_due(self) -> None:
        while self._scheduled and self._scheduled[0].when() <= self._now:
            self._ready.append(heapq.heappop(self._scheduled))

    def _process_events(self, event_list: object) -> None:
        """There is no selector, so there are no events."""

    def _numbered(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> _Task:
        task = _Task.__new__(_Task)
        task.number = next(self._numbers)  # before __init__, which puts the task into sets
        task.__init__(coroutine, loop=loop, **options)  # type: ignore[misc]
        return task


def _creation(handle: asyncio.Handle) -> int:
    owner = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
    return owner.number if isinstance(owner, _Task) else 0
