"""The Lambda service model inside botocore: the one file that knows where it is and how it spells a shape."""

from collections.abc import Mapping
from functools import cache
from typing import TypedDict, cast


class MemberRef(TypedDict, total=False):
    shape: str
    location: str  # uri, querystring or header; in the body where it is not given
    locationName: str


class Shape(TypedDict, total=False):
    """What this package reads of a shape in `service-2.json`."""

    type: str
    required: list[str]
    members: dict[str, MemberRef]  # of a structure
    payload: str  # the member that is the whole body, where there is one
    member: MemberRef  # of a list
    key: MemberRef  # of a map
    value: MemberRef
    enum: list[str]
    min: int
    max: int
    pattern: str


class Http(TypedDict):
    method: str
    requestUri: str
    responseCode: int


class Operation(TypedDict):
    """What this package reads of an operation."""

    http: Http
    input: MemberRef


class _Model(TypedDict):
    shapes: Mapping[str, Shape]
    operations: Mapping[str, Operation]


CREATE_REQUEST = "CreateEventSourceMappingRequest"
UPDATE_REQUEST = "UpdateEventSourceMappingRequest"


@cache
def _model() -> _Model:
    # botocore takes 90 ms to import, and `poller --help` needs none of it.
    from botocore.loaders import Loader  # noqa: PLC0415

    # Only the built-in data: a model in the user's ~/.aws/models must not change what is a valid mapping.
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    return cast("_Model", loader.load_service_model("lambda", "service-2", "2015-03-31"))


def shape(name: str) -> Shape:
    return _model()["shapes"][name]


def operations() -> Mapping[str, Operation]:
    """Return every operation of the API by its name."""
    return _model()["operations"]


def members(name: str) -> Mapping[str, str]:
    """Return the members of a structure, each with the name of its shape."""
    return {member: reference["shape"] for member, reference in shape(name)["members"].items()}


def error_message_member(code: str) -> str:
    """Return how an error spells the member that holds its message."""
    declared = _model()["shapes"].get(code)
    return "Message" if declared is not None and "Message" in declared.get("members", {}) else "message"
