"""Ways to change a signed request, and what two requests that SigV4 cannot tell apart have in common."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from mappings.auth import ReceivedRequest
from tests.mappings.signing import READER, WRITER

Mutation = Callable[[random.Random, ReceivedRequest], ReceivedRequest]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "Post", "PUT ")
# Python's `split`, with which botocore folds blanks, takes more for blanks than HTTP does.
CHARACTERS = "".join(map(chr, range(0x20, 0x7F))) + "\t\xe9" + "\xa0\u2003\x85\x1f" * 5
DATE = re.compile(r"\d{8}T\d{6}Z")


def meaning(request: ReceivedRequest, signed_names: Sequence[str]) -> object:
    """Return what a signature covers: requests with the same meaning are the same request to SigV4.

    Parameters in any order, with or without `=` where they are empty; names of headers in any case; blanks in
    and around values; a list in one header or in several. Headers that are not signed do not count.
    """
    query = [pair if "=" in pair else f"{pair}=" for pair in request.query.split("&")]
    headers = {
        name: ",".join(re.sub("[ \t]+", " ", value.strip(" \t")) for value in request.values(name))
        for name in signed_names
    }
    said = [re.sub(", *", ", ", re.sub("  +", " ", value)) for value in request.values("authorization")]
    amz = sorted(name.lower() for name, _ in request.headers if name.lower().startswith("x-amz-"))
    return (request.method, request.path, sorted(query), headers, request.body, said, set(amz))


def signed_names(request: ReceivedRequest) -> list[str]:
    found = re.search(r"SignedHeaders=([^,]*)", request.values("authorization")[0])
    return found[1].split(";") if found else []


def changed(chance: random.Random, text: str, alphabet: str = CHARACTERS) -> str:
    """Change one character, or drop, add, double or swap some."""
    at = chance.randrange(len(text) + 1)
    other = chance.choice(alphabet)
    match chance.randrange(5):
        case 0:
            return text[:at] + other + text[at + 1 :]
        case 1:
            return text[:at] + text[at + 1 :]
        case 2:
            return text[:at] + other + text[at:]
        case 3:
            return text[:at] + text[at : at + 1] + text[at:]
        case _:
            return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]


def method(chance: random.Random, request: ReceivedRequest) -> ReceivedRequest:
    return replace(request, method=chance.choice(METHODS))


def path(chance: random.Random, request: ReceivedRequest) -> ReceivedRequest:
    parts = request.path.split("/")
    at = chance.randrange(1, len(parts))
    part = parts[at]
    parts[at] = chance.choice(
        [
            changed(chance, part),
            f"./{part}",
            f"/{part}",
            f"x/../{part}",
            part.replace("%3A", ":"),
            part.replace("%3A", "%3a"),
            part.replace("%", "%25"),
            part.upper(),
            f"{part}/",
            f"{part};x",
            f"%{ord(part[0]) if part else 0:02x}{part[1:]}",
        ]
    )
    return replace(request, target="/".join(parts) + (f"?{request.query}" if request.query else ""))


def query(chance: random.Random, request: ReceivedRequest) -> ReceivedRequest:
    pairs = request.query.split("&") if request.query else []
    at = chance.randrange(len(pairs) + 1)
    match chance.randrange(5):
        case 0:
            pairs.insert(at, chance.choice(["", "=", "Marker=x", "tagKeys=c", "MaxItems=1", "X-Amz-Date=1"]))
        case 1:
            pairs = pairs[:at] + pairs[at + 1 :]
        case 2 if pairs:
            pairs[at % len(pairs)] = changed(chance, pairs[at % len(pairs)])
        case 3 if pairs:
            pairs.insert(at, chance.choice(pairs))
        case _:
            pairs = ["&".join(pairs) + chance.choice(["#x", "#", "?", "/", "&", "%20", "+"])]
    return replace(request, target=request.path + ("?" + "&".join(pairs) if pairs else ""))


def header(chance: random.Random, request: ReceivedRequest) -> ReceivedRequest:
    """Change, drop, double, rename or swap headers; the signed ones and Authorization."""
    headers = list(request.headers)
    at, other = chance.randrange(len(headers)), chance.randrange(len(headers))
    name, value = headers[at]
    match chance.randrange(6):
        case 0:
            headers[at] = (name, changed(chance, value))
        case 1:
            del headers[at]
        case 2:
            headers.insert(other, (name, chance.choice([value, "", changed(chance, value)])))
        case 3:
            headers[at] = (changed(chance, name, "abcxyz-"), value)
        case 4:
            headers[at], headers[other] = (name, headers[other][1]), (headers[other][0], value)
        case _:
            added = chance.choice(["X-Amz-Content-SHA256", "X-Amz-Security-Token", "X-Amz-Invocation-Type"])
            headers.insert(other, (added, chance.choice(["UNSIGNED-PAYLOAD", "0" * 64, "", "Event"])))
    return replace(request, headers=tuple(headers))


def body(chance: random.Random, request: ReceivedRequest) -> ReceivedRequest:
    at = chance.randrange(len(request.body) + 1)
    byte = bytes([chance.randrange(256)])
    others = [
        request.body[:at] + byte + request.body[at + 1 :],
        request.body[:at] + byte + request.body[at:],
        request.body[:at],
        request.body * 2,
        b"",
    ]
    return replace(request, body=chance.choice(others))


def date(chance: random.Random, request: ReceivedRequest) -> ReceivedRequest:
    """Another date, inside the window or far outside, that the scope agrees with or not."""
    other = f"202701{chance.randrange(10, 20)}T{chance.randrange(24):02}{chance.randrange(60):02}00Z"
    names = {"x-amz-date", "authorization"} if chance.random() < 0.7 else {"x-amz-date"}

    def dated(name: str, value: str) -> str:
        if name.lower() not in names:
            return value
        return (
            DATE.sub(other, value) if "amz" in name.lower() else re.sub(r"/\d{8}/", f"/{other[:8]}/", value)
        )

    return replace(request, headers=tuple((name, dated(name, value)) for name, value in request.headers))


def said(chance: random.Random, request: ReceivedRequest) -> ReceivedRequest:
    """Another scope, key, list of signed headers or signature."""
    value = request.values("authorization")[0]
    signature = value.rpartition("=")[2]
    names = signed_names(request)
    joined = ";".join(names)
    shuffled = ";".join(chance.sample(names, len(names)))
    other_key = READER[0] if WRITER[0] in value else WRITER[0]
    pairs = [
        (f"{WRITER[0]}/", f"{other_key}/"),
        (f"{READER[0]}/", f"{other_key}/"),
        ("us-east-1", chance.choice(["us-east-2", "eu-west-1", "US-EAST-1", ""])),
        ("lambda", chance.choice(["s3", "sqs", "Lambda", ""])),
        ("aws4_request", chance.choice(["aws4", "aws4_request/", "AWS4_REQUEST"])),
        ("AWS4-HMAC-SHA256", chance.choice(["AWS4-ECDSA-P256-SHA256", "AWS4-HMAC-SHA1", "Bearer"])),
        (joined, chance.choice([shuffled, f"{joined};x", f"{joined};user-agent", ";".join(names[1:])])),
        (joined, chance.choice([";".join(names[:-1]), joined.upper(), f"accept;{joined}", f";{joined}"])),
        (signature, changed(chance, signature, "0123456789abcdef")),
        (signature, "".join(chance.sample(signature, len(signature)))),
        (signature, chance.choice([signature.upper(), "0" * 64, "", signature[::-1]])),
    ]
    old, new = chance.choice(pairs)
    return replace(
        request,
        headers=tuple(
            (name, given.replace(old, new) if given == value else given) for name, given in request.headers
        ),
    )


MUTATIONS: tuple[Mutation, ...] = (method, path, query, header, header, body, date, said)
