"""The warm parent: has imported everything, and forks a process for each poller that is to run.

What a fork runs is the `poller` command itself, in an operating system process of its own; only the second
that an interpreter takes to import the SDK is saved. Run as `python -m tests.kill.nursery FD`, where FD is a
socket that takes one request at a time. Nothing is reaped unasked, so a pid means one process until the end.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import Any

import orjson

import poller.worker  # noqa: F401  # what `poller run` imports when it has read its files
from poller.aws import Aws
from poller.cli import main as poller_command

REQUEST_BYTES = 64 * 1024
SERVICES = ("sqs", "kinesis", "dynamodbstreams")


def main() -> None:
    """Serve requests until the other end of the socket is closed; then end what still runs."""
    asyncio.run(_import_what_clients_need())
    assert threading.active_count() == 1, "a fork would not have the other threads"
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        _serve(requests)


async def _import_what_clients_need() -> None:
    """The SDK imports parts of itself when the first client is made."""
    async with Aws() as aws:
        for service in SERVICES:
            await aws.client(service, "us-east-1")


def _serve(requests: socket.socket) -> None:
    children: set[int] = set()
    try:
        while True:
            message, fds, _, _ = socket.recv_fds(requests, REQUEST_BYTES, 2)
            if not message:
                return
            request = orjson.loads(message)
            if "reap" in request:
                _, status = os.waitpid(request["reap"], 0)
                children.discard(request["reap"])
                answer = os.waitstatus_to_exitcode(status)
            else:
                answer = os.fork()
                if not answer:
                    children.clear()  # they are its siblings, not its own
                    requests.detach()
                    _become_poller(request, fds)
                children.add(answer)
            for fd in fds:
                os.close(fd)
            requests.sendall(orjson.dumps(answer))
    finally:
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _become_poller(request: dict[str, Any], fds: list[int]) -> None:
    """Take on what an exec would have given, then run the command; ends the process."""
    os.closerange(3, min(fds))
    os.dup2(fds[0], 1)
    os.dup2(fds[1], 2)
    os.closerange(3, max(fds) + 1)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["poller", *request["arguments"]]
    poller_command()


if __name__ == "__main__":
    main()
