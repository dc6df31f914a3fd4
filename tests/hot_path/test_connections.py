"""Exchanges over pooled connections: what is reused, what is an answer, and what it means to have none."""

import asyncio
import socket
import ssl

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)

from poller.hot_path.connections import Connections
from tests.hot_path.talking import OK, Speak, ask, pool, saying, talking


async def test_a_connection_is_used_again() -> None:
    """One after the other over the same one."""
    async with talking(saying(OK)) as talk, pool(talk) as connections:
        for _ in range(3):
            assert (await ask(connections)).body == b"{}"

    assert (talk.connections, len(talk.bodies)) == (1, 3)


async def test_exchanges_at_the_same_time_have_a_connection_each() -> None:
    """No answer waits behind another's."""
    arrived = asyncio.Event()

    async def speak(writer: asyncio.StreamWriter, number: int) -> None:
        if number == 2:
            arrived.set()
        await arrived.wait()
        writer.write(OK)

    async with talking(speak) as talk, pool(talk) as connections:
        await asyncio.gather(ask(connections), ask(connections))

    assert talk.connections == 2


async def test_a_connection_that_the_server_wants_closed_is_not_used_again() -> None:
    """It said so in its answer."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    async with talking(saying(answer)) as talk, pool(talk) as connections:
        await ask(connections)
        await ask(connections)

        assert talk.connections == 2


async def test_a_connection_that_was_closed_while_idle_is_replaced() -> None:
    """A keep-alive connection that is stale costs nothing but another."""
    async with talking(saying(OK, close=True)) as talk, pool(talk) as connections:
        await ask(connections)
        async with asyncio.timeout(5):
            while connections._idle[0].reusable:  # noqa: ASYNC110  # it is the loop that tells it
                await asyncio.sleep(0)
        await ask(connections)

    assert (talk.connections, len(talk.bodies)) == (2, 2)


async def test_a_connection_that_was_idle_for_long_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the server, or a gateway in between, forgets it."""
    monkeypatch.setattr("poller.hot_path.connections.IDLE_S", 0.0)
    async with talking(saying(OK)) as talk, pool(talk) as connections:
        await ask(connections)
        await ask(connections)

        assert talk.connections == 2


async def test_a_request_that_was_written_is_never_sent_again() -> None:
    """The server closed without a word: whether it did what was asked is unknown (faults 62, 63)."""

    async def speak(writer: asyncio.StreamWriter, number: int) -> None:
        if number == 1:
            writer.write(OK)
        else:
            writer.close()

    async with talking(speak) as talk, pool(talk) as connections:
        await ask(connections)
        with pytest.raises(ConnectionClosedError):
            await ask(connections)

    assert len(talk.bodies) == 2


@pytest.mark.parametrize(
    "speak",
    [
        saying(b"HTTP/1.1 200 OK\r\nConte", b"nt-Length: 6\r\n\r\nab", b"cd", b"ef"),
        saying(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", b"4\r\ncdef\r\n0\r\n\r\n"
        ),
        saying(b"HTTP/1.1 200 OK\r\n\r\nabc", b"def", close=True),
        saying(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef"),
    ],
    ids=["length", "chunked", "until the end", "after an interim answer"],
)
async def test_a_whole_answer_is_read(speak: Speak) -> None:
    """However its end is told, and in whatever pieces it comes."""
    async with talking(speak) as talk, pool(talk) as connections:
        answer = await ask(connections)

    assert (answer.status, answer.body) == (200, b"abcdef")


@pytest.mark.parametrize(
    "speak",
    [
        saying(close=True),
        saying(b"HTTP/1.1 200 OK\r\nConte", close=True),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc", close=True),
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabc", close=True),
    ],
    ids=["nothing", "half a head", "short of its length", "a chunk cut off"],
)
async def test_half_an_answer_is_none(speak: Speak) -> None:
    """What was cut off is not taken for what there was (faults 64)."""
    async with talking(speak) as talk, pool(talk) as connections:
        with pytest.raises(ConnectionClosedError):
            await ask(connections)


async def test_what_is_no_http_is_no_answer() -> None:
    """Something else listens there."""
    async with talking(saying(b"220 mail.example ESMTP\r\n")) as talk, pool(talk) as connections:
        with pytest.raises(HTTPClientError):
            await ask(connections)
        await talk.until_ended(1)


async def test_an_answer_beyond_the_limit_is_read_no_further() -> None:
    """The connection is given up (faults 66)."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + b"x" * 3000
    async with talking(saying(answer)) as talk, pool(talk) as connections:
        with pytest.raises(HTTPClientError, match="more than 1000 bytes"):
            await ask(connections, limit_bytes=1000)
        await talk.until_ended(1)


async def test_an_answer_that_nobody_asked_for_is_given_to_nobody() -> None:
    """A second answer to one request must not become the answer to the next."""
    stray = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"
    answers = iter((saying(OK + stray), saying(OK)))

    async def speak(writer: asyncio.StreamWriter, number: int) -> None:
        await next(answers)(writer, number)

    async with talking(speak) as talk, pool(talk) as connections:
        bodies = [(await ask(connections)).body for _ in range(2)]

    assert bodies == [b"{}", b"{}"]
    assert talk.connections == 2


async def test_an_answer_that_does_not_begin_is_waited_for_so_long() -> None:
    """Then the connection is given up."""
    async with talking(saying()) as talk, pool(talk) as connections:
        with pytest.raises(ReadTimeoutError):
            await ask(connections, wait_s=0.1)
        await talk.until_ended(1)


async def test_an_answer_that_only_drips_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole has a limit, not only each piece (faults 67)."""
    monkeypatch.setattr("poller.hot_path.connection.BODY_TIMEOUT_S", 0.2)
    drops = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", *[b"x"] * 100_000)
    async with talking(drops) as talk, pool(talk) as connections:
        with pytest.raises(ReadTimeoutError):
            await ask(connections, wait_s=5.0)


async def test_an_exchange_that_is_abandoned_closes_its_connection() -> None:
    """Its answer must not meet the next request."""
    async with talking(saying()) as talk, pool(talk) as connections:
        exchange = asyncio.create_task(ask(connections))
        await talk.until_heard(1)
        exchange.cancel()
        with pytest.raises(asyncio.CancelledError):
            await exchange
        await talk.until_ended(1)


async def test_a_large_request_arrives_whole() -> None:
    """As large as an event may be."""
    body = bytes(range(256)) * 24_000
    async with talking(saying(OK)) as talk, pool(talk) as connections:
        await ask(connections, body)

    assert talk.bodies == [body]


async def test_nobody_there_is_told_from_no_answer() -> None:
    """Nothing was sent, so nothing was done."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    connections = Connections.to(f"http://127.0.0.1:{port}", tls=None, connect_timeout_s=1.0)

    with pytest.raises(EndpointConnectionError):
        await ask(connections)


async def test_a_handshake_that_does_not_end_is_waited_for_so_long() -> None:
    """Name, connection and TLS have one limit together; nothing was sent."""
    ended = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        ended.set()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    tls = ssl.create_default_context()
    connections = Connections.to(f"https://127.0.0.1:{port}", tls=tls, connect_timeout_s=0.1)

    with pytest.raises(ConnectTimeoutError):
        await ask(connections)

    async with asyncio.timeout(5):
        await ended.wait()
    server.close()
