"""What a tumbling window is: where it starts and ends, and the text its state is stored as."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """A window of one shard, in whole epoch seconds; the end belongs to the next one."""

    start: int
    end: int

    @classmethod
    def containing(cls, moment: float, *, size_s: int) -> Self:
        """The window of a moment; windows begin at multiples of their size since the epoch (3.10.1)."""
        start = int(moment // size_s) * size_s
        return cls(start=start, end=start + size_s)

    def members(self) -> dict[str, str]:
        """As an event and a failure document show it."""
        return {"start": _rfc_3339(self.start), "end": _rfc_3339(self.end)}


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowState:
    """How far a shard is in its windows: stored in the same write as the checkpoint it belongs to."""

    window: TimeWindow
    """No earlier window is open; what arrives late for one of those belongs here."""
    state: bytes | None = field(repr=False)
    """What the function made of the window's records up to the checkpoint, JSON; None where it has none."""

    def __str__(self) -> str:
        state = "" if self.state is None else self.state.decode()
        return f"{self.window.start}:{self.window.end}:{state}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote; the state comes back to the byte. Raises ValueError on anything else."""
        start, end, state = text.split(":", 2)
        return cls(window=TimeWindow(start=int(start), end=int(end)), state=state.encode() or None)


def _rfc_3339(epoch_s: int) -> str:
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
