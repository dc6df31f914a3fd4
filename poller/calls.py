"""AWS calls that are answered in the service's own JSON, whichever way they go."""

import base64
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Protocol

from botocore import xform_name
from msgspec import Struct

from poller.core.payload import encode_json
from poller.hot_path.route import Route
from poller.waiting import Turns

# The largest answer that is known: 10 MiB of Kinesis data as base64, with its keys.
MAX_ANSWER_BYTES = 32 * 1024 * 1024
# To read a page of so much takes a millisecond.
_LARGE_BYTES = 1024 * 1024


class Reply(Struct, frozen=True):
    """What an operation answered."""

    body: bytes
    """JSON, with binary as base64 and times in epoch seconds."""
    served_at: float | None
    """The service's clock when it answered, epoch seconds, rounded down; None where it does not say."""


class Call(Protocol):
    """An operation. Raises what aiobotocore raises."""

    async def __call__(self, request: Mapping[str, Any]) -> Reply: ...


@lru_cache(maxsize=64)
def time_of(date: str | None) -> float | None:
    """Epoch seconds of a Date header; None where there is none that can be read."""
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


class HotCall:
    """A call on the hot path: the answer is passed on as it came."""

    def __init__(self, route: Route, turns: Turns) -> None:
        self._route = route
        self._turns = turns

    async def __call__(self, request: Mapping[str, Any]) -> Reply:
        """Send the request."""
        answer = await self._route.send(encode_json(request), limit_bytes=MAX_ANSWER_BYTES)
        if len(answer.body) > _LARGE_BYTES:
            await self._turns.take()  # whoever called reads it now
        return Reply(answer.body, time_of(answer.header(b"date")))


class ClientCall:
    """A call of aiobotocore's client: what the SDK made of the answer is made JSON again."""

    def __init__(self, client: Any, operation: str) -> None:
        self._method = getattr(client, xform_name(operation))

    async def __call__(self, request: Mapping[str, Any]) -> Reply:
        """Send the request."""
        answer = await self._method(**request)
        headers = answer.pop("ResponseMetadata", {}).get("HTTPHeaders", {})
        return Reply(encode_json(wire_form(answer)), time_of(headers.get("date")))


def wire_form(value: Any) -> Any:
    """What the SDK made of an answer, in the form the service gave it."""
    match value:
        case dict():
            return {name: wire_form(member) for name, member in value.items()}
        case list():
            return [wire_form(member) for member in value]
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.timestamp()
        case _:
            return value
