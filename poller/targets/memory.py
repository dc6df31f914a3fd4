"""A function in this process, for tests and embedders: a callable from event bytes to outcome."""

from collections.abc import Awaitable, Callable

from poller.core.outcomes import Outcome
from poller.interfaces import Invocation


class MemoryTarget:
    """Calls `function` for every invocation and keeps what was asked of it."""

    def __init__(self, function: Callable[[Invocation], Awaitable[Outcome]]) -> None:
        self.invocations: list[Invocation] = []
        self._function = function

    async def ready(self) -> bool:
        """It is always there."""
        return True

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Call the function."""
        if invocation.start is not None:
            invocation.start()
        self.invocations.append(invocation)
        return await self._function(invocation)

    async def close(self) -> None:
        """Nothing is held."""
