"""The Lambda API: reads a request as a call of an operation, has it done, and writes the answer."""

import json
from collections.abc import Awaitable, Callable, Mapping

from mappings.answers import JSON, Answer, error_answer
from mappings.auth import Caller, ReceivedRequest
from mappings.calls import Call, read_call
from mappings.errors import MappingError, ServiceException, StoreUnavailable

Handler = Callable[[Call, Caller], Awaitable[Answer]]


class LambdaApi:
    """The operations that are served, by the service model's names of them."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    async def __call__(self, request: ReceivedRequest, caller: Caller) -> Answer:
        """Answer a request whose sender is known."""
        try:
            call = read_call(request, self._handlers)
            return await self._handlers[call.operation](call, caller)
        except MappingError as error:
            return error_answer(error)
        except StoreUnavailable as error:
            # Nobody knows whether it was written: a client that tries again finds out.
            return error_answer(ServiceException(str(error)))


def json_answer(call: Call, document: Mapping[str, object] | None) -> Answer:
    """Return what an operation that succeeded answers with; None where it says nothing."""
    if document is None:
        return Answer(status=call.status)
    # The name of a mapping file need not be Unicode.
    body = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    return Answer(status=call.status, body=body, headers={"Content-Type": JSON})
