"""AWS calls that are answered in the service's own JSON, whichever way they go."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from botocore import xform_name

from poller.core.payload import encode_json
from poller.hot_path.route import Route
from poller.waiting import Turns

# The largest answer that is known: 10 MiB of Kinesis data as base64, with its keys.
MAX_ANSWER_BYTES = 32 * 1024 * 1024
# To read a page of so much takes a millisecond.
_LARGE_BYTES = 1024 * 1024


class Call(Protocol):
    """An operation. Answers a JSON text with binary as base64 and times in epoch seconds.

    Raises what aiobotocore raises.
    """

    async def __call__(self, request: Mapping[str, Any]) -> bytes: ...


class HotCall:
    """A call on the hot path: the answer is passed on as it came."""

    def __init__(self, route: Route, turns: Turns) -> None:
        self._route = route
        self._turns = turns

    async def __call__(self, request: Mapping[str, Any]) -> bytes:
        """Send the request."""
        answer = await self._route.send(encode_json(request), limit_bytes=MAX_ANSWER_BYTES)
        if len(answer.body) > _LARGE_BYTES:
            await self._turns.take()  # whoever called reads it now
        return answer.body


class ClientCall:
    """A call of aiobotocore's client: what the SDK made of the answer is made JSON again."""

    def __init__(self, client: Any, operation: str) -> None:
        self._method = getattr(client, xform_name(operation))

    async def __call__(self, request: Mapping[str, Any]) -> bytes:
        """Send the request."""
        return encode_json(wire_form(await self._method(**request)))


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
