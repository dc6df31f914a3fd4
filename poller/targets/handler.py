"""The target `handler`: a Python function run by the local function host."""

from poller.core.outcomes import Outcome
from poller.functions.host import FunctionHost
from poller.interfaces import Invocation


class HandlerTarget:
    """Implements Target over a host that was started, and closes it."""

    def __init__(self, host: FunctionHost) -> None:
        self._host = host

    async def ready(self) -> bool:
        """A handler that fails is a failing function, not one that is not there."""
        return self._host.open

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Run the handler once."""
        return await self._host.invoke(invocation.payload, request_id=invocation.request_id)

    async def close(self) -> None:
        """End its processes."""
        await self._host.close()
