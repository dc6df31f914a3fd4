"""One operating system process and all that it starts: spawned under a keeper, watched, ended and reaped."""

import math
import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import anyio
import anyio.to_thread

from poller.functions.definition import FunctionDefinition
from poller.functions.orphans import kill_marked

KEEPER = Path(__file__).with_name("keeper.py")
MAIN_PROGRAM = Path(__file__).with_name("runtime_main.py")
# Only what is stuck in the kernel outlives SIGKILL for longer.
END_LIMIT_S = 5.0


@dataclass(slots=True)
class _Reports:
    """What the keeper has written: see `keeper`."""

    pid: int | None = None
    status: int | None = None
    peak_kib: int = 0

    def read(self, text: str) -> None:
        for words in map(str.split, text.splitlines()):
            match words:
                case [pid]:
                    self.pid = int(pid)
                case [status, peak_kib]:
                    self.status, self.peak_kib = int(status), int(peak_kib)


class Child:
    """A process running the Lambda runtime client, and the keeper that is its parent."""

    def __init__(self, keeper: subprocess.Popen[bytes], line: socket.socket, *, marker: bytes) -> None:
        self._keeper = keeper
        self._line = line
        self._marker = marker
        self._reports = _Reports()

    @classmethod
    def spawn(cls, function: FunctionDefinition, *, version: str, runtime_api: str, output_fd: int) -> Self:
        """Start it; raises OSError where the system refuses."""
        its_end, line = socket.socketpair()
        line.setblocking(False)
        # `-P`: the directory of the main program is not put on the import path.
        runtime = [sys.executable, "-P", str(MAIN_PROGRAM), function.runtime_handler]
        # What the environment says of Python is for the runtime alone.
        keeper = [sys.executable, "-I", "-S", str(KEEPER), str(its_end.fileno())]
        try:
            process = subprocess.Popen(  # noqa: S603 - the command is ours; only the handler's name varies
                [*keeper, *runtime],
                stdin=subprocess.DEVNULL,
                stdout=output_fd,
                stderr=output_fd,
                cwd=function.root,
                env=function.process_environment(runtime_api=runtime_api, version=version),
                # A signal from the terminal is for the poller alone.
                start_new_session=True,
                pass_fds=(its_end.fileno(),),
            )
        except BaseException:
            line.close()
            raise
        finally:
            its_end.close()
        return cls(process, line, marker=f"AWS_LAMBDA_RUNTIME_API={runtime_api}".encode())

    @property
    def pid(self) -> int:
        """Of the keeper, which `ps` shows with the handler's name."""
        return self._keeper.pid

    @property
    def peak_memory_mb(self) -> int | None:
        """The most that the runtime had in memory, in whole MB; None where nobody knows."""
        self._hear()
        # Of a process that lives the kernel knows it, of one that has ended the keeper.
        pid, kib = self._reports.pid, self._reports.peak_kib
        kib = kib or (0 if pid is None else _peak_kib(pid))
        return math.ceil(kib / 1024) or None

    async def exited(self) -> None:
        """Wait until nothing is left of it but the keeper's id, which `reap` gives back."""
        try:
            pidfd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # not Linux, or a kernel without it
            await anyio.to_thread.run_sync(self._keeper.wait, abandon_on_cancel=True)
            return
        try:
            await anyio.wait_readable(pidfd)
        finally:
            os.close(pidfd)

    def kill(self) -> None:
        """Have the keeper end everything; `exited` tells when that is done."""
        with suppress(OSError):  # the keeper is gone
            self._line.shutdown(socket.SHUT_WR)

    def reap(self) -> int:
        """End what is left; returns the exit code of the runtime, negative for a signal."""
        self.kill()
        try:
            returncode = self._keeper.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            returncode = self._keeper.wait()
        self._hear()
        self._line.close()
        if self._reports.status is None:
            # The keeper did not get to its end: the kernel has killed the runtime, and nobody its children.
            kill_marked(self._marker)
            return returncode
        return os.waitstatus_to_exitcode(self._reports.status)

    def _hear(self) -> None:
        """Take what the keeper has written."""
        with suppress(OSError):
            while text := self._line.recv(4096):
                self._reports.read(text.decode())


def _peak_kib(pid: int) -> int:
    """Return the peak resident size of a process; 0 where it cannot be read."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = status.partition("VmHWM:")[2].split()
    return int(found[0]) if found else 0
