"""The target `handler`: a Python function run by the local function host."""

from poller.core.outcomes import Outcome
from poller.functions.asked import Asked
from poller.functions.definition import LATEST
from poller.functions.host import FunctionHost
from poller.functions.slots import Line
from poller.interfaces import Invocation


class HandlerTarget:
    """Implements Target over a host that was started, which others may use too."""

    def __init__(self, host: FunctionHost, *, function_arn: str | None = None, version: str = LATEST) -> None:
        """Make a target.

        Args:
            host: Runs the function.
            function_arn: What its invocations call the function, by default its own ARN.
            version: Which version they run.
        """
        self._host = host
        self._function_arn = function_arn or host.function.arn
        self._version = version

    async def ready(self) -> bool:
        """A handler that fails is a failing function, not one that is not there."""
        return self._host.open

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Run the handler once."""
        asked = Asked(
            payload=invocation.payload,
            request_id=invocation.request_id,
            function_arn=invocation.function_arn or self._function_arn,
            version=invocation.version or self._version,
            client_context=invocation.client_context,
            tail=invocation.tail,
            start=invocation.start,
        )
        line = Line.of(invocation)
        return await self._host.run(asked, line=line, patience_s=line.patience_s)

    async def close(self) -> None:
        """The host belongs to whoever started it."""
