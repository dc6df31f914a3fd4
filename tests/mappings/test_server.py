"""What a request must pass before it reaches the handler, and what it gets back."""

import json
import uuid
from pathlib import Path

import anyio
import pytest
import structlog

from mappings.answers import Answer
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
