"""How far an event is, as a text; its payloads are kept beside it."""

from dataclasses import asdict, replace
from typing import Any

import orjson

from poller.core.async_events import Condition, Ending, QueuedEvent, Response, Role

_BESIDE = {"payload", "response", "due_at"}


def to_text(event: QueuedEvent) -> str:
    """Write everything but the payloads and when it is due."""
    fields = {
        name: value for name, value in asdict(replace(event, payload=b"")).items() if name not in _BESIDE
    }
    if event.response is not None:
        response = event.response
        fields["response"] = {
            "status_code": response.status_code,
            "executed_version": response.executed_version,
            "function_error": response.function_error,
        }
    return orjson.dumps(fields).decode()


def from_text(text: str, *, payload: bytes, response_payload: bytes | None, due_at: float) -> QueuedEvent:
    """Read what `to_text` wrote."""
    fields: dict[str, Any] = orjson.loads(text)
    response, ending = fields.pop("response", None), fields.pop("ending")
    return QueuedEvent(
        **fields,
        payload=payload,
        due_at=due_at,
        response=None if response is None else Response(**response, payload=response_payload or b""),
        ending=None if ending is None else _ending(ending),
    )


def _ending(fields: dict[str, Any]) -> Ending:
    return Ending(
        condition=Condition(fields["condition"]),
        at=fields["at"],
        pending=tuple(Role(role) for role in fields["pending"]),
        failures=fields["failures"],
    )
