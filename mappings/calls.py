"""How an HTTP request is read as a call of one of Lambda's operations, by the service model alone."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qsl, unquote

from mappings.auth import ReceivedRequest
from mappings.constraints import request_violations
from mappings.errors import SerializationException, UnknownOperationException, ValidationException
from mappings.service_model import MemberRef, operations, shape

# A request nests six deep at most; the limit keeps a hostile body from exhausting the stack.
MAXIMUM_DEPTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call, its declared constraints kept."""

    operation: str
    status: int
    """What the operation answers with when it succeeds."""
    parameters: Mapping[str, object]
    """The members of its request, from path, query, headers and body, without those that are null."""
    payload: bytes = b""
    """The body, where that is not JSON to the operation but its payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where an operation is found."""

    operation: str
    method: str
    path: re.Pattern[str]
    status: int
    request_shape: str


def find_route(method: str, path: str, served: Iterable[str]) -> tuple[Route, Mapping[str, str]]:
    """Return the operation that a method and a path, still encoded, name, and what the path says.

    Raises UnknownOperationException where there is none among those served.
    """
    # Older clients write the collection with a trailing slash (semantics 1.1.3).
    path = path.removesuffix("/") or path
    for route in _routes(frozenset(served)):
        found = route.path.fullmatch(path) if route.method == method else None
        if found is not None:
            return route, {name: unquote(value) for name, value in found.groupdict().items()}
    raise UnknownOperationException("This operation is not served here.")


def read_call(request: ReceivedRequest, served: Iterable[str]) -> Call:
    """Read a request.

    Raises:
        UnknownOperationException: It names no operation that is served.
        SerializationException: Its body is no JSON object, or a parameter is of no such type.
        ValidationException: It breaks a declared constraint.
    """
    route, in_path = find_route(request.method, request.path, served)
    declared = shape(route.request_shape)
    given = dict(_outside_body(request, declared["members"], in_path))
    if "payload" not in declared and _has_body(declared["members"]):
        given |= _body(request.body, declared["members"])
    parameters = {name: value for name, value in given.items() if value is not None}
    if violations := request_violations(parameters, route.request_shape):
        raise ValidationException(violations)
    return Call(
        operation=route.operation,
        status=route.status,
        parameters=parameters,
        payload=request.body if "payload" in declared else b"",
    )


@cache
def _routes(served: frozenset[str]) -> tuple[Route, ...]:
    modelled = operations()
    return tuple(_route(name, modelled[name]["http"], modelled[name]["input"]) for name in sorted(served))


def _route(name: str, http: Mapping[str, object], request: MemberRef) -> Route:
    literal = re.escape(str(http["requestUri"]))
    # A parameter of the path is one segment: an ARN in it is encoded, slashes and all.
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", literal)
    return Route(
        operation=name,
        method=str(http["method"]),
        path=re.compile(pattern.removesuffix("/")),
        status=int(str(http["responseCode"])),
        request_shape=request["shape"],
    )


def _has_body(members: Mapping[str, MemberRef]) -> bool:
    return any("location" not in member for member in members.values())


def _outside_body(
    request: ReceivedRequest, members: Mapping[str, MemberRef], in_path: Mapping[str, str]
) -> Iterator[tuple[str, object]]:
    query = parse_qsl(request.query, keep_blank_values=True)
    for name, member in members.items():
        place, key = member.get("location"), member.get("locationName", name)
        match place:
            case "uri":
                yield name, in_path[key]
            case "querystring":
                yield name, _converted(member["shape"], [text for other, text in query if other == key])
            case "header":
                yield name, _converted(member["shape"], request.values(key.lower()))


def _converted(name: str, texts: list[str]) -> object:
    """Return the texts of a parameter as its shape wants them; None where it is not given."""
    kind = shape(name)["type"]
    if kind == "list":
        return texts or None
    if not texts:
        return None
    if kind == "integer" and re.fullmatch(r"[+-]?[0-9]{1,18}", texts[-1]):
        return int(texts[-1])
    return texts[-1]  # what is no integer is refused as such with the other constraints


def _body(body: bytes, members: Mapping[str, MemberRef]) -> dict[str, object]:
    if not body:
        return {}
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise SerializationException("Could not parse request body into json") from None
    if not isinstance(document, dict):
        raise SerializationException("Could not parse request body into json: an object is expected")
    if _depth(document) > MAXIMUM_DEPTH:
        raise SerializationException("Could not parse request body into json: it is nested too deeply")
    # What belongs into path or query is not taken from the body, nor passed over there.
    for name in document:
        if "location" in members.get(name, {}):
            raise SerializationException(f"{name} is not a member of the request body")
    return document


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def _depth(value: object) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(item, dict):
            waiting += [(each, depth + 1) for each in item.values()]
        elif isinstance(item, list):
            waiting += [(each, depth + 1) for each in item]
    return deepest
