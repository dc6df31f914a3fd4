"""Functions written into a directory of their own, and hosts that are closed whatever the test did."""

import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest

from poller.functions.definition import FunctionDefinition
from poller.functions.host import FunctionHost
from tests.functions.hosting import ARN, PATIENCE_S, Define, Start

HOSTING_PROGRAM = """\
import os, sys
from pathlib import Path
import anyio, structlog
from poller.functions.definition import FunctionDefinition
from poller.functions.host import FunctionHost

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

async def main():
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:audit"
    function = FunctionDefinition(name="audit", handler="app:handler", arn=arn, root=Path(sys.argv[1]),
                                  timeout_s=600, environment=dict(os.environ))
    host = FunctionHost(function)
    await host.start()
    await host.invoke(sys.argv[2].encode(), request_id="request-1")
    await host.close()

anyio.run(main)
"""


@pytest.fixture
def define(tmp_path: Path) -> Define:
    """Write the source of module `app` and say how it is run."""

    def write(source: str, *, handler: str = "app:handler", **fields: object) -> FunctionDefinition:
        (tmp_path / "app.py").write_text(textwrap.dedent(source))
        # A handler that is written anew in mid-test must not be taken from the bytecode of the old one.
        environment = dict(os.environ) | {"PYTHONDONTWRITEBYTECODE": "1"}
        settings = {"root": tmp_path, "timeout_s": PATIENCE_S, "environment": environment} | fields
        return FunctionDefinition(name="audit", handler=handler, arn=ARN, **settings)  # type: ignore[arg-type]

    return write


@pytest.fixture
async def start(define: Define) -> AsyncIterator[Start]:
    """Start a host for a source, as `define` takes it."""
    hosts: list[FunctionHost] = []

    async def begin(source: str, *, concurrency: int = 1, **fields: object) -> FunctionHost:
        hosts.append(FunctionHost(define(source, **fields), concurrency=concurrency))
        await hosts[-1].start()
        return hosts[-1]

    yield begin
    for host in hosts:
        await host.close()


@pytest.fixture
def poller(tmp_path: Path) -> Iterator[Callable[[object], subprocess.Popen[bytes]]]:
    """Run a program that hosts `app:handler` of the directory and invokes it once with an event."""
    program = tmp_path / "program.py"
    program.write_text(HOSTING_PROGRAM)
    with ExitStack() as programs:

        def run(event: object) -> subprocess.Popen[bytes]:
            command = [sys.executable, str(program), str(tmp_path), orjson.dumps(event).decode()]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            programs.enter_context(process)
            programs.callback(process.kill)
            return process

        yield run
