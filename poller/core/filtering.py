"""What a filter sees of a record, and which records it lets pass (semantics 2.7, 3.12, 4.16, 5.4)."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

from mappings.arns import SourceKind
from mappings.pattern_numbers import decode_exactly, may_be_inexact
from mappings.patterns import Constraint, Pattern
from poller.core.payload import decode_json
from poller.core.records import Record

_NOT_JSON = object()
# What a filter can name besides the data key, where the event has it.
_ORIGIN_FIELDS = ("eventSource", "eventSourceARN", "awsRegion", "eventName", "eventVersion", "eventID")
_QUEUE_FIELDS = (
    *_ORIGIN_FIELDS,
    "messageId",
    "receiptHandle",
    "attributes",
    "messageAttributes",
    "md5OfBody",
)
_TABLE_FIELDS = (*_ORIGIN_FIELDS, "userIdentity", "dynamodb")

Matcher = Callable[[dict[str, Any]], bool]


def record_filter(kind: SourceKind, patterns: Sequence[str]) -> Callable[[Record], bool] | None:
    """Whether a record matches any of the patterns; None without patterns. Compiled once."""
    if not patterns:
        return None
    matches = _MATCHERS[kind]([Pattern.parse(text) for text in patterns])

    def passes(record: Record) -> bool:
        event = decode_json(record.event)
        assert isinstance(event, dict)
        return matches(event)

    return passes


def _queue(patterns: Sequence[Pattern]) -> Matcher:
    """A body is compared as JSON where it is JSON, as text where it is not; never one as the other."""
    alternatives = [
        (each, each.constraint_on("body")) for pattern in patterns for each in pattern.alternatives
    ]
    decode = _decoder(patterns)

    def matches(event: dict[str, Any]) -> bool:
        seen = {name: event[name] for name in _QUEUE_FIELDS if name in event}
        body = decode(event["body"])
        structured = isinstance(body, dict | list)
        seen["body"] = event["body"] if body is _NOT_JSON else body
        out_of_place = Constraint.VALUES if structured else Constraint.FIELDS
        return any(on_body != out_of_place and each.matches(seen) for each, on_body in alternatives)

    return matches


def _kinesis(patterns: Sequence[Pattern]) -> Matcher:
    """Data is decoded; what is not JSON matches nothing that asks for data."""
    alternatives = [
        (each, bool(each.constraint_on("data"))) for pattern in patterns for each in pattern.alternatives
    ]
    decode = _decoder(patterns)

    def matches(event: dict[str, Any]) -> bool:
        seen = {name: event[name] for name in _ORIGIN_FIELDS if name in event} | event["kinesis"]
        data = _data(seen.pop("data"), decode)
        if data is not _NOT_JSON:
            seen["data"] = data
        return any(
            each.matches(seen) for each, on_data in alternatives if not on_data or data is not _NOT_JSON
        )

    return matches


def _dynamodb(patterns: Sequence[Pattern]) -> Matcher:
    """The change as it is: typed values, numbers as texts."""

    def matches(event: dict[str, Any]) -> bool:
        seen = {name: event[name] for name in _TABLE_FIELDS if name in event}
        return any(pattern.matches(seen) for pattern in patterns)

    return matches


_MATCHERS: dict[SourceKind, Callable[[Sequence[Pattern]], Matcher]] = {
    SourceKind.SQS: _queue,
    SourceKind.KINESIS: _kinesis,
    SourceKind.DYNAMODB: _dynamodb,
}


def _data(data: str, decode: Callable[[str], object]) -> object:
    """JSON in UTF-8 and nothing else: AWS reads neither UTF-16 nor a byte order mark."""
    try:
        return decode(base64.b64decode(data, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return _NOT_JSON


def _decoder(patterns: Sequence[Pattern]) -> Callable[[str], object]:
    """What reads a body or data; numbers are read exactly where one is compared."""
    exactly = any(pattern.compares_numbers for pattern in patterns)

    def decode(text: str) -> object:
        try:
            return decode_exactly(text) if exactly and may_be_inexact(text) else decode_json(text)
        except ValueError:
            return _NOT_JSON

    return decode
