"""What a server needs on the machine; without it, its tests are skipped and say why."""

import os
import re
import shutil
import subprocess
from typing import NoReturn

import pytest

JAVA = 17  # what DynamoDB Local is compiled for

slow = pytest.mark.skipif(
    "TEST_SERVERS_SLOW" not in os.environ, reason="takes minutes: set TEST_SERVERS_SLOW, or make test-slow"
)


def need(*tools: str) -> None:
    """Skip the test that asks for a server if one of its tools is missing; CI sets TEST_SERVERS=required."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        give_up(f"{' and '.join(missing)} not found")


def need_java() -> None:
    """Skip unless there is a compiler, and one that is new enough."""
    need("java", "javac")
    said = subprocess.run(["javac", "-version"], capture_output=True, text=True, check=True)
    version = re.search(r"\d+", said.stdout + said.stderr)
    if version is None or int(version[0]) < JAVA:
        give_up(f"Java {JAVA} not found")


def give_up(reason: str) -> NoReturn:
    """Skip the test, or fail it where nothing may be skipped."""
    if os.environ.get("TEST_SERVERS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)
