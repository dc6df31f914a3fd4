"""Helm, one process of it for the whole session; each test installs into a cluster of its own."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.helm.installing import HERE, environment_python
from tests.helm.rendering import Manifest, Rendered, Values

CHART = HERE.parents[1] / "helm"


class HelmRefused(Exception):
    """Helm would not do it; the text is its reason."""


@dataclass(frozen=True)
class Helm:
    """Asks the process."""

    process: subprocess.Popen[str]
    rendered: dict[str, Rendered] = field(default_factory=dict)

    def render(self, values: Values) -> Rendered:
        """The chart installed into an empty cluster; once for the same values."""
        key = json.dumps(values, sort_keys=True)
        if key not in self.rendered:
            self.rendered[key] = Cluster(self, uuid.uuid4().hex).install(values)
        return self.rendered[key]

    def ask(self, **request: Any) -> Mapping[str, Any]:
        """One request, one answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise HelmRefused(answer["error"])
        return answer

    def lint(self) -> Sequence[Mapping[str, Any]]:
        """What Helm has to say of the chart itself."""
        messages: Sequence[Mapping[str, Any]] = self.ask(do="lint", chart=str(CHART))["release"]["Messages"]
        return messages

    def problems(
        self, manifests: Sequence[Manifest], versions: Sequence[str] = ("1.27", "1.32")
    ) -> Sequence[str]:
        """What the schemas of these versions of Kubernetes say against manifests."""
        answer = self.ask(do="validate", manifests=list(manifests), versions=list(versions))
        found: Sequence[str] = answer["problems"]
        return found


@dataclass(frozen=True)
class Cluster:
    """A recording API server, and Helm pointed at it."""

    helm: Helm
    name: str

    def install(self, values: Values, *, release: str = "poller") -> Rendered:
        """Install the chart."""
        return self._do("install", values, release)

    def upgrade(self, values: Values, *, release: str = "poller") -> Rendered:
        """Upgrade the release."""
        return self._do("upgrade", values, release)

    def sent(self) -> Rendered:
        """The objects as the API server has them now."""
        return Rendered(self.helm.ask(do="sent", server=self.name)["objects"], {})

    def _do(self, verb: str, values: Values, release: str) -> Rendered:
        said = self.helm.ask(do=verb, server=self.name, chart=str(CHART), name=release, values=values)
        return Rendered(said["manifests"], said["release"])


@pytest.fixture(scope="session")
def helm() -> Iterator[Helm]:
    """Helm's own library."""
    process = subprocess.Popen(
        [str(environment_python()), str(HERE / "helm_main.py")],
        env={**os.environ, "HELM_DRIVER": "memory"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield Helm(process)
    process.kill()
    process.communicate(timeout=10)


@pytest.fixture
def cluster(helm: Helm) -> Cluster:
    """An empty one."""
    return Cluster(helm, uuid.uuid4().hex)


@pytest.fixture(scope="session")
def untouched(helm: Helm) -> Cluster:
    """One that nothing may ever reach."""
    return Cluster(helm, "untouched")


@pytest.fixture(scope="session")
def chart() -> Path:
    """The chart's folder."""
    return CHART
