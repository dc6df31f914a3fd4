"""A bearer token: one secret that a caller shows with each request."""

import hashlib
import hmac
import re
from pathlib import Path

from mappings.auth import AUTHORIZATION, Caller, ReceivedRequest, caller_id
from mappings.errors import (
    InvalidSecretFile,
    MissingAuthenticationTokenException,
    UnrecognizedClientException,
)
from mappings.secret_files import SecretFile

# `openssl rand -hex 32` gives 256 bits in 64 characters; what is shorter, or hardly varies, was not drawn so.
SHORTEST_TOKEN = 32
FEWEST_CHARACTERS = 10
_LONGEST_TOKEN = 4096
_CHARACTERS = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750, b64token
_SHOWN = re.compile(r"bearer +(?P<token>[A-Za-z0-9._~+/=-]+)", re.IGNORECASE)


class BearerToken:
    """Lets in whoever shows the token of a file; such a caller may read and write."""

    def __init__(self, path: Path) -> None:
        """Read the file; raise InvalidSecretFile where it cannot be used."""
        self._file = SecretFile(path, read_token)

    def __repr__(self) -> str:
        """Show where the token is, not what it is."""
        return f"BearerToken({self._file!r})"

    def authenticate(self, request: ReceivedRequest, *, now: float) -> Caller:  # noqa: ARG002 - the seam's
        """Return the caller; a token that is wrong in whatever way gives one and the same answer."""
        given = request.values(AUTHORIZATION)
        if not given:
            raise MissingAuthenticationTokenException("Missing Authentication Token")
        token = self._file.current()
        found = _SHOWN.fullmatch(given[0])
        shown = found["token"] if found and len(given) == 1 else ""
        if not hmac.compare_digest(_digest(shown), _digest(token)):
            raise UnrecognizedClientException("The security token included in the request is invalid.")
        return Caller(id=caller_id(token, "token"), region=None, read_only=False)


def read_token(path: Path) -> str:
    """Return the token that a file holds on its only line."""
    try:
        with path.open("rb") as file:
            token = file.read(_LONGEST_TOKEN + 1).decode("ascii").strip()
    except OSError as error:
        raise InvalidSecretFile(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        token = ""
    if not _CHARACTERS.fullmatch(token) or not SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN:
        raise InvalidSecretFile(
            f"{path} must hold one token of at least {SHORTEST_TOKEN} characters out of "
            "A-Z a-z 0-9 . _ ~ + / = - (openssl rand -hex 32)"
        )
    if len(set(token)) < FEWEST_CHARACTERS:
        raise InvalidSecretFile(f"{path} holds a token that can be guessed (use openssl rand -hex 32)")
    return token


def _digest(token: str) -> bytes:
    # Of equal length, so that the comparison tells nothing of the token's own.
    return hashlib.sha256(token.encode()).digest()
