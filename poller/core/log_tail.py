"""The last of what one invocation printed, as the Invoke API shows it, and the lines of AWS around it."""

import math

from msgspec import Struct

# "the last 4 KB of the execution log"
TAIL_BYTES = 4096


class Usage(Struct, frozen=True, kw_only=True):
    """What one invocation took."""

    duration_s: float
    """Of the function alone, without waiting for it."""
    init_s: float | None = None
    """Of the start that was made for it."""
    memory_mb: int | None = None
    """What the function is told that it has."""
    peak_memory_mb: int | None = None
    """The most its process ever had."""


class LogTail:
    """Takes lines and keeps the end of them."""

    def __init__(self) -> None:
        self._kept = b""
        self.usage: Usage | None = None
        """Set by who runs the function, where that is known better there."""

    def add(self, line: bytes) -> None:
        """Take one line, without its end."""
        self._kept = (self._kept + line + b"\n")[-TAIL_BYTES:]

    def read(self) -> bytes:
        """Return what is kept."""
        return self._kept


def start_line(request_id: str, version: str) -> str:
    """Return the line with which the log of an invocation begins."""
    return f"START RequestId: {request_id} Version: {version}"


def end_lines(request_id: str, usage: Usage, *, error_type: str | None = None) -> tuple[str, ...]:
    """Return the lines with which it ends; `error_type` is that of an invocation that came to no answer."""
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {usage.duration_s * 1000:.2f} ms",
        f"Billed Duration: {math.ceil(usage.duration_s * 1000)} ms",
    ]
    if usage.memory_mb is not None:
        parts.append(f"Memory Size: {usage.memory_mb} MB")
    if usage.peak_memory_mb is not None:
        parts.append(f"Max Memory Used: {usage.peak_memory_mb} MB")
    if usage.init_s is not None:
        parts.append(f"Init Duration: {usage.init_s * 1000:.2f} ms")
    match error_type:
        case None:
            pass
        case "Sandbox.Timedout":
            parts.append("Status: timeout")
        case _:
            parts += ["Status: error", f"Error Type: {error_type}"]
    return f"END RequestId: {request_id}", "\t".join(parts)
