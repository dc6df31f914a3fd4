"""The files of keys and tokens: what they must be, who may read them, and that they are never shown."""

import io
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from mappings.access_keys import read_access_keys
from mappings.auth import Authenticator, Open, ReceivedRequest
from mappings.bearer import BearerToken
from mappings.errors import (
    InvalidSecretFile,
    InvalidSignatureException,
    MappingError,
    MissingAuthenticationTokenException,
    UnrecognizedClientException,
)
from mappings.schemes import EitherScheme, make_authenticator
from mappings.sigv4 import SigV4
from tests.mappings.signing import NOW, READER, WRITER, entry, keys_file, signed, token_file, with_headers

TOKEN = "0123456789abcdef" * 4
CANARY = "CANARYsecretCANARYsecretCANARYsecret0123"


def bearer(value: str, method: str = "POST") -> ReceivedRequest:
    return ReceivedRequest(method=method, target="/", headers=(("Authorization", value),))


# ----- keys


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], "must hold a list of keys"),
        ({}, "must hold a list of keys"),
        ("", "line 1, column 1: not readable as YAML or JSON"),
        ("[", "line 1, column 2: not readable as YAML or JSON"),
        (["x"], "key [0]: it must have exactly access_key_id, secret_access_key, role"),
        ([{**entry(WRITER, "read-only"), "extra": 1}], "key [0]: it must have exactly"),
        ([{"access_key_id": "AKIA", "secret_access_key": "x" * 40}], "key [0]: it must have exactly"),
        ([entry(WRITER, "admin")], "key [0]: role must be read-write or read-only"),
        ([entry((WRITER[0], "short"), "read-only")], "secret_access_key must be a string of 32 to 256"),
        ([{**entry(WRITER, "read-only"), "access_key_id": 12345}], "access_key_id must be a string"),
        ([entry(("a/b", WRITER[1]), "read-only")], "access_key_id must be a string"),
        ([entry(WRITER, "read-only"), entry(WRITER, "read-write")], "key [1]: access_key_id is that of"),
    ],
)
def test_a_file_of_keys_that_cannot_be_used_is_refused(tmp_path: Path, entries: Any, expected: str) -> None:
    """With the file, the place and the rule."""
    path = keys_file(tmp_path, entries)

    with pytest.raises(InvalidSecretFile) as raised:
        SigV4(path)

    assert str(raised.value).startswith(str(path))
    assert expected in str(raised.value)


def test_keys_may_be_written_in_yaml(tmp_path: Path) -> None:
    """As the documentation shows it."""
    path = tmp_path / "keys.yaml"
    path.write_text(
        "- access_key_id: AKIAEXAMPLE\n"
        '  secret_access_key: "0123456789012345678901234567890123456789"\n'
        "  role: read-write  # or read-only\n"
    )

    assert list(read_access_keys(path).by_id) == ["AKIAEXAMPLE"]


# ----- tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "at least 32 characters"),
        ("short", "at least 32 characters"),
        ("0123456789abcdef" * 2 + " 0123456789abcdef", "at least 32 characters"),
        (f"{TOKEN}\n{TOKEN}", "one token"),
        ("x" * 5000, "one token"),
        ("é" * 40, "one token"),
        ("abc" * 20, "can be guessed"),
    ],
)
def test_a_token_that_is_weak_or_no_token_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """The sentence says how to make one."""
    with pytest.raises(InvalidSecretFile, match="openssl rand -hex 32") as raised:
        BearerToken(token_file(tmp_path, text))

    assert expected in str(raised.value)


@pytest.mark.parametrize("given", [f"Bearer {TOKEN}", f"bearer  {TOKEN}"])
def test_who_shows_the_token_may_read_and_write(tmp_path: Path, given: str) -> None:
    """A newline at the end of the file is not part of it."""
    caller = BearerToken(token_file(tmp_path, f"{TOKEN}\n")).authenticate(bearer(given), now=NOW)

    assert (caller.read_only, caller.region, caller.id.startswith("token-")) == (False, None, True)


@pytest.mark.parametrize(
    "given", ["Bearer", "Bearer x", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "é"]
)
def test_another_token_is_refused(tmp_path: Path, given: str) -> None:
    """Whatever is wrong with it, the answer is the same."""
    with pytest.raises(UnrecognizedClientException) as raised:
        BearerToken(token_file(tmp_path, TOKEN)).authenticate(bearer(given), now=NOW)

    assert raised.value.status == 403
    assert raised.value.message == "The security token included in the request is invalid."


def test_no_token_is_told_apart(tmp_path: Path) -> None:
    """As AWS does."""
    request = ReceivedRequest(method="GET", target="/", headers=())

    with pytest.raises(MissingAuthenticationTokenException):
        BearerToken(token_file(tmp_path, TOKEN)).authenticate(request, now=NOW)


# ----- which of them


def test_what_is_given_decides_what_is_asked_for(tmp_path: Path) -> None:
    """Nothing, keys, a token, or either."""
    keys, token = keys_file(tmp_path), token_file(tmp_path, TOKEN)

    assert isinstance(make_authenticator(keys_file=None, token_file=None), Open)
    assert isinstance(make_authenticator(keys_file=keys, token_file=None), SigV4)
    assert isinstance(make_authenticator(keys_file=None, token_file=token), BearerToken)
    assert isinstance(make_authenticator(keys_file=keys, token_file=token), EitherScheme)


def test_with_both_the_header_names_the_scheme(tmp_path: Path) -> None:
    """Each is still checked by its own rules."""
    either = make_authenticator(keys_file=keys_file(tmp_path), token_file=token_file(tmp_path, TOKEN))

    assert either.authenticate(signed(), now=NOW).id.startswith("key-")
    assert either.authenticate(bearer(f"Bearer {TOKEN}"), now=NOW).id.startswith("token-")
    with pytest.raises(InvalidSignatureException):
        either.authenticate(signed(key=(WRITER[0], "x" * 40)), now=NOW)
    with pytest.raises(UnrecognizedClientException):
        either.authenticate(bearer("Bearer x"), now=NOW)
    with pytest.raises(MissingAuthenticationTokenException):
        either.authenticate(ReceivedRequest(method="GET", target="/", headers=()), now=NOW)


def test_without_authentication_the_region_is_taken_from_the_signature(tmp_path: Path) -> None:
    """Clients sign with whatever key they have; nothing is checked."""
    caller = Open().authenticate(signed(key=("any", "thing"), region="eu-west-1"), now=0.0)

    assert (caller.region, caller.read_only) == ("eu-west-1", False)
    assert Open().authenticate(bearer("x"), now=0.0).region is None


# ----- who may read the files

MAKERS: list[Callable[[Path, int], Authenticator]] = [
    lambda folder, mode: SigV4(keys_file(folder, mode=mode)),
    lambda folder, mode: BearerToken(token_file(folder, TOKEN, mode=mode)),
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o640, 0o660, 0o777])
def test_a_file_that_others_may_use_is_refused(
    tmp_path: Path, make: Callable[[Path, int], Authenticator], mode: int
) -> None:
    """With the file and the cure."""
    with pytest.raises(InvalidSecretFile, match="make it readable by its owner alone"):
        make(tmp_path, mode)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_the_owner_alone_is_accepted(
    tmp_path: Path, make: Callable[[Path, int], Authenticator], mode: int
) -> None:
    """Writable or not."""
    assert make(tmp_path, mode)


@pytest.mark.parametrize(("mode", "accepted"), [(0o440, True), (0o460, False), (0o444, False)])
def test_a_group_may_read_what_another_user_owns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, *, accepted: bool
) -> None:
    """So Kubernetes mounts a Secret for a process that is not root: root owns it, fsGroup reads it."""
    path = token_file(tmp_path, TOKEN, mode=mode)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)

    if accepted:
        assert BearerToken(path)
    else:
        with pytest.raises(InvalidSecretFile):
            BearerToken(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With its name."""
    for make in (SigV4, BearerToken):
        with pytest.raises(InvalidSecretFile, match=f"{tmp_path}/none cannot be read: No such file"):
            make(tmp_path / "none")


# ----- changes


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """A key that was taken out is refused at once, and one that was put in is let in."""
    keys = SigV4(keys_file(tmp_path, [entry(WRITER, "read-write")]))
    assert keys.authenticate(signed(), now=NOW)

    keys_file(tmp_path, [entry(READER, "read-only")])

    assert keys.authenticate(signed(key=READER), now=NOW)
    with pytest.raises(InvalidSignatureException):
        keys.authenticate(signed(), now=NOW)


def test_a_file_that_is_replaced_through_a_link_is_read_again(tmp_path: Path) -> None:
    """So Kubernetes changes a mounted Secret."""
    for name, token in (("one", TOKEN), ("two", TOKEN[::-1])):
        (tmp_path / name).mkdir()
        token_file(tmp_path / name, token)
    link = tmp_path / "current"
    link.symlink_to("one")
    scheme = BearerToken(link / "token")

    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(link)

    assert scheme.authenticate(bearer(f"Bearer {TOKEN[::-1]}"), now=NOW)
    with pytest.raises(UnrecognizedClientException):
        scheme.authenticate(bearer(f"Bearer {TOKEN}"), now=NOW)


@pytest.mark.parametrize("breaks", ["unlink", "nonsense", "mode"])
def test_a_change_that_cannot_be_used_leaves_the_keys_and_is_told_once(tmp_path: Path, breaks: str) -> None:
    """A file that is half written must not lock everyone out."""
    path = keys_file(tmp_path)
    keys = SigV4(path)
    match breaks:
        case "unlink":
            path.unlink()
        case "nonsense":
            path.write_text("nonsense")
        case _:
            path.chmod(0o644)

    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            assert keys.authenticate(signed(), now=NOW)

    assert [line["event"] for line in logs] == ["api_secrets_kept"]
    assert str(path) in logs[0]["problem"]


# ----- secrecy


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    """Neither of what holds secrets, nor of a request, whose headers and body are someone's."""
    keys = keys_file(tmp_path, [entry(("CANARYid", CANARY), "read-write")])
    token = token_file(tmp_path, CANARY)
    request = ReceivedRequest(
        method="POST", target=f"/{CANARY}", headers=(("Authorization", CANARY),), body=CANARY.encode()
    )
    caller = SigV4(keys).authenticate(signed(key=("CANARYid", CANARY)), now=NOW)
    either = make_authenticator(keys_file=keys, token_file=token)

    shown = [SigV4(keys), BearerToken(token), either, read_access_keys(keys), request, caller]

    assert not [text for text in map(repr, shown) if "CANARY" in text]
    assert not [value for value in vars(either).values() if "CANARY" in repr(value)]


@pytest.mark.parametrize(
    "text",
    [
        f"- access_key_id: {CANARY}\n  {CANARY}\n",
        f"- {CANARY}: 1\n  {CANARY}: 2\n",
        f"'{CANARY}",
        f"- !{CANARY} x",
        f"- &{CANARY} x",
        f"- access_key_id: {CANARY}!\n  secret_access_key: {CANARY}\n  role: {CANARY}\n",
        f"- access_key_id: ok_\n  secret_access_key: [{CANARY}]\n  role: {CANARY}\n",
        f"{CANARY}: {CANARY}",
    ],
)
def test_no_problem_with_a_file_quotes_it(tmp_path: Path, text: str) -> None:
    """Not the sentence, not what stands behind it in a traceback, and not the log of a change."""
    path = tmp_path / "keys.yaml"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(InvalidSecretFile) as raised:
        SigV4(path)
    shown = "".join(traceback.format_exception(raised.value, limit=0))

    assert "CANARY" not in shown
    assert raised.value.__cause__ is None


def test_no_refusal_quotes_the_request(tmp_path: Path) -> None:
    """What a stranger sends is not sent back."""
    either = make_authenticator(keys_file=keys_file(tmp_path), token_file=token_file(tmp_path, TOKEN))
    out = io.StringIO()
    for request in (
        bearer(f"Bearer {CANARY}"),
        bearer(CANARY),
        signed(key=("CANARYid", CANARY)),
        with_headers(signed(), ("Host", CANARY)),
        with_headers(signed(), ("X-Amz-Date", CANARY)),
        with_headers(signed(headers={"X-Amz-Content-Sha256": CANARY}), ("X-Note", CANARY)),
    ):
        with pytest.raises(MappingError) as raised:
            either.authenticate(request, now=NOW)
        traceback.print_exception(raised.value, limit=0, file=out)
        out.write(str(raised.value.body()))

    assert "CANARY" not in out.getvalue()
