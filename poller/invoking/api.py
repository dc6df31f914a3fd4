"""The operation Invoke: finds the function that is meant, and has it run now, later, or not at all."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mappings.answers import Answer
from mappings.auth import Caller
from mappings.calls import Call
from mappings.directory import FunctionDirectory
from mappings.errors import ServiceException
from mappings.function_options import LATEST
from mappings.functions import LambdaFunction
from mappings.resolution import Asked, Resolved, resolve
from poller.aws import Aws
from poller.core.log_tail import LogTail
from poller.errors import StateError
from poller.events.queue import QueueFull
from poller.interfaces import Invocation
from poller.invoking.answers import accepted, answer_of, queue_full
from poller.invoking.invoker import Invoker
from poller.invoking.passing_on import pass_on
from poller.invoking.request import InvocationType, InvokeRequest, read_invoke
from poller.targets.timeouts import FunctionTimeouts
from poller.waiting import Drain


@dataclass(frozen=True, slots=True, kw_only=True)
class InvokeOperation:
    """Invoke, over the functions that are listed: no other can be invoked through this API."""

    directory: FunctionDirectory
    invoker: Invoker
    accept: Callable[[Resolved, bytes, str], Awaitable[None]]
    """Makes an event durable: of a function, its payload and request id. Raises QueueFull and StateError."""
    aws: Aws
    timeouts: FunctionTimeouts
    drain: Drain

    async def __call__(self, call: Call, caller: Caller) -> Answer:
        """Answer a call."""
        asked = Asked.of(call.parameters, caller.region, self.directory.home)
        found = resolve(asked, self.directory.listed)
        if found is None:
            unqualified = asked.name.qualifier is None
            arn = asked.arn_of(LATEST) if unqualified else asked.arn
            raise asked.missing(arn)
        if isinstance(found.function, LambdaFunction):
            return await pass_on(
                call,
                found.function,
                found,
                region=asked.region,
                aws=self.aws,
                timeouts=self.timeouts,
            )
        request = read_invoke(call)
        request_id = str(uuid.uuid4())
        match request.type:
            case InvocationType.DRY_RUN:
                return accepted(204, request_id)
            case InvocationType.EVENT:
                await self._accept(found, request.payload, request_id)
                return accepted(202, request_id)
            case InvocationType.REQUEST_RESPONSE:
                return await self._run(found, request, request_id)

    async def _run(self, found: Resolved, request: InvokeRequest, request_id: str) -> Answer:
        if self.drain.requested:
            raise ServiceException("The poller is ending: nothing is begun any more.")
        tail = LogTail() if request.tail else None
        invocation = Invocation(
            payload=request.payload,
            request_id=request_id,
            function_arn=found.arn,
            version=found.version,
            client_context=request.client_context,
            tail=tail,
            by_caller=True,
        )
        outcome = await self.invoker.run(found.function, invocation)
        return answer_of(outcome, request_id=request_id, tail=tail)

    async def _accept(self, found: Resolved, payload: bytes, request_id: str) -> None:
        try:
            await self.accept(found, payload, request_id)
        except QueueFull:
            raise queue_full() from None
        except StateError as error:
            raise ServiceException(str(error)) from error
