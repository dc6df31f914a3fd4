"""Which authentication the API asks for, by what it was given to check against."""

from pathlib import Path

from mappings.auth import AUTHORIZATION, Authenticator, Caller, Open, ReceivedRequest
from mappings.bearer import BearerToken
from mappings.sigv4 import SigV4


class EitherScheme:
    """Takes a signature or a token, whichever the Authorization header names."""

    def __init__(self, *, signature: SigV4, token: BearerToken) -> None:
        self._signature = signature
        self._token = token

    def authenticate(self, request: ReceivedRequest, *, now: float) -> Caller:
        """Return the caller, or raise what the scheme in question raises."""
        given = request.values(AUTHORIZATION)
        named = bool(given) and given[0].partition(" ")[0].lower() == "bearer"
        scheme: Authenticator = self._token if named else self._signature
        return scheme.authenticate(request, now=now)


def make_authenticator(*, keys_file: Path | None, token_file: Path | None) -> Authenticator:
    """Read the files that are given; raise InvalidSecretFile where one cannot be used."""
    signature = SigV4(keys_file) if keys_file else None
    token = BearerToken(token_file) if token_file else None
    if signature and token:
        return EitherScheme(signature=signature, token=token)
    return signature or token or Open()
