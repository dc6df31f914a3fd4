"""How far an event is, as a text; its payloads are kept beside it."""

from dataclasses import asdict, replace
from typing import Any

import orjson

from poller.core.async_events import Condition, Ending, Notice, QueuedEvent, Response, Role
from poller.core.event_time import Age, Moment

_BESIDE = {"payload", "response", "due_at", "age"}


def to_text(event: QueuedEvent) -> str:
    """Write everything but the payloads and when it is due."""
    fields = {
        name: value for name, value in asdict(replace(event, payload=b"")).items() if name not in _BESIDE
    }
    age = event.age
    fields["age"] = {
        "certain_s": age.certain_s,
        "doubted_s": age.doubted_s,
        "until": age.until.at,
        "clock": age.until.clock,
    }
    fields["wait_s"] = wait_s(event)
    if event.response is not None:
        response = event.response
        fields["response"] = {
            "status_code": response.status_code,
            "executed_version": response.executed_version,
            "function_error": response.function_error,
            "message": response.message,
            "kept": response.payload is not None,
        }
    return orjson.dumps(fields).decode()


def from_text(text: str, *, payload: bytes, response_payload: bytes | None, due_at: float) -> QueuedEvent:
    """Read what `to_text` wrote, also of earlier versions."""
    fields: dict[str, Any] = orjson.loads(text)
    response, ending = fields.pop("response", None), fields.pop("ending")
    age = fields.pop("age", None)
    fields.pop("wait_s", None)
    return QueuedEvent(
        **fields,
        payload=payload,
        due_at=due_at,
        # Without an age, nobody has measured anything since it was accepted.
        age=Age(until=Moment(at=fields["accepted_at"], clock="")) if age is None else _age(age),
        response=None if response is None else _response(response, response_payload),
        ending=None if ending is None else _ending(ending),
    )


def wait_s(event: QueuedEvent) -> float:
    """How long an event had to wait when it was written."""
    return max(event.due_at - event.age.until.at, 0.0)


def kept_bytes(event: QueuedEvent) -> int:
    """How much an event takes up: its payload and the answer to it."""
    response = event.response
    return len(event.payload) + len((response.payload if response else None) or b"")


def _age(fields: dict[str, Any]) -> Age:
    return Age(
        certain_s=fields["certain_s"],
        doubted_s=fields["doubted_s"],
        until=Moment(at=fields["until"], clock=fields["clock"]),
    )


def _response(fields: dict[str, Any], payload: bytes | None) -> Response:
    kept = fields.pop("kept", True)
    return Response(**fields, payload=(payload or b"") if kept else None)


def _ending(fields: dict[str, Any]) -> Ending:
    return Ending(
        condition=Condition(fields["condition"]),
        at=fields["at"],
        pending=tuple(_notice(each) for each in fields["pending"]),
        failures=fields["failures"],
        age_s=fields.get("age_s", 0.0),
    )


def _notice(written: str | dict[str, str]) -> Notice:
    if isinstance(written, str):  # the role alone
        return Notice(role=Role(written), arn="")
    return Notice(role=Role(written["role"]), arn=written["arn"])
