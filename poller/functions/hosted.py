"""What of this process's functions is shared by all who invoke them: each handler's host, and slots."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

import anyio
import structlog

from mappings.functions import HandlerFunction, UrlFunction
from poller.errors import HandlerBroken, StartError
from poller.functions.definition import FunctionDefinition
from poller.functions.host import FunctionHost
from poller.functions.orphans import tree_problem
from poller.functions.slots import Slots
from poller.functions.starts import TURN_S, Starts
from poller.telemetry import Log


@dataclass(slots=True, eq=False)
class _Hosted:
    """One host and those who use it."""

    host: FunctionHost
    users: int = 0
    changing: anyio.Lock = field(default_factory=anyio.Lock)
    """Held while it is started."""
    started: bool = False


class HostedFunctions:
    """Starts a host for whoever needs it first, and closes it after whoever needs it last.

    What one function's module does while it starts or ends keeps no other function waiting.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Host nothing yet; `environment` is what handlers inherit."""
        self._environment = environment
        self._hosted: dict[HandlerFunction, _Hosted] = {}
        self._ending: dict[HandlerFunction, anyio.Event] = {}
        """Hosts that are being closed: none of the same function is started beside them."""
        self._listed: frozenset[HandlerFunction] = frozenset()
        self._slots: WeakValueDictionary[UrlFunction, Slots] = WeakValueDictionary()
        self._starts = Starts()
        self._problem_said = False

    @asynccontextmanager
    async def hosting(self, function: HandlerFunction, arn: str) -> AsyncIterator[FunctionHost]:
        """Hold a host while it is used.

        Args:
            function: What is hosted.
            arn: Its ARN and region, where it is not hosted yet.

        Raises:
            StartError: There is no such handler.
        """
        host = await self._hold(function, arn)
        try:
            yield host
        finally:
            with anyio.CancelScope(shield=True):
                await self._let_go(function)

    def slots(self, function: UrlFunction) -> Slots | None:
        """The reserved concurrency of an HTTP function, while somebody holds it; None without a limit."""
        if function.concurrency is None:
            return None
        slots = self._slots.get(function)
        if slots is None:
            slots = self._slots[function] = Slots(function.concurrency)
        return slots

    async def keep(self, listed: Mapping[HandlerFunction, str]) -> None:
        """Host these, given with their ARNs, also while nobody uses them; and no longer what was kept before.

        Raises:
            StartError: There is no such handler as one of them. What was kept is kept.
        """
        held: list[HandlerFunction] = []
        problems: list[StartError] = []
        try:
            async with anyio.create_task_group() as group:

                async def hold(function: HandlerFunction, arn: str) -> None:
                    try:
                        await self._hold(function, arn)
                        held.append(function)
                    except StartError as error:
                        problems.append(error)
                        group.cancel_scope.cancel()

                for function, arn in listed.items():
                    group.start_soon(hold, function, arn)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._let_all_go(held)
            raise
        if problems:
            await self._let_all_go(held)
            raise problems[0]
        before, self._listed = self._listed, frozenset(listed)
        await self._let_all_go(before)

    async def _hold(self, function: HandlerFunction, arn: str) -> FunctionHost:
        hosted = self._hosted.get(function)
        if hosted is None:
            host = host_of(function, arn, self._environment, starts=self._starts)
            hosted = self._hosted[function] = _Hosted(host)
        hosted.users += 1
        try:
            async with hosted.changing:
                if not hosted.started:
                    await self._start(function, hosted.host)
                    hosted.started = True
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._let_go(function)
            raise
        return hosted.host

    async def _start(self, function: HandlerFunction, host: FunctionHost) -> None:
        self._say_problem()
        if function in self._ending:
            await self._ending[function].wait()
        try:
            # As long as a start has its turn, others wait for it anyway.
            await host.start(patience_s=TURN_S)
        except HandlerBroken:
            # The host has said so, and tries again when it is next invoked.
            return

    async def _let_all_go(self, functions: Iterable[HandlerFunction]) -> None:
        async with anyio.create_task_group() as group:
            for function in functions:
                group.start_soon(self._let_go, function)

    async def _let_go(self, function: HandlerFunction) -> None:
        hosted = self._hosted[function]
        hosted.users -= 1
        if hosted.users:
            return
        del self._hosted[function]
        ended = self._ending[function] = anyio.Event()
        try:
            await hosted.host.close()
        finally:
            if self._ending.get(function) is ended:
                del self._ending[function]
            ended.set()

    def _say_problem(self) -> None:
        """Say once what may outlive its handler here."""
        problem = None if self._problem_said else tree_problem()
        self._problem_said = True
        if problem is not None:
            structlog.get_logger().warning(Log.FUNCTION_TREES_LIMITED, reason=problem)


def host_of(
    function: HandlerFunction, arn: str, environment: Mapping[str, str], *, starts: Starts | None = None
) -> FunctionHost:
    """Return a host that has not been started."""
    definition = FunctionDefinition(
        name=function.name,
        handler=function.handler,
        arn=arn,
        environment=environment,
        timeout_s=function.timeout,
    )
    return FunctionHost(
        definition, concurrency=function.concurrency, reserved=function.reserved, starts=starts
    )
