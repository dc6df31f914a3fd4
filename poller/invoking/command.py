"""`poller invoke`: one request to the API of a running poller, and what is printed of its answer."""

import base64
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from mappings.addresses import Address
from mappings.bearer import read_token
from mappings.errors import InvalidSecretFile
from mappings.function_options import MAXIMUM_TIMEOUT_S
from mappings.home import DEFAULT_REGION
from poller.errors import StartError
from poller.keepalive import KEPT_ALIVE
from poller.settings import Settings

# The longest run of a function, and some for the network.
READ_TIMEOUT_S = MAXIMUM_TIMEOUT_S + 5.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked instead of bound


class Exit(IntEnum):
    """Exit codes."""

    HANDLED = 0
    """The function succeeded, the event was accepted, or a dry run found nothing wrong."""
    FUNCTION_FAILED = 1
    USAGE = 2
    REFUSED = 3
    """The API answered with an error."""
    NO_ANSWER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the command line says."""

    function: str
    payload: str
    """A file, or `-` for the standard input."""
    qualifier: str | None
    type: str
    tail: bool
    endpoint_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header, given in lower case; empty where there is none."""
        return next((value for given, value in self.headers.items() if given.lower() == name), "")


def invoke(ask: Ask, settings: Settings) -> int:
    """Invoke a function and print: the payload to stdout, the status and the log to stderr.

    Raises:
        StartError: The payload cannot be read, or there is no API to ask.
    """
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415  # heavy

    base = _base_url(ask.endpoint_url, settings.api)
    payload = _payload(ask.payload)
    try:
        reply = _send(_request(ask, base, payload, settings))
    except BotoCoreError as error:
        _say(f"no answer from {base}: {type(error).__name__}")
        return Exit.NO_ANSWER
    return show(reply)


def show(reply: Reply) -> int:
    """Print an answer and return the exit code it means."""
    if reply.status >= 300:
        _say(f"{reply.status} {reply.header('x-amzn-errortype')}: {_message(reply.body)}")
        return Exit.REFUSED
    failed = reply.header("x-amz-function-error")
    facts = (
        str(reply.status),
        f"request_id={reply.header('x-amzn-requestid')}",
        f"version={reply.header('x-amz-executed-version')}",
        f"function_error={failed}",
    )
    _say(" ".join(fact for fact in facts if not fact.endswith("=")))
    if log := reply.header("x-amz-log-result"):
        _say(base64.b64decode(log).decode(errors="replace").rstrip("\n"))
    if reply.body:
        sys.stdout.buffer.write(reply.body + b"\n")
        sys.stdout.buffer.flush()
    return Exit.FUNCTION_FAILED if failed else Exit.HANDLED


def _base_url(endpoint_url: str | None, api: Address | None) -> str:
    if endpoint_url is not None:
        if not re.match(r"https?://[^/\s]+", endpoint_url):
            raise StartError(f"--endpoint-url: {endpoint_url!r} is not of the form http://host:port")
        return endpoint_url.rstrip("/")
    if api is None:
        raise StartError("POLLER_API is off: say with --endpoint-url where to ask")
    return f"http://{Address(host=_ANY.get(api.host, api.host), port=api.port)}"


def _payload(place: str) -> bytes:
    if place == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(place).read_bytes()
    except OSError as error:
        raise StartError(f"--payload: {place} cannot be read: {error.strerror or error}") from error


def _request(ask: Ask, base: str, payload: bytes, settings: Settings) -> Any:
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415  # heavy

    path = f"/2015-03-31/functions/{quote(ask.function, safe='')}/invocations"
    query = f"?{urlencode({'Qualifier': ask.qualifier})}" if ask.qualifier else ""
    headers = {"Content-Type": "application/json", "X-Amz-Invocation-Type": ask.type}
    if ask.tail:
        headers["X-Amz-Log-Type"] = "Tail"
    request = AWSRequest(method="POST", url=f"{base}{path}{query}", data=payload, headers=headers)
    if settings.api_token_file is not None:
        request.headers["Authorization"] = f"Bearer {_token(settings.api_token_file)}"
    else:
        _sign(request)
    return request


def _token(path: Path) -> str:
    try:
        return read_token(path)
    except InvalidSecretFile as error:
        raise StartError(str(error)) from error


def _sign(request: Any) -> None:
    """Sign with the credentials of the environment or the shared files, where there are any."""
    import botocore.session  # noqa: PLC0415  # heavy
    from botocore.auth import SigV4Auth  # noqa: PLC0415

    session = botocore.session.get_session()
    # Nobody runs this on a machine's own role, and to look for one takes seconds where there is none.
    session.get_component("credential_provider").remove("iam-role")
    credentials = session.get_credentials()
    if credentials is not None:
        region = session.get_config_variable("region") or DEFAULT_REGION
        SigV4Auth(credentials, "lambda", region).add_auth(request)


def _send(request: Any) -> Reply:
    from botocore.httpsession import URLLib3Session  # noqa: PLC0415  # heavy

    answer = URLLib3Session(timeout=(5.0, READ_TIMEOUT_S), socket_options=KEPT_ALIVE).send(request.prepare())
    return Reply(status=answer.status_code, headers=dict(answer.headers), body=answer.content)


def _message(body: bytes) -> str:
    try:
        document = orjson.loads(body)
        return str(document.get("message") or document.get("Message") or "")
    except (ValueError, AttributeError):
        return ""


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - it is for whoever typed the command
