"""Which operations of the API are served, and by what."""

from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from mappings.answers import Answer
from mappings.api import Handler, json_answer
from mappings.auth import Caller
from mappings.calls import Call
from mappings.event_invoke_operations import EventInvokeOperations
from mappings.function_operations import FunctionOperations
from mappings.listing import Listing
from mappings.operations import MappingOperations
from mappings.tag_operations import TagOperations

Parameters = Mapping[str, object]
Done = Callable[[Parameters], Awaitable[dict[str, object] | None]]


def mapping_handlers(mappings: MappingOperations, tags: TagOperations) -> Mapping[str, Handler]:
    """Return the handlers of all operations on mappings and their tags."""
    return {
        "CreateEventSourceMapping": _answering(mappings.create),
        "GetEventSourceMapping": _answering(lambda given: mappings.get(_text(given, "UUID"))),
        "ListEventSourceMappings": _answering(lambda given: mappings.list(Listing.of(given))),
        "UpdateEventSourceMapping": _answering(
            lambda given: mappings.update(_text(given, "UUID"), _without(given, "UUID"))
        ),
        "DeleteEventSourceMapping": _answering(lambda given: mappings.delete(_text(given, "UUID"))),
        "TagResource": _answering(
            lambda given: tags.tag(_text(given, "Resource"), cast("Mapping[str, str]", given["Tags"]))
        ),
        "UntagResource": _answering(
            lambda given: tags.untag(_text(given, "Resource"), cast("list[str]", given["TagKeys"]))
        ),
        "ListTags": _answering(lambda given: tags.list(_text(given, "Resource"))),
    }


def function_handlers(functions: FunctionOperations) -> Mapping[str, Handler]:
    """Return the handlers of the operations that tell of functions."""
    return {
        "GetFunction": _answering_in_region(functions.get),
        "GetFunctionConfiguration": _answering_in_region(functions.get_configuration),
    }


def event_invoke_handlers(configs: EventInvokeOperations) -> Mapping[str, Handler]:
    """Return the handlers of the operations on how functions are invoked asynchronously."""
    return {
        "PutFunctionEventInvokeConfig": _awaiting_in_region(configs.put),
        "UpdateFunctionEventInvokeConfig": _awaiting_in_region(configs.update),
        "GetFunctionEventInvokeConfig": _awaiting_in_region(configs.get),
        "DeleteFunctionEventInvokeConfig": _awaiting_in_region(configs.delete),
        "ListFunctionEventInvokeConfigs": _awaiting_in_region(configs.list),
    }


def _answering_in_region(tell: Callable[[Parameters, str | None], dict[str, object]]) -> Handler:
    async def handle(call: Call, caller: Caller) -> Answer:
        return json_answer(call, tell(call.parameters, caller.region))

    return handle


def _awaiting_in_region(
    done: Callable[[Parameters, str | None], Awaitable[dict[str, object] | None]],
) -> Handler:
    async def handle(call: Call, caller: Caller) -> Answer:
        return json_answer(call, await done(call.parameters, caller.region))

    return handle


def _answering(done: Done) -> Handler:
    async def handle(call: Call, _: Caller) -> Answer:
        return json_answer(call, await done(call.parameters))

    return handle


def _text(given: Parameters, name: str) -> str:
    return cast("str", given[name])


def _without(given: Parameters, name: str) -> dict[str, object]:
    return {member: value for member, value in given.items() if member != name}
