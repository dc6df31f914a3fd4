"""Installs Helm's library and Kubernetes' schemas into an environment with the newer Python they need."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.servers.installing import made, run
from tests.servers.requirements import give_up

HERE = Path(__file__).parent
LOCK = HERE / "requirements.lock"
VERSIONS = ("3.12", "3.13", "3.14")


def environment_python() -> Path:
    """The Python of that environment; skips the test where no Python is new enough."""
    python = _newer_python()
    if python is None:
        give_up(f"Helm's library needs Python {VERSIONS[0]} or later, which was not found")

    def install(folder: Path) -> None:
        run(python, "-m", "venv", "--copies", ".", folder=folder)
        run("bin/python", "-m", "pip", "install", "--require-hashes", "-r", str(LOCK), folder=folder)

    return made("helm", (LOCK,), install) / "bin" / "python"


def _newer_python() -> str | None:
    for command, version in _candidates():
        environment = os.environ | ({"PYENV_VERSION": version} if version else {})
        asked = subprocess.run(
            [command, "-c", "import sys, venv, ensurepip; print(sys.executable)"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode == 0:
            return asked.stdout.strip()
    return None


def _candidates() -> Iterator[tuple[str, str]]:
    """Commands, and the version to choose where pyenv stands before them."""
    for version in VERSIONS:
        command = f"python{version}"
        if shutil.which(command) is None:
            continue
        yield command, ""
        if shutil.which("pyenv") is not None:
            whence = subprocess.run(["pyenv", "whence", command], capture_output=True, text=True, check=False)
            yield from ((command, found) for found in whence.stdout.split())
