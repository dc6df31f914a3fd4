"""The targets of listed functions: opened when first invoked, closed when no file lists them any more."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import anyio

from mappings.directory import FunctionDirectory
from mappings.functions import Function
from poller.aws import Aws
from poller.functions.hosted import HostedFunctions
from poller.interfaces import Target
from poller.targets import default_arn, open_target
from poller.targets.timeouts import FunctionTimeouts


@dataclass(slots=True, eq=False)
class _Open:
    """One target and those who use it."""

    users: int = 0
    target: Target | None = None
    opening: anyio.Lock = field(default_factory=anyio.Lock)
    resources: AsyncExitStack = field(default_factory=AsyncExitStack)


class ListedTargets:
    """Keeps targets open between invocations: an HTTP connection is worth keeping."""

    def __init__(
        self, directory: FunctionDirectory, aws: Aws, hosted: HostedFunctions, timeouts: FunctionTimeouts
    ) -> None:
        self._directory = directory
        self._aws = aws
        self._hosted = hosted
        self._timeouts = timeouts
        self._open: dict[Function, _Open] = {}

    @asynccontextmanager
    async def target(self, function: Function) -> AsyncIterator[Target]:
        """A function's target, for one invocation. Raises StartError where a handler cannot be imported."""
        entry = self._open.setdefault(function, _Open())
        entry.users += 1
        try:
            yield await self._opened(function, entry)
        finally:
            entry.users -= 1

    async def let_go(self) -> None:
        """Close those that nobody uses and no file lists any more."""
        listed = set(self._directory.listed.values())
        for function in [each for each, entry in self._open.items() if not entry.users]:
            if function not in listed:
                await self._open.pop(function).resources.aclose()

    async def close(self) -> None:
        """Close all."""
        with anyio.CancelScope(shield=True):
            while self._open:
                _, entry = self._open.popitem()
                await entry.resources.aclose()

    async def _opened(self, function: Function, entry: _Open) -> Target:
        async with entry.opening:
            if entry.target is None:
                context = open_target(
                    function,
                    default_arn(function, self._directory.home),
                    aws=self._aws,
                    hosted=self._hosted,
                    timeouts=self._timeouts,
                )
                entry.target = await entry.resources.enter_async_context(context)
            return entry.target
