"""Where the server listens, and where it must not."""

from pathlib import Path

import pytest
import structlog

from mappings import server as server_module
from mappings.addresses import Address, is_loopback, unsafe_bind
from mappings.auth import Open
from mappings.sigv4 import SigV4
from tests.mappings.raw_http import Echo, exchange, request, serving, until
from tests.mappings.signing import keys_file


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
