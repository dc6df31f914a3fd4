"""What one process prints: read without holding it up, logged line by line with the invocation it belongs to.

This is the one place that knows which invocation a line is of. A process runs one invocation at a time and
writes to the pipe before it answers, so what the pipe holds when the answer has arrived is still of that
invocation: `end` reads it before the next one may begin. Lines of the function's own threads or children that
come later go to whatever runs then.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import structlog

from poller.core.log_tail import LogTail
from poller.telemetry import Log

# Longer lines are logged in pieces of this size: memory is bounded and nothing is lost.
LINE_LIMIT_BYTES = 16 * 1024
# The capacity of a pipe on Linux: all that can have been written and not yet read.
PIPE_BYTES = 64 * 1024


class Output:
    """The reading end of a process's stdout and stderr."""

    def __init__(self, *, function: str) -> None:
        self._log = structlog.get_logger().bind(function=function)
        self._request_id = ""
        self._tail: LogTail | None = None
        self._partial = b""
        # One pipe for both streams keeps the order in which the function wrote.
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        self._exhausted = False

    @contextmanager
    def writer(self) -> Iterator[int]:
        """The end to be given to the process; ours is closed, so that the pipe ends when the process does."""
        try:
            yield self._write_fd
        finally:
            os.close(self._write_fd)

    def begin(self, request_id: str, tail: LogTail | None = None) -> None:
        """What is read from now on belongs to this invocation; `tail` takes it too."""
        self._request_id = request_id
        self._tail = tail

    def end(self) -> None:
        """The invocation has answered: take what it wrote, and let later lines belong to nobody."""
        self.drain()
        self._flush()
        self._request_id = ""
        self._tail = None

    def say(self, line: str) -> None:
        """Add a line of the host's own to the invocation, after all that the process wrote until now."""
        self.drain()
        self._flush()
        if self._tail is not None:
            self._tail.add(line.encode())
        if line:
            self._log.warning(Log.FUNCTION_LOG, request_id=self._request_id, line=line)

    async def pump(self) -> None:
        """Read for as long as the process lives; returns when nobody can write any more."""
        while not self._exhausted:
            await anyio.wait_readable(self._read_fd)
            self.drain()

    def drain(self) -> None:
        """Log what the pipe holds now; never waits, and stops after one pipe's worth if more keeps coming."""
        taken = 0
        while not self._exhausted and taken < PIPE_BYTES:
            try:
                chunk = os.read(self._read_fd, PIPE_BYTES)
            except BlockingIOError:
                return
            # The pipe stays open until `close`: `pump` may be waiting on it.
            self._exhausted = not chunk
            taken += len(chunk)
            self._split(chunk)

    def close(self) -> None:
        """Log what is left and let go of the pipe; `pump` must have ended."""
        self.drain()
        self._flush()
        self._exhausted = True
        os.close(self._read_fd)

    def _split(self, chunk: bytes) -> None:
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        for line in lines:
            self._emit(line)
        while len(self._partial) >= LINE_LIMIT_BYTES:
            self._emit(self._partial[:LINE_LIMIT_BYTES])
            self._partial = self._partial[LINE_LIMIT_BYTES:]

    def _flush(self) -> None:
        line, self._partial = self._partial, b""
        if line:
            self._emit(line)

    def _emit(self, line: bytes) -> None:
        if self._tail is not None:
            self._tail.add(line)
        for start in range(0, max(len(line), 1), LINE_LIMIT_BYTES):
            text = line[start : start + LINE_LIMIT_BYTES].decode(errors="replace")
            self._log.info(Log.FUNCTION_LOG, request_id=self._request_id, line=text)
