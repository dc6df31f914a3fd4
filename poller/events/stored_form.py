"""How far an event is, as a text; its payloads are kept beside it."""

from dataclasses import asdict, fields, replace
from typing import Any

import orjson

from poller.core.async_events import Condition, Ending, Notice, QueuedEvent, Response, Role
from poller.core.event_time import Age, Moment

_BESIDE = {"payload", "response", "due_at", "age"}
_PROGRESS = {field.name for field in fields(QueuedEvent)} - _BESIDE - {"ending"}


def to_text(event: QueuedEvent) -> str:
    """Write everything but the payloads and when it is due."""
    written = {
        name: value for name, value in asdict(replace(event, payload=b"")).items() if name not in _BESIDE
    }
    age = event.age
    written["age"] = {
        "certain_s": age.certain_s,
        "doubted_s": age.doubted_s,
        "until": age.until.at,
        "clock": age.until.clock,
    }
    written["wait_s"] = wait_s(event)
    if event.response is not None:
        response = event.response
        written["response"] = {
            "status_code": response.status_code,
            "executed_version": response.executed_version,
            "function_error": response.function_error,
            "message": response.message,
            "kept": response.payload is not None,
        }
    return orjson.dumps(written).decode()


def from_text(text: str, *, payload: bytes, response_payload: bytes | None, due_at: float) -> QueuedEvent:
    """Read what `to_text` wrote, also of earlier versions, and what this one knows of later ones."""
    written: dict[str, Any] = orjson.loads(text)
    response, ending, age = written.get("response"), written.get("ending"), written.get("age")
    return QueuedEvent(
        **{name: value for name, value in written.items() if name in _PROGRESS},
        payload=payload,
        due_at=due_at,
        # Without an age, nobody has measured anything since it was accepted.
        age=Age(until=Moment(at=written["accepted_at"], clock="")) if age is None else _age(age),
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


def _age(written: dict[str, Any]) -> Age:
    return Age(
        certain_s=written["certain_s"],
        doubted_s=written["doubted_s"],
        until=Moment(at=written["until"], clock=written["clock"]),
    )


def _response(written: dict[str, Any], payload: bytes | None) -> Response:
    kept = written.pop("kept", True)
    return Response(**written, payload=(payload or b"") if kept else None)


def _ending(written: dict[str, Any]) -> Ending:
    return Ending(
        condition=Condition(written["condition"]),
        at=written["at"],
        pending=tuple(_notice(each) for each in written["pending"]),
        failures=written["failures"],
        age_s=written.get("age_s", 0.0),
    )


def _notice(written: str | dict[str, str]) -> Notice:
    if isinstance(written, str):  # the role alone
        return Notice(role=Role(written), arn="")
    return Notice(role=Role(written["role"]), arn=written["arn"])
