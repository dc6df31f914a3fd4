"""How a function is invoked asynchronously: what clients may set, and the seam behind which it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

Parameters = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventInvokeConfig:
    """The settings of one function under one qualifier; what is None has Lambda's default."""

    function: str
    """Its bare name."""
    qualifier: str
    """`$LATEST` where none is asked for."""
    last_modified: float
    """Epoch seconds."""
    maximum_retry_attempts: int | None = None
    maximum_event_age_in_seconds: int | None = None
    on_success: str | None = None
    """ARN of the destination."""
    on_failure: str | None = None

    def document(self, function_arn: str) -> dict[str, object]:
        """Return it as the API shows it."""
        limits = {
            "MaximumRetryAttempts": self.maximum_retry_attempts,
            "MaximumEventAgeInSeconds": self.maximum_event_age_in_seconds,
        }
        return {
            "LastModified": self.last_modified,
            "FunctionArn": function_arn,
            **{name: value for name, value in limits.items() if value is not None},
            "DestinationConfig": {
                "OnSuccess": _destination(self.on_success),
                "OnFailure": _destination(self.on_failure),
            },
        }


class EventInvokeConfigStore(Protocol):
    """Settings of functions, durable. Every method may raise StoreUnavailable."""

    async def get(self, function: str, qualifier: str) -> EventInvokeConfig | None:
        """The settings under one qualifier; None where there are none."""
        ...

    async def list(self, function: str) -> Sequence[EventInvokeConfig]:
        """All settings of a function, in the order of their qualifiers."""
        ...

    async def put(self, config: EventInvokeConfig) -> None:
        """Keep settings in the place of what there was under their qualifier."""
        ...

    async def remove(self, function: str, qualifier: str) -> bool:
        """Forget settings; whether there were any."""
        ...


def settings_given(request: Parameters) -> dict[str, object]:
    """Return the fields of EventInvokeConfig that a request sets; an empty destination is none."""
    given: dict[str, object] = {}
    for field, member in _LIMITS.items():
        if member in request:
            given[field] = request[member]
    destinations = cast("Mapping[str, Mapping[str, str] | None] | None", request.get("DestinationConfig"))
    for field, member in _DESTINATIONS.items() if destinations is not None else ():
        place = (destinations or {}).get(member)
        given[field] = (place or {}).get("Destination") or None
    return given


_LIMITS = {
    "maximum_retry_attempts": "MaximumRetryAttempts",
    "maximum_event_age_in_seconds": "MaximumEventAgeInSeconds",
}
_DESTINATIONS = {"on_success": "OnSuccess", "on_failure": "OnFailure"}


def _destination(arn: str | None) -> dict[str, str]:
    return {} if arn is None else {"Destination": arn}
