"""What the Dockerfile makes: rights, contents, and versions that are those which were tested."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.container.dockerfile import ROOT, stages

BUILD, IMAGE = stages()


def _pins(lock: Path) -> Mapping[str, frozenset[str]]:
    """Hashes by name and version."""
    entries = re.split(r"\n(?=\S)", lock.read_text())
    return {
        entry.split()[0]: frozenset(re.findall(r"sha256:[0-9a-f]{64}", entry))
        for entry in entries
        if "==" in entry.split("\n")[0]
    }


def test_the_image_runs_as_nobody_in_particular() -> None:
    """A number above those of a system's users, which is also what the chart asks for."""
    user, _, group = IMAGE.last("USER").partition(":")
    values = yaml.safe_load((ROOT / "helm" / "values.yaml").read_text())

    assert int(user) >= 10_000
    assert values["podSecurityContext"]["runAsUser"] == int(user)
    assert values["podSecurityContext"]["runAsGroup"] == int(group)


def test_the_last_stage_has_no_tools_to_build_or_install_with() -> None:
    """Neither a package manager of the system nor pip."""
    runs = " ".join(IMAGE.all("RUN"))

    assert "apt" not in runs
    assert "pip install" not in runs
    assert re.search(r"rm -rf \S*/site-packages/\* \S*/ensurepip \S*/pip\*", runs)
    assert all("--from=build" in copy for copy in IMAGE.all("COPY"))


def test_everything_installed_is_checked_against_its_hash() -> None:
    """And nothing is compiled on the way."""
    installs = [run for text in BUILD.all("RUN") for run in text.split("&&") if " install " in run]

    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes --only-binary :all:" in install or "--no-deps --no-index" in install


@pytest.mark.parametrize("name", ["runtime.lock", "build.lock"])
def test_the_image_has_the_versions_that_were_tested(name: str) -> None:
    """Its locks are cut from the one the tests are run with (`make lock`)."""
    tested = _pins(ROOT / "requirements.lock")
    shipped = _pins(ROOT / "docker" / name)

    assert shipped
    assert shipped.items() <= tested.items()


def test_everything_the_poller_needs_is_in_the_image() -> None:
    """What the package declares, and what hosting handlers asks for: nothing is found missing at start."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["functions"]]
    shipped = {pin.partition("==")[0].lower() for pin in _pins(ROOT / "docker" / "runtime.lock")}

    assert {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in needed} <= shipped


def test_no_tool_of_development_is_in_the_image() -> None:
    """It holds what runs, and the client that handlers run in."""
    names = {pin.partition("==")[0] for pin in _pins(ROOT / "docker" / "runtime.lock")}

    assert {"aiobotocore", "awslambdaric", "prometheus-client"} <= names
    assert not names & {"pytest", "moto", "mypy", "ruff", "boto3", "hatchling", "flask"}


def test_locks_name_no_place_to_get_packages_from() -> None:
    """That is for who builds to say."""
    for lock in (ROOT / "docker").glob("*.lock"):
        assert "://" not in lock.read_text()


def test_what_is_copied_is_sent_to_the_builder() -> None:
    """The ignore file lets nothing else through."""
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [word for text in BUILD.all("COPY") for word in text.split()[:-1]]

    assert copied
    for path in copied:
        assert (ROOT / path).exists()
        assert any(Path(path).match(pattern) for pattern in allowed), path


def test_it_drains_when_it_is_stopped() -> None:
    """The poller itself gets the signal: no shell stands before it."""
    assert IMAGE.command("ENTRYPOINT") == ["poller"]
    assert IMAGE.command("CMD") == ["run", "/etc/poller"]
    assert IMAGE.last("STOPSIGNAL") == "SIGTERM"
