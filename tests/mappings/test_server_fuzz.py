"""Malformed requests by the thousand: each is refused or served, none is an error of the server's."""

import random
from collections import Counter

import anyio
import structlog

from tests.mappings.raw_http import Echo, connected, exchange, limits, request, serving
from tests.mappings.signing import COLLECTION, TAGS, UUID

COUNT = 4_000
AT_ONCE = 60
SEED = 130
ODD = [
    b"\x00", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b"\xff\xfe", b"\xc3(", b"\xed\xa0\x80",
    b"%", b"%00", b"%zz", b"#", b"?", b"../", b"//", b"{", b"\\", b'"', b"\x1b[2J", b"\xe2\x80\xae",
    b"Content-Length: -1\r\n", b"Content-Length: 99999999999999999999\r\n", b"Content-Length: 5, 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n", b"Content-Encoding: gzip\r\n",
    b"Expect: 100-continue\r\n", b"Expect: 200-ok\r\n", b"Upgrade: websocket\r\nConnection: upgrade\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive, close\r\n", b"Host: a\r\n", b"Host:\r\n",
    b" folded\r\n", b"Authorization: Bearer \xff\r\n", b"Sec-WebSocket-Key1: x\r\n",
    b"X: " + b"a" * 20_000 + b"\r\n",
    b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\n", b"0;a=b\r\nX: y\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00",
]  # fmt: skip
VALID = [
    request("GET", f"{COLLECTION}?Marker=a%20b&MaxItems=1"),
    request("POST", COLLECTION, b'{"FunctionName": "audit"}', [("Content-Type", "application/json")]),
    request("PUT", f"{COLLECTION}/{UUID}", b'{"Enabled": false}'),
    request("DELETE", f"{TAGS}?tagKeys=a&tagKeys=b"),
    request("POST", TAGS, None, [("Transfer-Encoding", "chunked")]) + b"2\r\n{}\r\n0\r\n\r\n",
]


def malformed(chance: random.Random) -> bytes:
    """Break one or two valid requests in one to four places, or send noise."""
    if chance.random() < 0.05:
        return chance.randbytes(chance.randrange(1, 2_000))
    data = bytearray(b"".join(chance.choices(VALID, k=chance.choice([1, 1, 1, 2]))))
    for _ in range(chance.randrange(1, 5)):
        at, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        match chance.randrange(6):
            case 0:
                data[at : at + 1] = chance.randbytes(1)
            case 1:
                del data[at : min(end, at + 10)]
            case 2:
                data[at:at] = chance.choice(ODD)
            case 3:
                line = data.find(b"\r\n", at) + 2
                data[line:line] = chance.choice(ODD)
            case 4:
                data[at:at] = data[at : min(end, at + 40)]
            case _:
                del data[max(at, 1) :]
    return bytes(data)


async def test_malformed_requests_are_no_error_of_the_server() -> None:
    """No 5xx, no crash in the log, and requests that are well-formed go on being served."""
    chance = random.Random(SEED)
    statuses: Counter[int | None] = Counter()
    inputs = [malformed(chance) for _ in range(COUNT)]
    quick = limits(read_s=0.1, idle_s=0.2, requests_per_second=1e6, burst=1_000_000)
    with structlog.testing.capture_logs() as logs:
        async with serving(Echo(), limits=quick) as server:

            async def send_some() -> None:
                while inputs:
                    data = inputs.pop()
                    try:
                        async with connected(server) as wire:
                            await wire.send(data)
                            reply = await wire.reply()
                            while reply is not None:
                                statuses[reply.status] += 1
                                reply = await wire.reply()
                    except OSError:
                        statuses[None] += 1

            with anyio.fail_after(60):
                async with anyio.create_task_group() as tasks:
                    for _ in range(AT_ONCE):
                        tasks.start_soon(send_some)
            assert (await exchange(server, request())).status == 200
            assert (await exchange(server, request("POST", "/x", b"{}"))).status == 200

    assert not [status for status in statuses if status and status >= 500], statuses
    assert logs == []
    # It has been through the parser, the limits and the handler.
    assert min(statuses[status] for status in (200, 400, 403, 408, 413)) > COUNT / 200, statuses
