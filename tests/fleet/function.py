"""A function that several workers invoke over HTTP: notes who delivered what, and when."""

import base64
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import orjson


class Delivery(NamedTuple):
    """One record of one invocation."""

    worker: str
    shard: str
    number: int
    """What the record holds."""
    begun: float
    ended: float


@dataclass(slots=True)
class Function:
    """What was delivered, in the order in which invocations began."""

    takes_s: float = 0.0
    deliveries: list[Delivery] = field(default_factory=list)
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, worker: str, event: dict[str, Any]) -> None:
        """Run once."""
        begun = time.monotonic()
        if self.takes_s:
            time.sleep(self.takes_s)
        ended = time.monotonic()
        found = [_delivery(worker, record, begun, ended) for record in event["Records"]]
        with self._lock:
            self.deliveries += found

    def numbers(self) -> list[int]:
        """All that was delivered."""
        with self._lock:
            return [delivery.number for delivery in self.deliveries]

    def by(self, worker: str, since: float = 0.0) -> Sequence[Delivery]:
        """What one worker delivered."""
        with self._lock:
            return [d for d in self.deliveries if d.worker == worker and d.begun >= since]


@contextmanager
def serving(function: Function) -> Iterator[Function]:
    """Answer on loopback; the path names the worker."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            function.invoke(self.path.strip("/"), orjson.loads(body))
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        do_HEAD = do_OPTIONS = do_GET  # noqa: N815  # the names are the server's

        def _answer(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            with suppress(ConnectionError):  # a worker that was killed does not wait for its answer
                self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        function.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield function
        finally:
            server.shutdown()
            thread.join()


def _delivery(worker: str, record: dict[str, Any], begun: float, ended: float) -> Delivery:
    shard = str(record["eventID"]).split(":")[0]
    return Delivery(worker, shard, int(base64.b64decode(record["kinesis"]["data"])), begun, ended)
