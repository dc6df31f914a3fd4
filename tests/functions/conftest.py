"""Functions written into a directory of their own, and hosts that are closed whatever the test did."""

import os
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from poller.functions.definition import FunctionDefinition
from poller.functions.host import FunctionHost
from tests.functions.hosting import ARN, PATIENCE_S, Define, Start


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
