"""What of this process's functions is shared by all who invoke them: each handler's host, and slots."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

import anyio

from mappings.functions import HandlerFunction, UrlFunction
from poller.functions.definition import FunctionDefinition
from poller.functions.host import FunctionHost
from poller.functions.slots import Slots


@dataclass(slots=True)
class _Hosted:
    host: FunctionHost
    users: int = 1


class HostedFunctions:
    """Starts a host for whoever needs it first, and closes it after whoever needs it last."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Host nothing yet; `environment` is what handlers inherit."""
        self._environment = environment
        self._hosted: dict[HandlerFunction, _Hosted] = {}
        self._listed: frozenset[HandlerFunction] = frozenset()
        self._slots: WeakValueDictionary[UrlFunction, Slots] = WeakValueDictionary()
        self._changing = anyio.Lock()

    @asynccontextmanager
    async def hosting(self, function: HandlerFunction, arn: str) -> AsyncIterator[FunctionHost]:
        """Hold a host while it is used.

        Args:
            function: What is hosted.
            arn: Its ARN and region, where it is not hosted yet.

        Raises:
            StartError: The handler cannot be imported.
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
            StartError: A handler cannot be imported. What was kept is kept.
        """
        held: list[HandlerFunction] = []
        try:
            for function, arn in listed.items():
                await self._hold(function, arn)
                held.append(function)
        except BaseException:
            with anyio.CancelScope(shield=True):
                for function in held:
                    await self._let_go(function)
            raise
        before, self._listed = self._listed, frozenset(listed)
        for function in before:
            await self._let_go(function)

    async def _hold(self, function: HandlerFunction, arn: str) -> FunctionHost:
        async with self._changing:
            if function in self._hosted:
                self._hosted[function].users += 1
            else:
                self._hosted[function] = _Hosted(await self._start(function, arn))
            return self._hosted[function].host

    async def _let_go(self, function: HandlerFunction) -> None:
        async with self._changing:
            hosted = self._hosted[function]
            hosted.users -= 1
            if hosted.users == 0:
                del self._hosted[function]
                await hosted.host.close()

    async def _start(self, function: HandlerFunction, arn: str) -> FunctionHost:
        definition = FunctionDefinition(
            name=function.name,
            handler=function.handler,
            arn=arn,
            environment=self._environment,
            timeout_s=function.timeout,
        )
        host = FunctionHost(definition, concurrency=function.concurrency)
        try:
            await host.start()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await host.close()
            raise
        return host
