"""The event's exact bytes: how records join into a payload, how large it is, how a value becomes JSON."""

import base64
import json
from collections.abc import Iterable, Sequence
from itertools import islice

import orjson

from poller.core.records import Record
from poller.core.timewindow import WindowState

MAX_PAYLOAD_BYTES = 6_291_456  # 6 MiB: synchronous invocation payload quota
_OPENING = b'{"Records":['
_CLOSING = b"]"
_END = b"}"


def encode_records(records: Sequence[Record], members: bytes = b"") -> bytes:
    """Join records into the event the function receives; `members` stand behind them as they are.

    The frame goes on the first and the last record: around the whole, it would copy megabytes once more.
    """
    events = [record.event for record in records] or [b""]
    events[0] = _OPENING + events[0]
    events[-1] += _CLOSING + members + _END
    return b",".join(events)


def window_members(current: WindowState, *, shard: str, source_arn: str, final: bool, early: bool) -> bytes:
    """What stands beside Records with tumbling windows (semantics 3.10.2); the state is not re-encoded."""
    before = encode_json({"window": current.window.members()})
    after = encode_json(
        {
            "shardId": shard,
            "eventSourceARN": source_arn,
            "isFinalInvokeForWindow": final,
            "isWindowTerminatedEarly": early,
        }
    )
    return b"," + before[1:-1] + b',"state":' + (current.state or b"{}") + b"," + after[1:-1]


def encoded_size(count: int, record_bytes: int) -> int:
    """Size of the payload of `count` records whose own bytes add up to `record_bytes`."""
    return len(_OPENING) + record_bytes + max(count - 1, 0) + len(_CLOSING) + len(_END)


def that_fit(records: Iterable[Record], *, limit_bytes: int, limit_count: int) -> tuple[int, int]:
    """How many leading records one payload can hold, and their bytes.

    At least one, so that an oversized record moves on.
    """
    sizes = [len(record.event) for record in islice(records, limit_count)]
    total = sum(sizes)
    if encoded_size(len(sizes), total) <= limit_bytes:
        return len(sizes), total
    count = 0
    room = limit_bytes - encoded_size(1, 0)
    for size in sizes:
        room -= size + (count > 0)
        if room < 0 and count:
            break
        count += 1
    return count, sum(sizes[:count])


def encode_json(value: object) -> bytes:
    """JSON as Lambda writes it: UTF-8, no blanks; bytes (DynamoDB binary) as base64."""
    try:
        return orjson.dumps(value, default=_encode_bytes)
    except (TypeError, orjson.JSONEncodeError):
        # orjson refuses lone surrogates and integers over 64 bits; the standard library passes both on.
        return json.dumps(value, default=_encode_bytes, separators=(",", ":")).encode()


def decode_json(text: str | bytes) -> object:
    """The value of a JSON text of any depth and number that Python can hold.

    Raises:
        ValueError: It is no JSON. NaN and Infinity are none.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # What `encode_json` leaves to the standard library is read by it too.
        try:
            return json.loads(text, parse_constant=_refuse_constant)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _encode_bytes(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"{type(value).__name__} has no place in an event")
