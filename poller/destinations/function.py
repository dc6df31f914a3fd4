"""Functions as destinations: invoked asynchronously with each invocation record."""

from collections.abc import Awaitable, Callable

from mappings.arns import Arn
from poller.aws import Aws
from poller.core.invocation_records import LIMITS_BYTES, InvocationRecord
from poller.destinations.errors import destination_errors
from poller.errors import DestinationUnavailable, StateError
from poller.events.queue import QueueFull


class LambdaDestination:
    """A function of AWS Lambda."""

    def __init__(self, function: Arn, aws: Aws) -> None:
        self._function = function
        self._aws = aws

    async def send(self, record: InvocationRecord) -> None:
        """Have Lambda accept the record as an event."""
        with destination_errors(self._function.resource):
            client = await self._aws.client("lambda", self._function.region)
            await client.invoke(
                FunctionName=str(self._function),
                InvocationType="Event",
                Payload=record.fitting(LIMITS_BYTES["lambda"]),
            )


class ListedFunctionDestination:
    """A function that a mapping file defines: the record joins the events of this process."""

    def __init__(self, name: str, accept: Callable[[bytes], Awaitable[None]]) -> None:
        """Make a destination; `accept` takes an event for the function."""
        self._name = name
        self._accept = accept

    async def send(self, record: InvocationRecord) -> None:
        """Accept the record as an event."""
        try:
            await self._accept(record.fitting(LIMITS_BYTES["lambda"]))
        except (QueueFull, StateError) as error:
            raise DestinationUnavailable(f"{self._name}: {type(error).__name__}") from error
