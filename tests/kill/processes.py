"""Starts `poller run` as a process, cold or forked from a warm parent; signals it, sees its end, reaps it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import anyio
import orjson


class PollerProcess:
    """One process. Signalled through a pidfd, so that a signal can never meet another one."""

    def __init__(self, pid: int, stdout: int, reap: Callable[[], int]) -> None:
        self.pid = pid
        self.ready = anyio.Event()
        self._stdout = stdout
        self._pidfd = os.pidfd_open(pid)
        self._reap = reap

    def send(self, number: signal.Signals) -> None:
        """Send a signal; one that has ended but was not reaped takes it in silence. From any thread."""
        signal.pidfd_send_signal(self._pidfd, number)

    async def watch_ready(self) -> None:
        """Set `ready` when the ready line is read; return when it is, or when stdout is closed."""
        said = b""
        while b"\n" not in said:
            await anyio.wait_readable(self._stdout)
            chunk = os.read(self._stdout, 4096)
            if not chunk:
                return
            said += chunk
        if said.startswith(b"ready "):
            self.ready.set()

    async def ended(self) -> None:
        """Wait for its end."""
        await anyio.wait_readable(self._pidfd)

    def reap(self) -> int:
        """The exit code; a negative one is the signal that ended it. Once, and only after its end."""
        code = self._reap()
        os.close(self._pidfd)
        os.close(self._stdout)
        return code


class Nursery:
    """The warm parent, as the harness reaches it. Use as a context manager."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.kill.nursery", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                env=clean_environment() | {"AWS_ACCESS_KEY_ID": "warm", "AWS_SECRET_ACCESS_KEY": "warm"},
                start_new_session=True,  # ^C is for the harness, which closes the socket
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._requests.close()
        self._process.wait(timeout=30)

    def start(
        self, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: int
    ) -> PollerProcess:
        """Fork a process that runs the `poller` command."""
        theirs, ours = _pipe()
        request = {"arguments": list(arguments), "folder": str(folder), "environment": dict(environment)}
        socket.send_fds(self._requests, [orjson.dumps(request)], [theirs, log])
        os.close(theirs)
        pid = self._answer()
        return PollerProcess(pid, ours, lambda: self._reap(pid))

    def _reap(self, pid: int) -> int:
        self._requests.sendall(orjson.dumps({"reap": pid}))
        return self._answer()

    def _answer(self) -> int:
        return int(orjson.loads(self._requests.recv(64)))


def start_cold(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: int
) -> PollerProcess:
    """Start `python -m poller`, as its users do."""
    theirs, ours = _pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "poller", *arguments],
        cwd=folder,
        env=environment,
        stdout=theirs,
        stderr=log,
        start_new_session=True,
    )
    os.close(theirs)
    return PollerProcess(process.pid, ours, process.wait)


def clean_environment() -> dict[str, str]:
    """Our environment without what would reach a poller."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "POLLER_", "LOG_"))}
    return {**kept, "POLLER_OPS": "off"}  # several run side by side


def processes_marked(mark: str) -> list[int]:
    """Processes that live and were started with `mark` in their environment, the poller's own included."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:  # gone meanwhile, or another user's
            continue
    return found


def _pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    return writing, reading
