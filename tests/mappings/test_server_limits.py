"""What one client may take of the server: time, bytes and connections."""

import json
import time
from contextlib import AsyncExitStack

import anyio
import pytest

from mappings.answers import Answer
from tests.mappings.raw_http import Echo, Reply, Wire, connected, exchange, limits, request, serving, until

SOON = limits(read_s=0.3)
# What a busy machine may add to a deadline; whoever drips would need 20 s.
SLACK_S = 6.0
KIB = 1024


async def drip(wire: Wire, data: bytes, pause_s: float = 0.02) -> None:
    """Send byte after byte until the server has had enough."""
    try:
        for at in range(len(data)):
            await wire.send(data[at : at + 1])
            await anyio.sleep(pause_s)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return


async def dripped(wire: Wire, data: bytes) -> tuple[Reply | None, float]:
    """Send byte after byte; return what the server says to that and when."""
    begun = time.monotonic()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drip, wire, data)
        reply = await wire.reply()
        assert reply is None or await wire.ended()
        taken = time.monotonic() - begun
        tasks.cancel_scope.cancel()
    return reply, taken


# ----- time


@pytest.mark.parametrize(
    "data",
    [
        request(headers=[("X-Slow", "a" * 1000)]),
        b"\r\n" * 1000,
        b"GET /" + b"a" * 1000,
        request("POST", "/x", b" " * 1000),
        request("POST", "/x", None, [("Transfer-Encoding", "chunked")]) + b"1\r\n \r\n" * 1000,
    ],
    ids=["headers", "blank lines", "path", "body", "chunks"],
)
async def test_a_request_that_comes_byte_by_byte_is_cut_at_the_deadline(data: bytes) -> None:
    """Each byte is not a new lease of time: the deadline is that of the whole request."""
    head = data[: data.find(b"\r\n\r\n") + 4] if data.startswith(b"POST") else b""
    echo = Echo()
    async with serving(echo, limits=SOON) as server, connected(server) as wire:
        if head:
            await wire.send(head)
        reply, taken = await dripped(wire, data[len(head) :])

    assert reply is not None
    assert (reply.status, reply.code) == (408, "RequestTimeoutException")
    assert 0.2 < taken < 0.3 + SLACK_S
    assert echo.seen == []


async def test_a_connection_that_says_nothing_is_closed_at_the_deadline() -> None:
    """It holds a place that others may need."""
    begun = time.monotonic()
    async with serving(Echo(), limits=SOON) as server, connected(server) as wire:
        reply = await wire.reply()
        assert await wire.ended()

    assert reply is not None
    assert reply.status == 408
    assert time.monotonic() - begun < 0.3 + SLACK_S


async def test_the_next_request_of_a_connection_has_a_deadline_of_its_own() -> None:
    """It starts with the first byte, not with the connection."""
    async with serving(Echo(), limits=SOON) as server, connected(server) as wire:
        await wire.send(request())
        assert await wire.reply()
        await anyio.sleep(0.4)  # idle for longer than a request may take
        await wire.send(request())
        second = await wire.reply()
        third, taken = await dripped(wire, request(headers=[("X-Slow", "a" * 1000)]))

    assert second is not None
    assert third is not None
    assert (second.status, third.status) == (200, 408)
    assert taken < 0.3 + SLACK_S


async def test_an_idle_connection_is_closed_in_the_end() -> None:
    """Without a word: nothing was asked."""
    async with serving(Echo(), limits=limits(idle_s=0.2)) as server, connected(server) as wire:
        await wire.send(request())
        assert await wire.reply()
        with anyio.fail_after(0.2 + SLACK_S):
            assert await wire.ended()


async def test_the_handler_may_take_longer_than_a_request() -> None:
    """Invoke answers when the function does."""
    echo = Echo(gate=anyio.Event())
    async with serving(echo, limits=SOON) as server, connected(server) as wire:
        await wire.send(request("POST", "/x", b"{}"))
        await until(lambda: echo.running == 1)
        await anyio.sleep(0.6)
        assert echo.gate is not None
        echo.gate.set()
        reply = await wire.reply()

    assert reply is not None
    assert reply.status == 200


async def test_a_client_that_does_not_take_its_answer_is_dropped() -> None:
    """A slow reader must not hold its place for ever."""
    echo = Echo(answer=Answer(status=200, body=bytes(64 * KIB * KIB)))
    async with serving(echo, limits=limits(write_s=0.3)) as server, connected(server) as wire:
        await wire.send(request())
        connections = server._connections
        assert connections is not None
        await until(lambda: len(echo.seen) == 1)
        await until(lambda: len(connections) == 0)


async def test_closing_waits_for_what_is_being_answered() -> None:
    """And no longer than it was told."""
    echo = Echo(gate=anyio.Event())
    async with serving(echo) as server, connected(server) as wire, connected(server) as stuck:
        await wire.send(request())
        await until(lambda: echo.running == 1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.close)
            await anyio.sleep(0.05)
            assert echo.gate is not None
            echo.gate.set()
            reply = await wire.reply()
        assert reply is not None
        assert reply.status == 200
        assert await stuck.ended()


async def test_closing_cuts_what_takes_too_long() -> None:
    """A handler that never ends must not hold the process."""
    echo = Echo(gate=anyio.Event())
    async with serving(echo) as server, connected(server) as wire:
        await wire.send(request())
        await until(lambda: echo.running == 1)
        with anyio.fail_after(SLACK_S):
            await server.close(timeout_s=0.1)
        assert await wire.reply() is None


# ----- bytes


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(headers=[("X-Large", "a" * 15 * KIB)]), 200),
        (request(headers=[("X-Large", "a" * 16 * KIB)]), 413),
        (request(headers=[(f"X-{n}", "a" * 1000) for n in range(15)]), 200),
        (request(headers=[(f"X-{n}", "a" * 1000) for n in range(20)]), 413),
        (request(target="/" + "a" * 15 * KIB), 200),
        (request(target="/" + "a" * 17 * KIB), 413),
        (request(headers=[("X-Large", "a" * 5_000_000)]), 413),
        (b"a" * 5_000_000, 413),
        (b"\r\n" * 10 + request(headers=[(f"X-{n}", "a" * 1000) for n in range(20)]), 413),
        (request("POST", "/x", b"a" * 200 * KIB), 200),
    ],
)
async def test_the_head_of_a_request_is_limited_as_a_whole(data: bytes, status: int) -> None:
    """16 KiB for line and headers together; the body does not count."""
    async with serving(Echo()) as server, connected(server) as wire, anyio.create_task_group() as tasks:
        tasks.start_soon(try_to_send, wire, data)
        reply = await wire.reply()

    assert reply is not None
    assert reply.status == status
    assert reply.code == (None if status == 200 else "RequestEntityTooLargeException")


async def test_headers_in_small_pieces_are_counted_together() -> None:
    """However they are cut."""
    data = request(headers=[("X-Large", "a" * 17 * KIB)])
    async with serving(Echo()) as server, connected(server) as wire, anyio.create_task_group() as tasks:

        async def send() -> None:
            for at in range(0, len(data), 100):
                await try_to_send(wire, data[at : at + 100])

        tasks.start_soon(send)
        reply = await wire.reply()

    assert reply is not None
    assert reply.status == 413


async def test_a_body_that_follows_an_end_of_headers_in_pieces_does_not_count() -> None:
    """The blank line may be cut anywhere."""
    data = request("POST", "/x", b"a" * 200 * KIB)
    end = data.find(b"\r\n\r\n")
    for cut in range(end, end + 5):
        async with serving(Echo()) as server, connected(server) as wire:
            await wire.send(data[:cut])
            await anyio.sleep(0.02)
            await wire.send(data[cut:])
            reply = await wire.reply()
        assert reply is not None
        assert reply.status == 200


@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_may_have_256_kib(extra: int, *, chunked: bool) -> None:
    """To the byte, whether its length is said beforehand or not."""
    body = b"a" * (256 * KIB + extra)
    echo = Echo()
    data = request("POST", "/x", body)
    if chunked:
        head = request("POST", "/x", None, [("Transfer-Encoding", "chunked")])
        data = head + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    async with serving(echo) as server:
        reply = await exchange(server, data)

    assert (reply.status, reply.code) == ((413, "RequestTooLargeException") if extra else (200, None))
    assert [len(seen.body) for seen in echo.seen] == ([] if extra else [len(body)])


async def test_the_limit_of_a_body_depends_on_the_request() -> None:
    """Invoke takes 6 MiB."""

    def body_limit(method: str, target: str) -> int:
        return 6 * KIB * KIB if (method, target) == ("POST", "/invoke") else 10

    echo = Echo()
    async with serving(echo, body_limit=body_limit) as server:
        large = await exchange(server, request("POST", "/invoke", b"a" * 6 * KIB * KIB))
        small = await exchange(server, request("POST", "/other", b"a" * 11))

    assert (large.status, small.status) == (200, 413)
    assert json.loads(small.body)["message"] == "Request must be smaller than 10 bytes"


async def test_a_body_of_10_mb_is_refused_before_it_is_read() -> None:
    """Its length is enough; a client that sends on finds the answer, not a broken connection."""
    data = request("POST", "/x", b"a" * 10_000_000)
    head = len(data) - 10_000_000
    async with serving(Echo()) as server, connected(server) as wire:
        await wire.send(data[:head])
        await wire.send(data[head:])
        reply = await wire.reply()
        assert await wire.ended()
        early = await exchange(server, data[:head])

    assert reply is not None
    assert (reply.status, early.status) == (413, 413)
    assert reply.headers["connection"] == "close"


# ----- connections


async def test_a_connection_too_many_is_told_to_come_again() -> None:
    """429 with Retry-After, which SDKs heed, and no reset that would lose it."""
    echo = Echo(gate=anyio.Event())
    async with serving(echo, limits=limits(connections=3)) as server, AsyncExitStack() as stack:
        busy = [await stack.enter_async_context(connected(server)) for _ in range(3)]
        for wire in busy:
            await wire.send(request())
        await until(lambda: echo.running == 3)

        extra = await exchange(server, request("POST", "/x", b"a" * 2_000_000))
        assert echo.gate is not None
        echo.gate.set()
        replies = [await wire.reply() for wire in busy]
        later = await exchange(server, request())

    assert (extra.status, extra.code) == (429, "TooManyRequestsException")
    assert extra.headers["retry-after"] == "1"
    assert [reply.status for reply in replies if reply] == [200, 200, 200]
    assert later.status == 200


async def test_a_connection_far_too_many_is_dropped() -> None:
    """As many as are served are told; more would be told without end."""
    echo = Echo(gate=anyio.Event())
    async with serving(echo, limits=limits(connections=1)) as server, connected(server) as busy:
        await busy.send(request())
        await until(lambda: echo.running == 1)
        async with connected(server) as told, connected(server) as dropped:
            reply = await told.reply()
            assert await dropped.reply() is None
        assert echo.gate is not None
        echo.gate.set()

    assert reply is not None
    assert reply.status == 429


async def test_an_idle_connection_makes_room() -> None:
    """The one that has been idle for longest; pools keep more than they use."""
    two = limits(connections=2)
    async with (
        serving(Echo(), limits=two) as server,
        connected(server) as first,
        connected(server) as second,
    ):
        for wire in (first, second):
            await wire.send(request())
            assert await wire.reply()
        third = await exchange(server, request())
        assert await first.ended()
        await second.send(request())
        again = await second.reply()

    assert third.status == 200
    assert again is not None
    assert again.status == 200


async def test_a_crowd_is_served_within_its_limits() -> None:
    """More connections than places, all at once: each is answered or closed, and none is remembered."""
    answers: list[int | None] = []

    async with serving(Echo(), limits=limits(connections=4)) as server:

        async def ask() -> None:
            try:
                async with connected(server) as wire:
                    await wire.send(request())
                    reply = await wire.reply()
                    answers.append(reply.status if reply else None)
            except (anyio.BrokenResourceError, OSError):
                answers.append(None)

        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(ask)
        connections = server._connections
        assert connections is not None
        await until(lambda: len(connections) == 0)
        assert (await exchange(server, request())).status == 200

    assert len(answers) == 100
    assert set(answers) <= {200, 429, None}
    assert answers.count(200) >= 4


# ----- one after another


async def test_what_is_sent_before_the_answer_ends_the_connection() -> None:
    """A client that pipelines gets its first answer; nothing of the rest is kept or handled."""
    echo = Echo(gate=anyio.Event())
    async with serving(echo) as server, connected(server) as wire:
        await wire.send(request("POST", "/first", b"{}"))
        await until(lambda: echo.running == 1)
        for _ in range(10):
            await wire.send(request("POST", "/next", b"a" * 100_000))
        await anyio.sleep(0.05)
        assert echo.gate is not None
        echo.gate.set()
        first = await wire.reply()
        second = await wire.reply()

    assert first is not None
    assert first.status == 200
    assert second is None
    assert [seen.target for seen in echo.seen] == ["/first"]


async def test_requests_in_one_packet_are_handled_in_turn() -> None:
    """They have been read already; the handler never has two of one connection."""
    most = 0
    echo = Echo()

    async with serving(echo) as server, connected(server) as wire:
        await wire.send(b"".join(request("POST", f"/{n}", b"{}") for n in range(5)))
        for _ in range(5):
            reply = await wire.reply()
            if reply is None:
                break
            most = max(most, echo.running)
            assert reply.status == 200

    assert most <= 1
    assert [seen.target for seen in echo.seen] == [f"/{n}" for n in range(len(echo.seen))]


async def try_to_send(wire: Wire, data: bytes) -> None:
    try:
        await wire.send(data)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return
