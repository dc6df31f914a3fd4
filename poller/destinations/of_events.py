"""Where asynchronous events are told of: the destination, or dead-letter queue, that an ARN names."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from mappings.arns import Arn, FunctionName
from mappings.errors import InvalidArn
from poller.aws import NO_ACCOUNT, Aws
from poller.core.documents import Told
from poller.core.invocation_records import LIMITS_BYTES, DeadLetter, InvocationRecord
from poller.destinations import make_destination
from poller.destinations.event_bus import EventBusDestination
from poller.destinations.function import LambdaDestination, ListedFunctionDestination
from poller.destinations.sns import SnsDestination
from poller.destinations.sqs import SqsDestination
from poller.errors import DestinationGone, DestinationUnsuitable


class EventDestination(Protocol):
    """Takes invocation records. Raises DestinationError; never retried here."""

    async def send(self, record: InvocationRecord) -> None:
        """Deliver a record; once this returns, it is acknowledged."""
        ...


class Destinations(Protocol):
    """Tells ends where an ARN says."""

    async def tell(self, arn: str, record: InvocationRecord, *, region: str) -> None:
        """Deliver a record; `region` is for what names none itself. Raises DestinationError."""
        ...

    async def bury(self, arn: str, letter: DeadLetter) -> None:
        """Send a letter to a dead-letter queue or topic. Raises DestinationError."""
        ...


class _Messages(Protocol):
    async def send(self, document: Told) -> None:
        """Send a message."""
        ...


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A record as one message can hold it."""

    record: InvocationRecord
    limit_bytes: int
    object_key: str = field(default="")

    def text(self) -> str:
        return self.record.fitting(self.limit_bytes).decode()

    def with_payload(self) -> bytes:
        return self.record.with_payload()


@dataclass(frozen=True, slots=True)
class MessageDestination:
    """A queue or topic, whose messages have a limit."""

    messages: _Messages
    limit_bytes: int

    async def send(self, record: InvocationRecord) -> None:
        """Send as much of the record as fits."""
        await self.messages.send(_Fitted(record, self.limit_bytes))


Accept = Callable[[str, bytes], Awaitable[None]]
"""Accepts an event for a listed function, by its ARN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDestinations:
    """Implements Destinations over AWS and the functions of this process."""

    aws: Aws
    is_listed: Callable[[FunctionName], bool]
    accept: Accept

    async def tell(self, arn: str, record: InvocationRecord, *, region: str) -> None:
        """Deliver a record."""
        await self._destination(arn, region).send(record)

    async def bury(self, arn: str, letter: DeadLetter) -> None:
        """Send a letter."""
        place = _parsed(arn)
        letter = letter.fitting(LIMITS_BYTES.get(place.service, LIMITS_BYTES["sqs"]))
        if place.service == "sns":
            await SnsDestination(place, self.aws).publish(letter.body, letter.attributes())
        else:
            await SqsDestination(place, self.aws).send_message(letter.body, letter.attributes())

    def _destination(self, text: str, region: str) -> EventDestination:
        arn = _parsed(text)
        if arn.service == "lambda":
            name = FunctionName.parse(text)
            if self.is_listed(name):
                return ListedFunctionDestination(name.name, lambda payload: self.accept(text, payload))
            if arn.account == NO_ACCOUNT:
                raise DestinationGone(f"{text}: no mapping file lists it")
            return LambdaDestination(arn, self.aws)
        if arn.service == "events":
            return EventBusDestination(arn, self.aws)
        destination = make_destination(text, region=region, aws=self.aws)
        limit = LIMITS_BYTES.get(arn.service)
        return destination if limit is None else MessageDestination(destination, limit)


def _parsed(text: str) -> Arn:
    try:
        return Arn.parse(text)
    except InvalidArn as error:
        raise DestinationUnsuitable(str(error)) from error
