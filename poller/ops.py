"""The ops port: whether the process lives and is ready, its metrics, and a page that shows its mappings.

Nothing here asks AWS: a probe that failed with AWS would restart every pod of a fleet at once.
"""

import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import anyio
import orjson
import structlog
from aiohttp import web

from mappings.addresses import Address
from poller.errors import StartError
from poller.exposition import Exposition
from poller.heartbeat import Heartbeat
from poller.invoking.event_meter import EventMeter
from poller.status import Look, MappingView, oldest, stands_still, status_document
from poller.surroundings import Surroundings
from poller.telemetry import Log

HEARTBEAT_LIMIT_S = 30.0
LINE_LIMIT_BYTES = 2048
HEADER_LIMIT_BYTES = 8192
PAGE = Path(__file__).with_name("status.html")
JSON = "application/json"
TEXT = "text/plain"
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # The page loads nothing but itself and its own JSON.
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}


class Ops:
    """Answers on the ops port from before anything else is opened until everything has ended."""

    def __init__(self, surroundings: Surroundings, events: EventMeter, *, shards: bool) -> None:
        """Make it.

        Args:
            surroundings: Of this process.
            events: What is counted of asynchronous events.
            shards: Whether metrics tell shards apart.
        """
        self._clock = surroundings.clock
        self._drain = surroundings.drain
        self._heartbeat = Heartbeat(surroundings.clock)
        self._look: Look | None = None
        self._begun = False
        self._version = version("esm-poller")
        self._began_at = time.time()
        self._exposition = Exposition(
            self._views,
            lambda: events.counts,
            lag_s=lambda: self._heartbeat.lag_s,
            version=self._version,
            shards=shards,
        )
        # Each path once; the aliases are what people type who come from other programs.
        self._paths: dict[str, Callable[[web.BaseRequest], web.Response]] = {
            "/": self._page,
            "/status": self._status,
            "/metrics": self._metrics,
            **dict.fromkeys(("/livez", "/healthz", "/ping"), self._livez),
            **dict.fromkeys(("/readyz", "/ready"), self._readyz),
            "/startupz": self._startupz,
        }

    def loaded(self, look: Look) -> None:
        """The configuration is there; from now on its mappings can be looked at."""
        self._look = look

    def begun(self) -> None:
        """Every mapping that was wanted at the start polls.

        Once is enough: what fails later must not take the pod away, nor must a mapping that is added.
        """
        self._begun = True

    @asynccontextmanager
    async def serving(self, address: Address) -> AsyncIterator[int]:
        """Listen, and say on which port.

        Raises:
            StartError: The address cannot be listened on.
        """
        server = web.Server(
            self._respond,
            access_log=None,
            max_line_size=LINE_LIMIT_BYTES,
            max_field_size=HEADER_LIMIT_BYTES,
            lingering_time=0,
        )
        runner = web.ServerRunner(server, shutdown_timeout=0.5)
        await runner.setup()
        try:
            site = web.TCPSite(runner, address.host, address.port)
            try:
                await site.start()
            except OSError as error:
                # The event loop puts words of its own around the system's.
                reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
                raise StartError(
                    f"the ops port cannot listen on {address} ({reason}): "
                    "choose another address with --ops, or close it with --ops off"
                ) from error
            port = int(runner.addresses[0][1])
            structlog.get_logger().info(Log.OPS_LISTENING, host=address.host, port=port)
            async with anyio.create_task_group() as group:
                group.start_soon(self._heartbeat.run)
                yield port
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await runner.cleanup()

    # ----- answers

    async def _respond(self, request: web.BaseRequest) -> web.Response:
        answer = self._paths.get(request.path)
        if answer is None:
            return _text(404, "no such path")
        if request.method not in {"GET", "HEAD"}:
            response = _text(405, "GET and HEAD only")
            response.headers["Allow"] = "GET, HEAD"
            return response
        return answer(request)

    def _livez(self, _: web.BaseRequest) -> web.Response:
        if self._heartbeat.age_s > HEARTBEAT_LIMIT_S:
            return _text(503, f"no heartbeat for {self._heartbeat.age_s:.0f} s")
        now = self._clock.monotonic()
        still = [view.name for view in self._views() if stands_still(view, now)]
        if still and not self._drain.requested:
            return _text(503, "no poll attempt and no reason: " + ", ".join(still))
        return _text(200, "ok")

    def _readyz(self, _: web.BaseRequest) -> web.Response:
        if self._drain.requested:
            return _text(503, "draining")
        return _text(200, "ok") if self._begun else _text(503, "not every enabled mapping polls yet")

    def _startupz(self, _: web.BaseRequest) -> web.Response:
        # Not the sources: whoever is killed for not having started must not be killed because AWS is down.
        return _text(503, "starting") if self._look is None else _text(200, "ok")

    def _metrics(self, request: web.BaseRequest) -> web.Response:
        body, content_type = self._exposition.render(request.headers.get("Accept", ""))
        return web.Response(body=body, headers=_HEADERS | {"Content-Type": content_type})

    def _status(self, request: web.BaseRequest) -> web.Response:
        views = self._views()
        document = {
            "version": self._version,
            "began_at": self._began_at,
            "ready": self._readyz(request).status == 200,
            "draining": self._drain.requested,
            "event_loop_lag_s": round(self._heartbeat.lag_s, 3),
            "iterator_age_s": oldest(views),
            "mappings": status_document(views),
        }
        return web.Response(body=orjson.dumps(document), headers=_HEADERS | {"Content-Type": JSON})

    def _page(self, _: web.BaseRequest) -> web.Response:
        return web.Response(
            body=PAGE.read_bytes(), content_type="text/html", charset="utf-8", headers=_HEADERS
        )

    def _views(self) -> Sequence[MappingView]:
        return () if self._look is None else self._look()


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n", content_type=TEXT, headers=_HEADERS)
