"""Reads a function's response: which records failed, a window's state, or that it is invalid."""

import json
from collections.abc import Collection
from typing import NoReturn

import orjson

from poller.core.payload import encode_json


class InvalidResponse(ValueError):
    """The response breaks the contract; every record of the batch counts as failed."""


def failed_items(payload: bytes, known: Collection[str]) -> frozenset[str]:
    """Item identifiers the function reports as failed; empty for complete success.

    One bad entry makes the whole response invalid (semantics 2.4.3, 2.4.4, 3.8.3).

    Args:
        payload: The response body; empty where a custom runtime returned nothing.
        known: Item identifiers of the batch.

    Raises:
        InvalidResponse: Not JSON, not of the documented shape, or naming a record that is not in the batch.
    """
    if not payload.strip():
        return frozenset()
    response = _load(payload)
    # "", [], {} and null were recorded as success; no other value that is not an object means anything.
    if not response and not isinstance(response, bool | int | float):
        return frozenset()
    if not isinstance(response, dict):
        raise InvalidResponse("the response is not an object")
    entries = response.get("batchItemFailures")
    if entries is None:
        return frozenset()
    if not isinstance(entries, list):
        raise InvalidResponse("batchItemFailures is not a list")
    return frozenset(_identifier(entry, known) for entry in entries)


def returned_state(payload: bytes) -> bytes:
    """The state a function returns for its tumbling window, as JSON.

    Numbers keep their value however large they are: what a window adds up may pass 64 bits.

    Raises:
        InvalidResponse: There is none, or it is no object (semantics 3.10.3).
    """
    try:
        response = json.loads(payload, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidResponse("the response is not JSON") from error
    state = response.get("state") if isinstance(response, dict) else None
    if not isinstance(state, dict):
        raise InvalidResponse("the response holds no state object")
    return encode_json(state)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _load(payload: bytes) -> object:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise InvalidResponse("the response is not JSON") from error


def _identifier(entry: object, known: Collection[str]) -> str:
    identifier = entry.get("itemIdentifier") if isinstance(entry, dict) else None
    if not isinstance(identifier, str) or not identifier:
        raise InvalidResponse("an entry of batchItemFailures has no itemIdentifier")
    if identifier not in known:
        raise InvalidResponse("an itemIdentifier names no record of the batch")
    return identifier
