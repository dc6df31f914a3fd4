"""Stands in for the Kubernetes API: enough discovery for Helm to install, and every object it sends is kept.

Runs with any Python, beside Helm's library.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KINDS = {
    "v1": ("Pod", "Service", "ConfigMap", "Secret", "ServiceAccount", "Namespace", "PersistentVolumeClaim"),
    "apps/v1": ("Deployment", "StatefulSet"),
    "policy/v1": ("PodDisruptionBudget",),
    "networking.k8s.io/v1": ("NetworkPolicy",),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "monitoring.coreos.com/v1": ("ServiceMonitor", "PodMonitor", "PrometheusRule"),
    "keda.sh/v1alpha1": ("ScaledObject", "TriggerAuthentication"),
}
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
NOT_FOUND = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}


def plural(kind: str) -> str:
    """A kind as paths spell it."""
    word = kind.lower()
    return word[:-1] + "ies" if word.endswith("y") else word + "s"


def discovery(path: str) -> dict[str, Any] | None:
    """What a client asks before it sends anything."""
    if path == "/version":
        return {"major": "1", "minor": "32", "gitVersion": "v1.32.4"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(v) for v in KINDS if "/" in v]}
    version = path.removeprefix("/apis/").removeprefix("/api/")
    if version in KINDS and path != version:
        resources = [_resource(kind) for kind in KINDS[version]]
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": version,
            "resources": resources,
        }
    return None


def _group(version: str) -> dict[str, Any]:
    group, _, name = version.partition("/")
    named = {"groupVersion": version, "version": name}
    return {"name": group, "versions": [named], "preferredVersion": named}


def _resource(kind: str) -> dict[str, Any]:
    return {
        "name": plural(kind),
        "singularName": kind.lower(),
        "namespaced": kind != "Namespace",
        "kind": kind,
        "verbs": VERBS,
    }


class Recorder:
    """The server and what it was sent."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        recorder = self

        class Handler(_Handler):
            objects = recorder.objects

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: dict[str, dict[str, Any]]

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path = self._path()
        found = discovery(path) or self.objects.get(path)
        if found is None and path.rpartition("/")[2] in {
            plural(k) for kinds in KINDS.values() for k in kinds
        }:
            items = [value for key, value in self.objects.items() if key.startswith(path + "/")]
            found = {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}
        self._answer(404 if found is None else 200, found or NOT_FOUND)

    def do_POST(self) -> None:
        made = self._body()
        path = f"{self._path()}/{made['metadata']['name']}"
        made["metadata"] |= {"uid": path, "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
        self.objects[path] = made
        self._answer(201, made)

    def do_PUT(self) -> None:
        self.objects[self._path()] = made = self._body()
        self._answer(200, made)

    def do_PATCH(self) -> None:
        path = self._path()
        self.objects[path] = made = _merged(self.objects.get(path, {}), self._body())
        self._answer(200, made)

    def do_DELETE(self) -> None:
        self.objects.pop(self._path(), None)
        self._answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _path(self) -> str:
        return self.path.partition("?")[0].rstrip("/")

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(
            self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}"
        )
        return body

    def _answer(self, code: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _merged(old: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """A merge patch; of lists the patch's own is taken, which is enough to see what changed."""
    merged = dict(old)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merged(merged[key], value)
        else:
            merged[key] = value
    return merged
