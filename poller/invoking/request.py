"""What a call of Invoke asks for, or AWS's error where it asks for what cannot be."""

import base64
import binascii
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

import orjson

from mappings.calls import Call
from mappings.errors import (
    InvalidParameterValueException,
    InvalidRequestContentException,
    RequestTooLargeException,
)
from poller.core.payload import decode_json

SYNCHRONOUS_LIMIT_BYTES = 6_291_456
ASYNCHRONOUS_LIMIT_BYTES = 1_048_576
CLIENT_CONTEXT_LIMIT_BYTES = 3583
# What a handler gets that is sent nothing.
NO_PAYLOAD = b"{}"


class InvocationType(StrEnum):
    """How a function is invoked."""

    REQUEST_RESPONSE = "RequestResponse"
    EVENT = "Event"
    DRY_RUN = "DryRun"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvokeRequest:
    """One request whose payload and context can be handed over."""

    type: InvocationType
    payload: bytes = field(repr=False)
    client_context: str = field(repr=False)
    """JSON in ASCII; empty where there is none."""
    tail: bool
    """Whether the end of the log is asked for."""


def read_invoke(call: Call) -> InvokeRequest:
    """Read a call whose declared constraints are kept.

    Raises:
        InvalidParameterValueException: It asks for what functions of ours do not have.
        RequestTooLargeException: Its payload exceeds the quota of its type.
        InvalidRequestContentException: Its payload is no JSON, or its client context cannot be read.
    """
    given = cast("dict[str, str]", call.parameters)
    kind = InvocationType(given.get("InvocationType", InvocationType.REQUEST_RESPONSE))
    for name, header in _NOT_OURS.items():
        if name in given:
            raise InvalidParameterValueException(
                f"{header} is given, but only functions of AWS Lambda can have it.", field=name
            )
    _check_payload(call.payload, kind)
    return InvokeRequest(
        type=kind,
        payload=call.payload or NO_PAYLOAD,
        client_context=_client_context(given.get("ClientContext", "")),
        tail=given.get("LogType") == "Tail",
    )


_NOT_OURS = {"TenantId": "X-Amz-Tenant-Id", "DurableExecutionName": "X-Amz-Durable-Execution-Name"}


def _check_payload(payload: bytes, kind: InvocationType) -> None:
    limit = ASYNCHRONOUS_LIMIT_BYTES if kind is InvocationType.EVENT else SYNCHRONOUS_LIMIT_BYTES
    if len(payload) > limit:
        raise RequestTooLargeException(
            f"{len(payload)} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
        )
    try:
        if payload:
            # From the text: the standard library would guess at UTF-16 where it is given bytes.
            decode_json(payload.decode())
    except ValueError as error:
        # The reason says where, and never quotes what stands there.
        raise InvalidRequestContentException(
            f"Could not parse request body into json: Could not parse payload into json: {_reason(error)}",
            field="Payload",
        ) from None


def _reason(error: ValueError) -> str:
    match error:
        case UnicodeDecodeError():
            return f"Invalid UTF-8 at byte {error.start}"
        case json.JSONDecodeError():
            return f"{error.msg} at line {error.lineno}, column {error.colno}"
        case _:
            return str(error)


def _client_context(text: str) -> str:
    if len(text) > CLIENT_CONTEXT_LIMIT_BYTES:
        raise InvalidRequestContentException(
            f"Client context must be at most {CLIENT_CONTEXT_LIMIT_BYTES} bytes of Base64-encoded data.",
            field="ClientContext",
        )
    if not text:
        return ""
    try:
        context = orjson.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        context = None
    if not isinstance(context, dict):
        raise InvalidRequestContentException(
            "Client context must be a valid Base64-encoded JSON object.", field="ClientContext"
        )
    # It travels in a header.
    return json.dumps(context, separators=(",", ":"))
