"""The settings of the Lambda API: how they are read, and which of them contradict one another."""

from pathlib import Path

import pytest

from mappings.addresses import Address
from poller.errors import StartError
from poller.settings import Settings, read_settings


def read(**environ: str) -> Settings:
    return read_settings({}, environ)


def test_the_api_is_on_loopback_by_default() -> None:
    """Without authentication, and with nothing allowed that is not asked for."""
    settings = read()

    assert settings.api == Address(host="127.0.0.1", port=4577)
    assert (settings.api_keys_file, settings.api_token_file, settings.api_hosts) == (None, None, ())
    assert not any([settings.insecure_no_auth, settings.functions_only, settings.allow_removal])


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("off", None),
        ("127.0.0.1:0", Address(host="127.0.0.1", port=0)),
        ("[::1]:4577", Address(host="::1", port=4577)),
        ("localhost:80", Address(host="localhost", port=80)),
    ],
)
def test_an_address_or_off(text: str, address: Address | None) -> None:
    """By variable as by flag."""
    assert read(POLLER_API=text).api == address
    assert read_settings({"api": text}, {}).api == address


@pytest.mark.parametrize(
    "text", ["4577", ":4577", "localhost", "localhost:x", "::1:4577", "http://localhost:1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """With the flag or the variable, and an example."""
    with pytest.raises(StartError, match=r"POLLER_API: .* is not host:port, such as 127.0.0.1:4577"):
        read(POLLER_API=text)
    with pytest.raises(StartError, match="--api: "):
        read_settings({"api": text}, {})


def test_files_and_hosts_are_read() -> None:
    """Hosts are separated by commas."""
    settings = read(
        POLLER_API_KEYS_FILE="/run/keys.yaml",
        POLLER_API_TOKEN_FILE="/run/token",
        POLLER_API_HOSTS="poller, poller.default.svc,10.0.0.1,fd00::1",
    )

    assert (settings.api_keys_file, settings.api_token_file) == (Path("/run/keys.yaml"), Path("/run/token"))
    assert settings.api_hosts == ("poller", "poller.default.svc", "10.0.0.1", "fd00::1")


@pytest.mark.parametrize("text", ["poller:4577", "*", "*.example", "a,,b", "a b", "http://a", "[::1]", "a/b"])
def test_hosts_are_named_whole_and_without_ports(text: str) -> None:
    """A wildcard would look as if it were obeyed."""
    with pytest.raises(StartError, match=r"POLLER_API_HOSTS: .* is not the name of a host"):
        read(POLLER_API_HOSTS=text)


@pytest.mark.parametrize("name", ["insecure_no_auth", "functions_only", "allow_removal"])
def test_a_switch_is_true_or_false(name: str) -> None:
    """Nothing else, so that nobody switches on what they meant to switch off."""
    variable = f"POLLER_{name.upper()}"

    assert [getattr(read(**{variable: text}), name) for text in ("true", "1", "TRUE")] == [True] * 3
    assert [getattr(read(**{variable: text}), name) for text in ("false", "0")] == [False] * 2
    with pytest.raises(StartError, match=f"{variable}: 'no' is not one of true, 1, false, 0"):
        read(**{variable: "no"})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"POLLER_API_KEYS_FILE": "k"}, "POLLER_API_KEYS_FILE has no effect while --api is off"),
        ({"POLLER_API_TOKEN_FILE": "t"}, "POLLER_API_TOKEN_FILE has no effect while --api is off"),
        ({"POLLER_API_HOSTS": "h"}, "POLLER_API_HOSTS has no effect while --api is off"),
        ({"POLLER_INSECURE_NO_AUTH": "true"}, "POLLER_INSECURE_NO_AUTH has no effect while --api is off"),
    ],
)
def test_an_api_that_is_off_needs_no_settings(environ: dict[str, str], expected: str) -> None:
    """An option that is given is obeyed or refused."""
    with pytest.raises(StartError, match=expected):
        read_settings({"api": "off"}, environ)


@pytest.mark.parametrize("variable", ["POLLER_API_KEYS_FILE", "POLLER_API_TOKEN_FILE"])
def test_authentication_and_none_contradict_each_other(variable: str) -> None:
    """Nobody should have to guess which of them holds."""
    with pytest.raises(StartError, match=f"--insecure-no-auth contradicts {variable}"):
        read_settings({"insecure_no_auth": "true"}, {variable: "x"})


def test_a_switch_that_is_off_contradicts_nothing() -> None:
    """A chart may set every variable."""
    settings = read(POLLER_API="off", POLLER_INSECURE_NO_AUTH="false")

    assert settings.api is None
