"""The ops port, asked over HTTP."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import anyio
import pytest

from mappings.addresses import Address
from mappings.states import State
from poller.budget import ByteBudget
from poller.errors import StartError
from poller.heartbeat import Heartbeat
from poller.invoking.event_meter import EventMeter
from poller.ops import Ops
from poller.status import MappingView
from poller.surroundings import Surroundings
from poller.telemetry import Meter
from poller.waiting import Drain
from tests.loop.stage import queue_mapping, stream_mapping

LOOPBACK = Address(host="127.0.0.1", port=0)
LIVENESS = ("/livez", "/healthz", "/ping")
READINESS = ("/readyz", "/ready")


class _Clock:
    """Stands still until it is told."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


@dataclass(frozen=True)
class _Port:
    """A served port and what is behind it."""

    ops: Ops
    clock: _Clock
    drain: Drain
    meter: Meter
    address: str
    session: aiohttp.ClientSession

    def show(self, state: State) -> None:
        """Let the configuration hold one mapping."""
        view = MappingView(mapping=queue_mapping(), state=state, meter=self.meter)
        self.ops.loaded(lambda: [view])

    async def ask(self, path: str, method: str = "GET") -> tuple[int, str, Mapping[str, str]]:
        """Status, body and headers."""
        async with self.session.request(method, self.address + path) as answer:
            return answer.status, await answer.text(), answer.headers

    async def status(self, path: str) -> int:
        """Status alone."""
        return (await self.ask(path))[0]


@asynccontextmanager
async def _served() -> AsyncIterator[_Port]:
    clock, drain = _Clock(), Drain()
    surroundings = Surroundings(clock=clock, chance=lambda: 0.0, drain=drain, budget=ByteBudget(1024, drain))
    ops = Ops(surroundings, EventMeter(lambda: 0.0), shards=True)
    async with ops.serving(LOOPBACK) as port, aiohttp.ClientSession() as session:
        yield _Port(ops, clock, drain, Meter("orders -> f", "sqs"), f"http://127.0.0.1:{port}", session)


async def test_it_lives_before_it_is_ready() -> None:
    """A slow start is no reason to be killed."""
    async with _served() as port:
        assert [await port.status(path) for path in LIVENESS] == [200, 200, 200]
        assert [await port.status(path) for path in (*READINESS, "/startupz")] == [503, 503, 503]


async def test_it_is_ready_once_every_mapping_polls() -> None:
    """Not when the file was read."""
    async with _served() as port:
        port.show(State.CREATING)
        before = [await port.status(path) for path in READINESS]
        port.ops.begun()
        after = [await port.status(path) for path in READINESS]
    assert (before, after) == ([503, 503], [200, 200])


async def test_it_has_started_once_the_configuration_is_there() -> None:
    """Whether AWS answers or not: who has not started is killed."""
    async with _served() as port:
        before = await port.status("/startupz")
        port.show(State.CREATING)
        after = await port.status("/startupz")
    assert (before, after) == (503, 200)


async def test_it_stays_ready_when_things_fail_downstream() -> None:
    """Taking the pod away would help nobody; nor does a mapping that is added later count."""
    async with _served() as port:
        port.ops.begun()
        port.meter.problem("PROBLEM: ReceiveMessage on orders: AccessDenied")
        port.show(State.CREATING)

        assert await port.status("/readyz") == 200
        assert await port.status("/livez") == 200


async def test_it_is_not_ready_while_it_drains_but_lives() -> None:
    """What runs must not be killed by its own probe."""
    async with _served() as port:
        port.show(State.ENABLED)
        port.ops.begun()
        port.drain.request()

        assert [await port.status(path) for path in READINESS] == [503, 503]
        assert await port.status("/livez") == 200
        assert await port.status("/startupz") == 200


async def test_it_does_not_live_without_a_heartbeat() -> None:
    """30 s without a turn of the event loop."""
    async with _served() as port:
        port.clock.now += 31.0
        code, text, _ = await port.ask("/livez")
    assert (code, text) == (503, "no heartbeat for 31 s\n")


async def test_a_mapping_that_stands_still_without_a_reason_fails_liveness() -> None:
    """And is named (I8)."""
    async with _served() as port:
        port.show(State.ENABLED)
        port.meter.counts.pollers = 1
        port.meter.active_at = port.clock.now - 121.0
        code, text, _ = await port.ask("/livez")
        port.meter.active_at = port.clock.now - 119.0
        again = await port.status("/livez")
    assert code == 503
    assert text.startswith("no poll attempt and no reason: orders/f/")
    assert again == 200


@pytest.mark.parametrize("reason", ["problem", "result", "invocation", "no poller"])
async def test_a_mapping_that_has_a_reason_lives(reason: str) -> None:
    """A function may take 15 minutes, a queue may be denied, a stream may be read by others."""
    async with _served() as port:
        port.show(State.ENABLED)
        port.meter.counts.pollers = 0 if reason == "no poller" else 1
        port.meter.counts.invocations = int(reason == "invocation")
        if reason == "problem":
            port.meter.problem("PROBLEM: denied")
        if reason == "result":
            port.meter.last_processing_result = "PROBLEM: Function is throttled"

        assert await port.status("/livez") == 200


async def test_metrics_are_served_as_prometheus_reads_them() -> None:
    """With the type it asks for."""
    async with _served() as port:
        port.show(State.ENABLED)
        code, text, headers = await port.ask("/metrics")
    assert code == 200
    assert 'esm_build_info{version="' in text
    assert headers["Content-Type"].startswith("text/plain; version=")


async def test_status_shows_states_and_numbers() -> None:
    """For the page, and for scripts."""
    async with _served() as port:
        port.show(State.ENABLED)
        port.ops.begun()
        async with port.session.get(port.address + "/status") as answer:
            document = await answer.json()
    (mapping,) = document["mappings"]
    assert document["ready"] is True
    assert (mapping["state"], mapping["last_processing_result"]) == ("Enabled", "No records processed")
    assert mapping["source"] == queue_mapping().event_source.arn


async def test_status_names_the_oldest_age_of_all_shards_in_one_place() -> None:
    """KEDA reads one number; the age of a queue's messages is no iterator age."""
    clicks, orders = Meter("clicks -> f", "kinesis"), Meter("orders -> f", "sqs")
    clicks.iterator_age_s = {"shard-0": 3.0, "shard-1": 70.5}
    orders.iterator_age_s = {"queue": 900.0}
    views = [
        MappingView(mapping=stream_mapping(), state=State.ENABLED, meter=clicks),
        MappingView(mapping=queue_mapping(), state=State.ENABLED, meter=orders),
        MappingView(mapping=queue_mapping(), state=State.DISABLED, meter=None),
    ]
    async with _served() as port:
        port.ops.loaded(lambda: views)
        async with port.session.get(port.address + "/status") as answer:
            document = await answer.json()
    assert document["iterator_age_s"] == 70.5


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    """It must work where there is no way out, and let nothing in."""
    async with _served() as port:
        code, text, headers = await port.ask("/")
    assert code == 200
    assert "https://" not in text
    assert "http://" not in text
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Content-Type"] == "text/html; charset=utf-8"


async def test_it_only_answers_questions() -> None:
    """Nothing can be changed through it."""
    async with _served() as port:
        assert await port.status("/nowhere") == 404
        assert (await port.ask("/livez", "HEAD"))[:2] == (200, "")
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            assert (await port.ask("/livez", method))[0] == 405
        assert await port.status("/livez?" + "x" * 5000) == 400


async def test_a_port_that_is_taken_is_told_in_one_sentence() -> None:
    """With the setting to change."""
    async with _served() as port:
        taken = Address(host="127.0.0.1", port=int(port.address.rpartition(":")[2]))
        with pytest.raises(
            StartError, match=rf"the ops port cannot listen on {taken} \(Address already in use\)"
        ):
            async with port.ops.serving(taken):
                pass


async def test_a_loop_that_was_blocked_is_seen_as_lag() -> None:
    """Of the last minute, for a scrape sees a moment only."""
    clock = _Clock()
    heartbeat = Heartbeat(clock)

    async with anyio.create_task_group() as group:
        group.start_soon(heartbeat.run)
        await anyio.sleep(0.2)
        clock.now += 4.0
        with anyio.fail_after(5):
            while not heartbeat.lag_s:  # noqa: ASYNC110  # the beat tells nobody
                await anyio.sleep(0.05)
        group.cancel_scope.cancel()
    assert heartbeat.lag_s == pytest.approx(3.0)


async def test_a_stream_may_use_all_lanes_of_the_shards_it_reads() -> None:
    """A queue what its scaler may come up to."""
    meter = Meter("clicks -> f", "kinesis")
    meter.counts.pollers = 3
    stream = MappingView(mapping=stream_mapping(ParallelizationFactor=2), state=State.ENABLED, meter=meter)
    queue = MappingView(
        mapping=queue_mapping(ScalingConfig={"MaximumConcurrency": 7}), state=State.ENABLED, meter=meter
    )

    assert (stream.concurrency_limit, queue.concurrency_limit) == (6, 7)
