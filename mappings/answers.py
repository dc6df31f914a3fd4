"""What the HTTP API answers: status, body and headers, and how an error becomes one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from mappings.errors import MappingError, TooManyRequestsException

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP response; the server adds a fresh `x-amzn-RequestId` where it has none."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def error_answer(error: MappingError) -> Answer:
    """Return what AWS's clients read an error from: its code in a header, its members in the body."""
    headers = {"Content-Type": JSON, "x-amzn-ErrorType": error.code}
    if isinstance(error, TooManyRequestsException):
        headers["Retry-After"] = str(error.retry_after_s)
    return Answer(status=error.status, body=json.dumps(error.body()).encode(), headers=headers)


def all_headers(answer: Answer, request_id: str) -> dict[str, str]:
    """Return the headers of an answer with those that every answer has."""
    # aiohttp would name itself, its version and Python's.
    return {"x-amzn-RequestId": request_id, **answer.headers, "Server": "esm-poller"}


def closing_bytes(answer: Answer, request_id: str) -> bytes:
    """Return an answer as it goes over a connection that ends with it."""
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in all_headers(answer, request_id).items()]
    lines += [f"Content-Length: {len(answer.body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + answer.body
