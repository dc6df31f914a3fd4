"""The last of what one invocation printed, as the Invoke API shows it."""

# "the last 4 KB of the execution log"
TAIL_BYTES = 4096


class LogTail:
    """Takes lines and keeps the end of them."""

    def __init__(self) -> None:
        self._kept = b""

    def add(self, line: bytes) -> None:
        """Take one line, without its end."""
        self._kept = (self._kept + line + b"\n")[-TAIL_BYTES:]

    def read(self) -> bytes:
        """Return what is kept."""
        return self._kept
