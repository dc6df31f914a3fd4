"""The AWS-compatible server of the demo, as its parent sees it: a child process on a free loopback port."""

import contextlib
import importlib.util
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import Process

from poller.demo.environment import neutral_environment
from poller.errors import StartError

MAIN_PROGRAM = Path(__file__).with_name("server_main.py")
# It takes about one second; a machine that needs more than this is not one to show anything on.
START_LIMIT_S = 15.0
REQUIRED = ("moto", "flask", "flask_cors")


@asynccontextmanager
async def running_server(folder: Path) -> AsyncIterator[str]:
    """Run the server; yields its URL.

    Args:
        folder: Where it may write its log.

    Raises:
        StartError: moto is not installed, or does not start.
    """
    _check_installed()
    log = folder / "server.log"
    with log.open("wb") as log_file:
        process = await _spawn(log_file.fileno())
    # Leaving closes its stdin, which ends it.
    async with process:
        yield f"http://127.0.0.1:{await _port(process, log)}"


def _check_installed() -> None:
    if any(importlib.util.find_spec(package) is None for package in REQUIRED):
        raise StartError(
            "the demo needs moto, an AWS-compatible server; install it with: pip install 'esm-poller[demo]'"
        )


async def _spawn(log_fd: int) -> Process:
    return await anyio.open_process(
        [sys.executable, "-P", str(MAIN_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log_fd,
        env=neutral_environment(),
        # Ctrl-C is for the poller, which may still have messages to delete.
        start_new_session=True,
    )


async def _port(process: Process, log: Path) -> int:
    """Wait until it says where it listens."""
    assert process.stdout is not None
    text = b""
    try:
        with anyio.fail_after(START_LIMIT_S):
            while not text.endswith(b"\n"):
                text += await process.stdout.receive()
    except (TimeoutError, anyio.EndOfStream) as error:
        with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
            process.kill()
        raise StartError(f"moto's server did not start: {_last_words(log)}") from error
    return int(text)


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
