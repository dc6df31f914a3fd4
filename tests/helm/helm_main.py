"""Helm's own library in a process of its own: one JSON request a line on stdin, one answer a line on stdout.

Runs in the environment that `installing.py` makes, which needs a newer Python than the poller does, and with
HELM_DRIVER=memory: releases stay in this process, because the recorder could not read them.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import helm_sdkpy  # type: ignore[import-not-found]
import kubernetes_validate  # type: ignore[import-not-found]
import yaml
from recorder import Recorder  # type: ignore[import-not-found]

CUSTOM = ("monitoring.coreos.com/", "keda.sh/")


class Server:
    """A recorder, and Helm pointed at it."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self._folder = tempfile.TemporaryDirectory()
        kubeconfig = Path(self._folder.name, "kubeconfig")
        kubeconfig.write_text(json.dumps(_kubeconfig(self.recorder.url)))
        self.configuration = helm_sdkpy.Configuration(namespace="events", kubeconfig=str(kubeconfig))

    def lint(self, chart: str) -> Any:
        return asyncio.run(helm_sdkpy.Lint(self.configuration).run(chart))

    def install(self, chart: str, name: str, values: dict[str, Any]) -> Any:
        action = helm_sdkpy.Install(self.configuration)
        return asyncio.run(action.run(name, chart, values=values, wait=False))

    def upgrade(self, chart: str, name: str, values: dict[str, Any]) -> Any:
        action = helm_sdkpy.Upgrade(self.configuration)
        return asyncio.run(action.run(name, chart, values=values, wait=False))

    def sent(self) -> list[dict[str, Any]]:
        return list(self.recorder.objects.values())


def _kubeconfig(url: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "recorder",
        "contexts": [{"name": "recorder", "context": {"cluster": "recorder", "user": "nobody"}}],
        "clusters": [{"name": "recorder", "cluster": {"server": url}}],
        "users": [{"name": "nobody", "user": {}}],
    }


def problems(manifest: dict[str, Any], versions: Sequence[str]) -> list[str]:
    """What Kubernetes' own schemas say of a manifest; they do not know custom resources."""
    if manifest["apiVersion"].startswith(CUSTOM):
        return []
    found = []
    for version in versions:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{manifest['kind']} in {version}: {error.message}")
    return found


def answer(server: Server, request: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked."""
    match request.pop("do"):
        case "validate":
            versions = request["versions"]
            return {
                "problems": [p for manifest in request["manifests"] for p in problems(manifest, versions)]
            }
        case "sent":
            return {"objects": server.sent()}
        case "lint":
            return {"release": server.lint(**request)}
        case verb:
            release = getattr(server, verb)(**request)
            documents = [d for d in yaml.safe_load_all(release["manifest"]) if d]
            return {"release": release, "manifests": documents}


def main() -> None:
    """Serve until stdin ends."""
    servers: dict[str, Server] = {}
    for line in sys.stdin:
        request = json.loads(line)
        server = servers.setdefault(request.pop("server", ""), Server())
        try:
            said = answer(server, request)
        except Exception as error:  # noqa: BLE001  # whatever Helm says is the answer
            said = {"error": str(error)}
        print(json.dumps(said, default=str), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
