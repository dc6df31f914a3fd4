"""Runs a listed function once, for a client or for a queued event, and says what came of it."""

import math
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from mappings.functions import Function, longest_run
from poller.core.log_tail import LogTail
from poller.core.outcomes import FunctionError, Outcome, Unreachable
from poller.errors import StartError
from poller.functions import failures
from poller.interfaces import Invocation, Target
from poller.waiting import Signal


class Targets(Protocol):
    """Where the target of a function is found."""

    def target(self, function: Function) -> AbstractAsyncContextManager[Target]:
        """A function's target, for one invocation. May raise StartError."""
        ...


class Invoker:
    """Invokes through targets that stay open."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._running: Counter[Function] = Counter()
        self._ended = Signal()

    @property
    def functions(self) -> Sequence[Function]:
        """What runs now."""
        return list(self._running)

    async def until_idle(self) -> None:
        """Wait until nothing runs."""
        while self._running:
            await self._ended.wait()

    async def run(self, function: Function, invocation: Invocation) -> Outcome:
        """Run a function."""
        self._running[function] += 1
        try:
            return await self._run(function, invocation)
        finally:
            self._running[function] -= 1
            self._running = +self._running  # forgets those that do not run
            self._ended.set()

    async def _run(self, function: Function, invocation: Invocation) -> Outcome:
        _begin(invocation)
        begun = time.monotonic()
        try:
            async with self._targets.target(function) as target:
                outcome = await target.invoke(invocation)
        except StartError as error:
            return Unreachable(reason=str(error))
        _end(invocation, duration_s=time.monotonic() - begun)
        if isinstance(outcome, FunctionError):
            return failures.explained(
                outcome, request_id=invocation.request_id, timeout_s=longest_run(function.timeout)
            )
        return outcome


def _begin(invocation: Invocation) -> None:
    """Open the log as Lambda does."""
    if invocation.tail is not None:
        line = f"START RequestId: {invocation.request_id} Version: {invocation.version}"
        invocation.tail.add(line.encode())


def _end(invocation: Invocation, *, duration_s: float) -> None:
    tail: LogTail | None = invocation.tail
    if tail is None:
        return
    tail.add(f"END RequestId: {invocation.request_id}".encode())
    milliseconds = duration_s * 1000
    tail.add(
        f"REPORT RequestId: {invocation.request_id}\tDuration: {milliseconds:.2f} ms\t"
        f"Billed Duration: {math.ceil(milliseconds)} ms\tMemory Size: 128 MB".encode()
    )
