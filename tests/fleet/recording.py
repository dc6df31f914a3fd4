"""An endpoint that passes requests on and notes which action of AWS each of them is."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

# What calls that have no name of their own in a policy are authorized as.
_AS = {
    "sqs:DeleteMessageBatch": ["sqs:DeleteMessage"],
    "sqs:ChangeMessageVisibilityBatch": ["sqs:ChangeMessageVisibility"],
    "dynamodb:TransactWriteItems": ["dynamodb:PutItem", "dynamodb:DeleteItem"],
}
_SERVICES = {
    "AmazonSQS": "sqs",
    "Kinesis_20131202": "kinesis",
    "DynamoDB_20120810": "dynamodb",
    "DynamoDBStreams_20120810": "dynamodb",
}


@dataclass(slots=True)
class Recorder:
    """What was called."""

    url: str = ""
    actions: set[str] = field(default_factory=set)
    invoked: list[float] = field(default_factory=list)
    """When Lambda was asked to run a function."""


@contextmanager
def recording(upstreams: Mapping[str, str]) -> Iterator[Recorder]:
    """Serve on loopback.

    Args:
        upstreams: Where requests go, by the name in front of X-Amz-Target; "" for all others. Lambda is
            answered here.
    """
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            target = self.headers.get("X-Amz-Target", "")
            recorder.actions.update(_actions(target, self.path, body))
            if "/functions/" in self.path:
                if self.headers.get("X-Amz-Invocation-Type") != "DryRun":
                    recorder.invoked.append(time.monotonic())
                self._send(200, b"null", {})
                return
            upstream = upstreams.get(target.split(".")[0], upstreams[""])
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            request = urllib.request.Request(upstream + self.path, body, headers, method="POST")
            try:
                with urllib.request.urlopen(request) as answer:
                    self._send(answer.status, answer.read(), dict(answer.headers))
            except urllib.error.HTTPError as error:
                self._send(error.code, error.read(), dict(error.headers))

        def do_GET(self) -> None:
            recorder.actions.add("lambda:GetFunctionConfiguration")
            self._send(200, b'{"Timeout": 3}', {})

        def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in {
                    "content-length",
                    "connection",
                    "transfer-encoding",
                    "server",
                    "date",
                }:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        recorder.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield recorder
        finally:
            server.shutdown()


def _actions(target: str, path: str, body: bytes) -> list[str]:
    if "/functions/" in path:
        return ["lambda:InvokeFunction"]
    service, _, operation = target.partition(".")
    if not operation:
        return [f"sns:{parse_qs(body.decode()).get('Action', [path])[0]}"]
    action = f"{_SERVICES[service]}:{operation}"
    return _AS.get(action, [action])


def actions_of(policy: str) -> set[str]:
    """Everything a policy allows."""
    return {action for statement in json.loads(policy)["Statement"] for action in statement["Action"]}
