"""One operating system process and all that it starts: spawned as a group, watched, killed and reaped."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

import anyio
import anyio.to_thread

from poller.functions.definition import FunctionDefinition

MAIN_PROGRAM = Path(__file__).with_name("runtime_main.py")


class Child:
    """A process running the Lambda runtime client."""

    def __init__(self, process: subprocess.Popen[bytes], *, lifeline: int) -> None:
        self._process = process
        self._lifeline = lifeline

    @classmethod
    def spawn(cls, function: FunctionDefinition, *, version: str, runtime_api: str, output_fd: int) -> Self:
        """Start it; raises OSError where the system refuses."""
        its_end, lifeline = os.pipe()
        # `-P`: the directory of the main program is not put on the import path.
        command = [sys.executable, "-P", str(MAIN_PROGRAM), function.runtime_handler, str(its_end)]
        try:
            process = subprocess.Popen(  # noqa: S603 - the command is ours; only the handler's name varies
                command,
                stdin=subprocess.DEVNULL,
                stdout=output_fd,
                stderr=output_fd,
                cwd=function.root,
                env=function.process_environment(runtime_api=runtime_api, version=version),
                # A group of its own: a signal from the terminal is for the poller alone, and a kill reaches
                # what the handler started.
                start_new_session=True,
                pass_fds=(its_end,),
            )
        except BaseException:
            os.close(lifeline)
            raise
        finally:
            os.close(its_end)
        return cls(process, lifeline=lifeline)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def exited(self) -> None:
        """Wait until it has ended; it stays a zombie until `reap`, so that its ids go to nobody else."""
        try:
            pidfd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # not Linux, or a kernel without it
            await anyio.to_thread.run_sync(self._process.wait, abandon_on_cancel=True)
            return
        try:
            await anyio.wait_readable(pidfd)
        finally:
            os.close(pidfd)

    def kill(self) -> None:
        """Kill the whole group, which is named by its leader's id."""
        if self._process.returncode is None:
            self._kill_group()

    def reap(self) -> int:
        """Kill what is left of the group and collect its leader; returns the exit code."""
        self._kill_group()
        os.close(self._lifeline)
        return self._process.wait()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
