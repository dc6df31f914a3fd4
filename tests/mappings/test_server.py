"""What a request must pass before it reaches the handler, and what it gets back."""

import json
import uuid
from pathlib import Path

import anyio
import pytest
import structlog

from mappings import server as server_module
from mappings.addresses import Address, is_loopback, unsafe_bind
from mappings.answers import Answer
from mappings.auth import Open
from mappings.errors import ResourceNotFoundException
from mappings.sigv4 import SigV4
from tests.mappings.raw_http import Echo, connected, exchange, limits, of, request, serving, until
from tests.mappings.signing import COLLECTION, HOST, NOW, READER, TAGS, keys_file, signed

JSON = ("Content-Type", "application/json")


async def test_the_handler_gets_what_was_received() -> None:
    """Target still encoded, headers in order and repeated, body as bytes."""
    echo = Echo(answer=Answer(status=202, body=b'{"a":1}', headers={"Content-Type": "application/json"}))
    async with serving(echo) as server:
        reply = await exchange(
            server, request("POST", f"{TAGS}?b=&a=%20", b"{}", [("X-A", "1"), ("X-A", "2")])
        )

    (seen,) = echo.seen
    assert (reply.status, reply.body) == (202, b'{"a":1}')
    assert (seen.method, seen.target, seen.body) == ("POST", f"{TAGS}?b=&a=%20", b"{}")
    assert seen.headers == (("Host", "localhost"), ("Content-Length", "2"), ("X-A", "1"), ("X-A", "2"))


async def test_every_answer_has_an_id_of_its_own() -> None:
    """Errors, too; and none says which server software answers."""
    async with serving(Echo()) as server:
        replies = [
            await exchange(server, data)
            for data in (request(), request(), request(host="evil"), b"nonsense\r\n\r\n")
        ]

    ids = {str(uuid.UUID(reply.headers["x-amzn-requestid"])) for reply in replies}
    assert len(ids) == 4
    assert {reply.headers["server"] for reply in replies} == {"esm-poller"}


async def test_one_connection_serves_one_request_after_another() -> None:
    """Pools of SDKs rely on it; what the handler refuses does not end a connection either."""
    echo = Echo()
    async with serving(echo) as server, connected(server) as wire:
        for target in ("/a", "/b", "/c"):
            await wire.send(request("POST", target, b"{}", [JSON]))
            reply = await wire.reply()
            assert reply is not None
            assert reply.status == 200
        echo.error = ResourceNotFoundException("no")
        for target in ("/d", "/e"):
            await wire.send(request("DELETE", target))
            reply = await wire.reply()
            assert reply is not None
            assert reply.status == 404

    assert [seen.target for seen in echo.seen] == ["/a", "/b", "/c", "/d", "/e"]


async def test_an_answer_without_a_body_is_one() -> None:
    """TagResource answers 204."""
    async with serving(Echo(answer=Answer(status=204))) as server, connected(server) as wire:
        await wire.send(request("POST", "/x", b"{}", [JSON]))
        first = await wire.reply()
        await wire.send(request())
        second = await wire.reply()

    assert first is not None
    assert second is not None
    assert (first.status, second.status) == (204, 204)


async def test_a_chunked_body_is_read_whole() -> None:
    """Clients that do not know the length send it so."""
    echo = Echo()
    data = (
        request("POST", "/x", None, [("Transfer-Encoding", "chunked"), JSON])
        + b"3\r\n{}\n\r\n1\r\n \r\n0\r\n\r\n"
    )
    async with serving(echo) as server:
        await exchange(server, data)

    assert echo.seen[0].body == b"{}\n "


async def test_a_client_that_waits_for_the_word_gets_it() -> None:
    """Curl asks before it sends a large body; the head was let in by then."""
    async with serving(Echo()) as server, connected(server) as wire:
        await wire.send(
            request("POST", "/x", b"", [("Expect", "100-continue"), JSON])[:-4].replace(b": 0", b": 2")
        )
        await wire.send(b"\r\n\r\n")
        first = await wire.reply()
        await wire.send(b"{}")
        second = await wire.reply()

    assert first is not None
    assert second is not None
    assert (first.status, second.status) == (100, 200)


# ----- web pages


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


# ----- who


async def test_only_who_signs_reaches_the_handler(tmp_path: Path) -> None:
    """The handler is told who it is."""
    echo = Echo()
    keys = SigV4(keys_file(tmp_path))
    async with serving(
        echo, keys, allowed_hosts=[HOST.split(":", maxsplit=1)[0]], clock=lambda: NOW
    ) as server:
        allowed = await exchange(server, of(signed("POST", COLLECTION, b"{}")))
        replayed = await exchange(server, of(signed("POST", COLLECTION, b"{}")))
        reader = await exchange(server, of(signed("POST", COLLECTION, b"{}", key=READER)))
        nobody = await exchange(server, request())

    assert allowed.status == 200
    assert (replayed.status, replayed.code) == (403, "InvalidSignatureException")
    assert (reader.status, reader.code) == (403, "AccessDeniedException")
    assert (nobody.status, nobody.code) == (403, "MissingAuthenticationTokenException")
    assert len(echo.seen) == 1
    assert echo.callers[0].region == "us-east-1"


async def test_each_caller_has_a_rate_of_its_own(tmp_path: Path) -> None:
    """429 with Retry-After, which SDKs heed; others go on."""
    keys = SigV4(keys_file(tmp_path))
    slow = limits(requests_per_second=0.001, burst=2)
    async with serving(Echo(), keys, limits=slow, clock=lambda: NOW) as server:
        replies = [await exchange(server, of(signed())) for _ in range(3)]
        other = await exchange(server, of(signed(key=READER)))

    assert [reply.status for reply in replies] == [200, 200, 429]
    assert replies[2].headers["retry-after"] == "1"
    assert json.loads(replies[2].body)["Reason"] == "CallerRateLimitExceeded"
    assert other.status == 200


async def test_those_who_are_refused_are_slowed_down_and_keep_nobody_out(tmp_path: Path) -> None:
    """They share one bucket, which no caller draws from."""
    keys = SigV4(keys_file(tmp_path))
    slow = limits(requests_per_second=0.001, burst=2)
    async with serving(Echo(), keys, limits=slow, clock=lambda: NOW) as server:
        refused = [(await exchange(server, request())).status for _ in range(3)]
        allowed = await exchange(server, of(signed()))

    assert refused == [403, 403, 429]
    assert allowed.status == 200


async def test_tokens_come_back_with_time() -> None:
    """A caller that was too fast is served again."""
    async with serving(Echo(), limits=limits(requests_per_second=50, burst=1)) as server:
        statuses = [(await exchange(server, request())).status]
        with anyio.fail_after(10):
            while statuses[-1] != 200 or len(statuses) < 3:
                statuses.append((await exchange(server, request())).status)

    assert statuses[0] == 200


# ----- errors of the handler


async def test_an_error_of_the_handler_is_the_answer() -> None:
    """In AWS's shape."""
    echo = Echo(error=ResourceNotFoundException("The resource you requested does not exist."))
    async with serving(echo) as server:
        reply = await exchange(server, request())

    assert (reply.status, reply.code) == (404, "ResourceNotFoundException")
    assert reply.headers["content-type"] == "application/json"
    assert json.loads(reply.body) == {
        "Type": "User",
        "Message": "The resource you requested does not exist.",
    }


@pytest.mark.parametrize(
    "error", [ValueError("CANARY"), ConnectionResetError("CANARY"), TimeoutError("CANARY")]
)
async def test_a_bug_is_an_answer_without_detail_and_a_log_line_without_the_request(error: Exception) -> None:
    """Kind and place are logged; the text of an exception may quote what was sent."""
    headers = [("X-Secret", "CANARY"), ("Authorization", "CANARY"), JSON]
    with structlog.testing.capture_logs() as logs:
        async with serving(Echo(error=error)) as server:
            reply = await exchange(server, request("POST", "/CANARY", b'"CANARY"', headers))

    assert (reply.status, reply.code) == (500, "ServiceException")
    assert json.loads(reply.body) == {"Type": "Service", "Message": "Internal failure"}
    assert [(line["event"], line["error"]) for line in logs] == [
        ("api_request_crashed", type(error).__name__)
    ]
    assert "Echo.__call__" in str(logs[0]["at"])
    assert "CANARY" not in str(logs)


async def test_a_client_that_goes_away_is_no_crash() -> None:
    """Neither in the middle of its body nor before its answer."""
    echo = Echo(gate=anyio.Event())
    with structlog.testing.capture_logs() as logs:
        async with serving(echo) as server:
            async with connected(server) as wire:
                await wire.send(request("POST", "/x", b"{}")[:-1])
            async with connected(server) as wire:
                await wire.send(request())
                await until(lambda: echo.running == 1)
            connections = server._connections
            assert connections is not None
            await until(lambda: len(connections) == 0)
            assert echo.gate is not None
            echo.gate.set()
            await until(lambda: echo.running == 0)
            assert (await exchange(server, request())).status == 200

    assert logs == []


async def test_nothing_of_a_request_is_logged_or_sent_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """At any level, whatever is wrong with it: aiohttp's own texts would quote it."""
    caplog.set_level(0)
    bodies = b""
    secret = [("Authorization", "AWS4-HMAC-SHA256 CANARY"), ("X-Amz-Security-Token", "CANARY")]
    with structlog.testing.capture_logs() as logs:
        async with serving(Echo(), SigV4(keys_file(tmp_path))) as server:
            for data in (
                request("POST", "/CANARY", b"CANARY", secret),
                request("POST", "/CANARY", b"CANARY", [*secret, ("Origin", "CANARY")]),
                request("POST", "/CANARY", b"CANARY", [*secret, ("Content-Type", "CANARY")]),
                request("POST", "/CANARY", None, [*secret, ("CANARY\x00", "CANARY\x01")]),
                request("CANARY", "/CANARY", None, secret),
                request("GET", "/" + "CANARY" * 5000),
                request(host="CANARY"),
            ):
                bodies += (await exchange(server, data)).body

    assert b"CANARY" not in bodies
    assert "CANARY" not in str(logs) + caplog.text + "".join(capfd.readouterr())


# ----- where it listens


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("169.254.1.1", False),
        ("::ffff:127.0.0.1", False),
        ("localhost.example", False),
        ("poller", False),
        ("127.1", False),
    ],
)
def test_an_address_that_others_reach_needs_authentication(
    tmp_path: Path, host: str, *, loopback: bool
) -> None:
    """The sentence names the ways out; what is not surely loopback counts as reached."""
    keys = SigV4(keys_file(tmp_path))

    assert is_loopback(host) is loopback
    refused = unsafe_bind(host, Open(), insecure_no_auth=False)
    assert (refused is None) is loopback
    assert unsafe_bind(host, keys, insecure_no_auth=False) is None
    assert unsafe_bind(host, Open(), insecure_no_auth=True) is None
    if refused is not None:
        assert host in refused
        assert all(flag in refused for flag in ("--api-keys-file", "--api-token-file", "--insecure-no-auth"))


async def test_listening_openly_is_told_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every minute, so that it is in any part of the log that someone reads."""
    monkeypatch.setattr(server_module, "WARN_EVERY_S", 0.01)
    # Loopback, spelled so that it is not known to be.
    with structlog.testing.capture_logs() as logs:
        async with serving(Echo(), address=Address(host="127.1", port=0)):
            await until(lambda: len(logs) >= 3)
        count = len(logs)

    assert {line["event"] for line in logs} == {"api_without_authentication"}
    assert logs[0]["log_level"] == "warning"
    assert len(logs) == count


async def test_it_listens_on_ipv6_loopback() -> None:
    """The address names the port that the system has chosen."""
    async with serving(Echo(), address=Address(host="::1", port=0)) as server:
        assert (await exchange(server, request(host=str(server.address)))).status == 200
        assert str(server.address).startswith("[::1]:")


async def test_an_address_in_use_is_an_error() -> None:
    """Nothing is started twice in silence."""
    async with serving(Echo()) as server:
        with pytest.raises(OSError, match="in use"):
            async with serving(Echo(), address=server.address):
                pass


@pytest.mark.parametrize("text", ["127.0.0.1:4577", "[::1]:0", "localhost:1", "poller.example:65535"])
def test_an_address_is_written_as_it_is_read(text: str) -> None:
    """IPv6 in brackets."""
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "4577", ":4577", "127.0.0.1", "::1:4577", "h:65536", "h:x", "a b:1", "h:-1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """The host must be said, so that nobody listens everywhere by accident."""
    with pytest.raises(ValueError, match="not host:port"):
        Address.parse(text)
