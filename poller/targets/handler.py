"""The target `handler`: a Python function run by the local function host."""

from poller.core.outcomes import Outcome
from poller.functions.host import FunctionHost
from poller.interfaces import Invocation


class HandlerTarget:
    """Implements Target over a host that was started, which others may use too."""

    def __init__(self, host: FunctionHost, *, function_arn: str | None = None) -> None:
        """Make a target; `function_arn` is what its invocations call the function, by default its own ARN."""
        self._host = host
        self._function_arn = function_arn

    async def ready(self) -> bool:
        """A handler that fails is a failing function, not one that is not there."""
        return self._host.open

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Run the handler once."""
        return await self._host.invoke(
            invocation.payload, request_id=invocation.request_id, function_arn=self._function_arn
        )

    async def close(self) -> None:
        """The host belongs to whoever started it."""
