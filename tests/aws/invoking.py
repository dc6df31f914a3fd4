"""A poller whose functions are invoked by clients that are not ours, and an application behind HTTP."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import ClientError

HANDLERS = '''
import json, os, time

SEEN = os.environ["SEEN_FILE"]


def note(line):
    """One write, so that lines of several processes do not mix; on disk before the function answers."""
    handle = os.open(SEEN, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(handle, (json.dumps(line) + "\\n").encode())
    os.close(handle)


def handler(event, context):
    note({"id": context.aws_request_id, "event": event, "version": context.function_version, "records": []})
    if isinstance(event, dict):
        print("seen", event.get("say"))
        time.sleep(event.get("sleep", 0))
        while "until" in event and not os.path.exists(event["until"]):
            time.sleep(0.01)
        if "raise" in event:
            raise ValueError(event["raise"])
        if "exit" in event:
            os._exit(event["exit"])
    custom = context.client_context and context.client_context.custom
    return {
        "event": event,
        "id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "version": context.function_version,
        "custom": custom,
    }
'''


@dataclass(frozen=True)
class Answered:
    """What boto3 was answered, as one value."""

    status: int
    request_id: str
    payload: Any = None
    error: str | None = None
    """Of the function."""
    version: str | None = None
    tail: str | None = None


def invoke(client: Any, name: str = "audit", event: Any = None, **parameters: Any) -> Answered:
    """Invoke a function by boto3."""
    payload = {} if event is None else {"Payload": json.dumps(event).encode()}
    answer = client.invoke(FunctionName=name, **payload, **parameters)
    body = answer["Payload"].read()
    tail = answer.get("LogResult")
    return Answered(
        status=answer["StatusCode"],
        request_id=answer["ResponseMetadata"]["RequestId"],
        payload=json.loads(body) if body else None,
        error=answer.get("FunctionError"),
        version=answer.get("ExecutedVersion"),
        tail=None if tail is None else base64.b64decode(tail).decode(),
    )


def refusal(client: Any, name: str = "audit", **parameters: Any) -> tuple[int, str, str]:
    """Status, code and message of an error that boto3 raises."""
    try:
        client.invoke(FunctionName=name, **parameters)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status, error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError("it was not refused")


@dataclass
class Application:
    """An HTTP server that takes events."""

    url: str = ""
    status: int = 200
    body: bytes = b'{"ok":true}'
    hold: threading.Event = field(default_factory=threading.Event)
    """Requests are answered while it is set."""
    asked: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def application() -> Iterator[Application]:
    """Run one on loopback."""
    app = Application()
    app.hold.set()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            app.asked.append((dict(self.headers), body))
            app.hold.wait(20)
            self._answer(app.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def _answer(self, body: bytes) -> None:
            self.send_response(app.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    app.url = f"http://127.0.0.1:{server.server_port}/events"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield app
    finally:
        app.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
