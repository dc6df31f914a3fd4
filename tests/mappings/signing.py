"""Signs requests as clients do, at a moment of the test's choosing, and writes the files of keys."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mappings.auth import ReceivedRequest

NOW = 1_800_000_000.0
WRITER = ("AKIAWRITEREXAMPLE", "writer-secret-of-forty-characters-000000")
READER = ("AKIAREADEREXAMPLE", "reader-secret-of-forty-characters-000000")
HOST = "127.0.0.1:4577"
COLLECTION = "/2015-03-31/event-source-mappings"
UUID = "14e0db71-5d35-4eb5-b481-8945cf9d10c2"
TAGS = f"/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Aevent-source-mapping%3A{UUID}"


def keys_file(folder: Path, entries: Any = None, mode: int = 0o600) -> Path:
    """Write a file of keys: a writer's and a reader's, unless told otherwise."""
    if entries is None:
        entries = [entry(WRITER, "read-write"), entry(READER, "read-only")]
    path = folder / "keys.json"
    path.touch(mode=mode)
    path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
    path.chmod(mode)
    return path


def entry(key: tuple[str, str], role: str) -> dict[str, str]:
    return {"access_key_id": key[0], "secret_access_key": key[1], "role": role}


def token_file(folder: Path, token: str, mode: int = 0o600) -> Path:
    path = folder / "token"
    path.touch(mode=mode)
    path.write_text(token)
    path.chmod(mode)
    return path


def signed(
    method: str = "GET",
    target: str = COLLECTION,
    body: bytes = b"",
    *,
    key: tuple[str, str] = WRITER,
    at: float = NOW,
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
    region: str = "us-east-1",
) -> ReceivedRequest:
    """Return a request that botocore has signed, as a server receives it."""
    signer = SigV4Auth(Credentials(*key, token), "lambda", region)
    request = AWSRequest(
        method=method, url=f"http://{HOST}{target}", data=body, headers={"Host": HOST, **(headers or {})}
    )
    request.context["timestamp"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    signer._modify_request_before_signing(request)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    return ReceivedRequest(method=method, target=target, headers=tuple(request.headers.items()), body=body)


def with_headers(request: ReceivedRequest, *headers: tuple[str, str]) -> ReceivedRequest:
    """Return the request with these headers in place of those of the same names."""
    names = {name.lower() for name, _ in headers}
    kept = [header for header in request.headers if header[0].lower() not in names]
    return ReceivedRequest(
        method=request.method, target=request.target, headers=(*kept, *headers), body=request.body
    )
