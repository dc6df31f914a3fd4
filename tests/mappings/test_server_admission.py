"""Which requests are kept out before anybody asks who sends them: those of web pages, and no HTTP."""

import json

import pytest

from tests.mappings.raw_http import Echo, connected, exchange, request, serving

JSON = ("Content-Type", "application/json")


@pytest.mark.parametrize(
    ("host", "accepted"),
    [
        ("localhost", True),
        ("LocalHost:4577", True),
        ("127.0.0.1:1", True),
        ("[::1]:4577", True),
        ("[0:0:0:0:0:0:0:1]", True),
        ("poller.example", True),
        ("poller.example:80", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("localhost.", False),
        ("localhost:80:80", False),
        ("user@localhost", False),
        ("localhost, evil", False),
        ("169.254.169.254", False),
        ("", False),
        ("[::1", False),
    ],
)
async def test_only_known_hosts_are_served(host: str, *, accepted: bool) -> None:
    """A page whose own name resolves to loopback sends that name; the port does not matter."""
    echo = Echo()
    async with serving(echo, allowed_hosts=["Poller.example"]) as server:
        reply = await exchange(server, request(host=host))

    assert (reply.status, reply.code) == ((200, None) if accepted else (403, "AccessDeniedException"))
    assert len(echo.seen) == accepted


async def test_a_request_without_a_host_is_refused() -> None:
    """HTTP/1.1 demands one; of older clients we do."""
    async with serving(Echo()) as server:
        newer = await exchange(server, request(host=None))
        older = await exchange(server, b"GET / HTTP/1.0\r\n\r\n")
        oldest = await exchange(server, b"GET /\r\n\r\n")

    assert (newer.status, older.status, oldest.status) == (400, 403, 403)


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (("Origin", "http://evil.example"), False),
        (("Origin", "null"), False),
        (("Origin", "http://localhost:4577"), False),
        (("Sec-Fetch-Site", "cross-site"), False),
        (("Sec-Fetch-Site", "same-site"), False),
        (("Sec-Fetch-Site", "none"), True),
        (("Referer", "http://x"), True),
    ],
)
async def test_web_pages_are_refused(header: tuple[str, str], *, accepted: bool) -> None:
    """Whichever page it is: no page belongs to the API."""
    async with serving(Echo()) as server:
        reply = await exchange(server, request("POST", "/x", b"{}", [header, JSON]))

    assert reply.status == (200 if accepted else 403)


@pytest.mark.parametrize(
    ("media_type", "accepted"),
    [
        (None, True),
        ("application/json", True),
        ("Application/JSON; charset=UTF-8", True),
        ("application/x-amz-json-1.0", True),
        ("application/x-amz-json-1.1", True),
        ("application/octet-stream", True),
        ("binary/octet-stream", True),
        ("text/plain", False),
        ("text/plain;application/json", False),
        ("application/x-www-form-urlencoded", False),
        ("multipart/form-data; boundary=x", False),
        ("", False),
    ],
)
async def test_a_body_must_be_json_where_it_says_what_it_is(
    media_type: str | None, *, accepted: bool
) -> None:
    """What a form or a script can send to another site is refused; botocore names no type at all."""
    headers = [("Content-Type", media_type)] if media_type is not None else []
    async with serving(Echo()) as server:
        with_body = await exchange(server, request("POST", "/x", b"{}", headers))
        without = await exchange(server, request("POST", "/x", None, headers))

    expected = (200, None) if accepted else (415, "UnsupportedMediaTypeException")
    assert (with_body.status, with_body.code) == expected
    assert without.status == 200


@pytest.mark.parametrize(
    "data",
    [
        request("CONNECT", "localhost:80"),
        request("TRACE", "/"),
        request("GET", "http://localhost/x"),
        request("OPTIONS", "*"),
        request("GET", "/x#y"),
        request("GET", "/ä"),
        request("BREW", "/x"),
        b"GET /x HTTP/1.1\nHost: localhost\n\n",
        request(headers=[("Transfer-Encoding", "gzip, chunked"), ("Content-Length", "3")]),
        request("POST", "/x", b"{}", [("Content-Length", "3")]),
        request(headers=[("Host", "localhost")]),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
async def test_what_is_not_spoken_here_is_refused(data: bytes) -> None:
    """400 in AWS's shape, and the connection ends."""
    echo = Echo()
    async with serving(echo) as server, connected(server) as wire:
        await wire.send(data)
        reply = await wire.reply()
        assert await wire.ended()

    assert reply is not None
    assert (reply.status, reply.code) == (400, "MalformedHttpRequestException")
    assert "message" in json.loads(reply.body)
    assert echo.seen == []


async def test_an_upgrade_is_not_taken_up() -> None:
    """The request is answered as it is."""
    headers = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    async with serving(Echo()) as server:
        assert (await exchange(server, request(headers=headers))).status == 200
