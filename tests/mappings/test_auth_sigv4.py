"""What a Signature V4 must be to let a request in, and what a caller is told when it is not."""

import hashlib
import hmac
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mappings.auth import Caller, ReceivedRequest
from mappings.errors import (
    AccessDeniedException,
    IncompleteSignatureException,
    InvalidSignatureException,
    MappingError,
    MissingAuthenticationTokenException,
    TooManyRequestsException,
)
from mappings.replays import MOST_CALLS, SAME_SECOND_S, UsedSignatures
from mappings.sigv4 import WINDOW_S, SigV4
from tests.mappings.signing import (
    COLLECTION,
    HOST,
    NOW,
    READER,
    TAGS,
    WRITER,
    keys_file,
    signed,
    with_headers,
)

BODY = b'{"Enabled": false}'


@pytest.fixture
def keys(tmp_path: Path) -> SigV4:
    return SigV4(keys_file(tmp_path))


def refusal(keys: SigV4, request: ReceivedRequest, *, now: float = NOW) -> MappingError:
    with pytest.raises(MappingError) as raised:
        keys.authenticate(request, now=now)
    return raised.value


@pytest.mark.parametrize(
    "request_",
    [
        signed("GET", COLLECTION),
        signed("GET", f"{COLLECTION}/"),
        signed("GET", f"{COLLECTION}?Marker=&MaxItems=10&EventSourceArn=arn%3Aaws%3Asqs"),
        signed("GET", f"{COLLECTION}?MaxItems=10&FunctionName=a%20b"),
        signed("POST", COLLECTION, BODY),
        signed(
            "POST", COLLECTION, BODY, headers={"Content-Type": "application/json", "Content-Length": "18"}
        ),
        signed("POST", COLLECTION, BODY, token="session-token"),
        signed("GET", TAGS),
        signed("DELETE", f"{TAGS}?tagKeys=a&tagKeys=b"),
        signed("GET", COLLECTION, region="eu-west-1"),
        signed("GET", COLLECTION, headers={"X-Note": "  a   b\tc "}),
        signed("PUT", COLLECTION, BODY, headers={"X-Amz-Content-SHA256": hashlib.sha256(BODY).hexdigest()}),
    ],
    ids=lambda request: f"{request.method} {request.target[:40]} {len(request.headers)}",
)
def test_what_a_client_signs_is_let_in(keys: SigV4, request_: ReceivedRequest) -> None:
    """Paths encoded twice, empty values, session tokens, folded white space, a payload hash."""
    assert keys.authenticate(request_, now=NOW).read_only is False


def test_a_signer_written_from_the_specification_is_let_in(keys: SigV4) -> None:
    """Go's way: length and type of the body are signed, and no space follows the commas."""
    day, date = "20270115", "20270115T080000Z"
    headers = {"content-length": "18", "content-type": "application/json", "host": HOST, "x-amz-date": date}
    signed_names = ";".join(headers)
    lines = [f"{name}:{value}" for name, value in headers.items()]
    path = TAGS.replace("%", "%25")
    canonical = "\n".join(["POST", path, "", *lines, "", signed_names, hashlib.sha256(BODY).hexdigest()])
    scope = f"{day}/us-east-1/lambda/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    secret = f"AWS4{WRITER[1]}".encode()
    for part in (*scope.split("/"), text):
        secret = hmac.digest(secret, part.encode(), "sha256")
    parts = (f"Credential={WRITER[0]}/{scope}", f"SignedHeaders={signed_names}", f"Signature={secret.hex()}")
    authorization = f"AWS4-HMAC-SHA256 {','.join(parts)}"
    request = ReceivedRequest(
        method="POST", target=TAGS, headers=(*headers.items(), ("Authorization", authorization)), body=BODY
    )

    assert keys.authenticate(request, now=NOW).region == "us-east-1"


def test_a_caller_is_named_by_a_hash_and_has_the_region_of_the_scope(keys: SigV4) -> None:
    """The id is for logs; the key cannot be found from it."""
    caller = keys.authenticate(signed(region="eu-central-1"), now=NOW)

    assert caller == Caller(id="key-889a8605a639", region="eu-central-1", read_only=False)


def test_a_repeated_header_is_signed_as_one_list(keys: SigV4) -> None:
    """In the order received, with commas."""
    request = signed(headers={"X-Note": "one,two"})

    assert keys.authenticate(with_headers(request, ("x-note", "one"), ("x-note", "two")), now=NOW)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda r: drop(r, "authorization"), MissingAuthenticationTokenException),
        (lambda r: with_headers(r, ("Authorization", "Basic dTpw")), IncompleteSignatureException),
        (lambda r: with_headers(r, ("Authorization", "Bearer x")), IncompleteSignatureException),
        (lambda r: authorization(r, "aws4_request", "aws3_request"), IncompleteSignatureException),
        (lambda r: authorization(r, "/lambda/", "/s3/"), IncompleteSignatureException),
        (lambda r: authorization(r, "/20270115/", "/20270116/"), IncompleteSignatureException),
        (lambda r: authorization(r, "host;x-amz-date", "host"), IncompleteSignatureException),
        (lambda r: authorization(r, "host;x-amz-date", "x-amz-date"), IncompleteSignatureException),
        (lambda r: authorization(r, "host;x-amz-date", "x-amz-date;host"), IncompleteSignatureException),
        (lambda r: authorization(r, "host;x-amz-date", "host;host;x-amz-date"), IncompleteSignatureException),
        (lambda r: authorization(r, "host;x-amz-date", "host;te;x-amz-date"), IncompleteSignatureException),
        (lambda r: add(r, "X-Amz-Client-Context", "e30="), IncompleteSignatureException),
        (lambda r: add(r, "X-Amz-Date", "20270115T080000Z"), IncompleteSignatureException),
        (lambda r: add(r, "Authorization", "x"), IncompleteSignatureException),
        (lambda r: drop(r, "x-amz-date"), IncompleteSignatureException),
        (lambda r: drop(r, "host"), IncompleteSignatureException),
        (lambda r: with_headers(r, ("Host", "[")), InvalidSignatureException),
        (lambda r: with_headers(r, ("Host", f"{HOST}\xa0")), IncompleteSignatureException),
        (lambda r: authorization(r, "Signature=", "Signature=0"), IncompleteSignatureException),
        (lambda r: authorization(r, "us-east-1", "us-east-2"), InvalidSignatureException),
        (lambda r: authorization(r, WRITER[0], READER[0]), InvalidSignatureException),
        (lambda r: authorization(r, WRITER[0], "AKIAUNKNOWN"), InvalidSignatureException),
    ],
)
def test_a_request_that_does_not_say_or_sign_what_it_must_is_refused(
    keys: SigV4, change: Callable[[ReceivedRequest], ReceivedRequest], code: type[MappingError]
) -> None:
    """With 403 and a code of AWS, whatever it is."""
    error = refusal(keys, change(signed()))

    assert type(error) is code
    assert error.status == 403


@pytest.mark.parametrize(
    "request_",
    [
        signed("GET", f"{COLLECTION}#part"),
        signed("GET", f"{COLLECTION}/./x"),
        signed("GET", f"{COLLECTION}/../x"),
        signed("GET", f"/{COLLECTION}"),
        signed("GET", f"{COLLECTION}\t"),
        signed("get", COLLECTION),
    ],
    ids=lambda request: f"{request.method} {request.target}",
)
def test_a_target_that_shares_its_signature_with_another_is_refused(
    keys: SigV4, request_: ReceivedRequest
) -> None:
    """Canonical forms drop fragments, dots and doubled slashes: what was signed must be what is asked."""
    assert isinstance(refusal(keys, request_), IncompleteSignatureException)


def test_presigned_requests_are_refused(keys: SigV4) -> None:
    """A signature in a URL ends in logs and histories."""
    query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00"

    assert isinstance(refusal(keys, signed("GET", f"{COLLECTION}?{query}")), IncompleteSignatureException)


@pytest.mark.parametrize("claimed", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"])
def test_an_unsigned_payload_is_refused(keys: SigV4, claimed: str) -> None:
    """Although it is signed that it is unsigned."""
    request = signed("POST", COLLECTION, BODY, headers={"X-Amz-Content-SHA256": claimed})

    assert isinstance(refusal(keys, request), IncompleteSignatureException)


def test_a_payload_hash_of_another_body_is_refused(keys: SigV4) -> None:
    """A signed hash alone does not make the body signed."""
    request = signed(
        "POST", COLLECTION, BODY, headers={"X-Amz-Content-SHA256": hashlib.sha256(b"x").hexdigest()}
    )

    assert isinstance(refusal(keys, request), InvalidSignatureException)


@pytest.mark.parametrize("skew", [-WINDOW_S, -1, 0, 1, WINDOW_S])
def test_a_clock_may_differ_by_five_minutes(keys: SigV4, skew: float) -> None:
    """Either way, and to the second."""
    assert keys.authenticate(signed(at=NOW + skew), now=NOW)


@pytest.mark.parametrize(
    ("skew", "text"),
    [
        (-WINDOW_S - 1, "Signature expired: 20270115T075459Z is now earlier than 20270115T075500Z"),
        (WINDOW_S + 1, "Signature not yet current: 20270115T080501Z is still later than 20270115T080500Z"),
        (-86_400 * 400, "Signature expired"),
    ],
)
def test_a_clock_that_differs_by_more_is_told_so(keys: SigV4, skew: float, text: str) -> None:
    """In AWS's words, from which SDKs correct their clock; only to who holds the key."""
    request = signed(at=NOW + skew)
    error = refusal(keys, request)
    stranger = refusal(keys, signed(at=NOW + skew, key=("AKIAUNKNOWN", "x" * 40)))

    assert isinstance(error, InvalidSignatureException)
    assert error.message.startswith(text)
    assert "earlier" not in stranger.message


def test_a_date_that_does_not_exist_is_refused(keys: SigV4) -> None:
    """Also where it is signed."""
    request = with_headers(signed(), ("X-Amz-Date", "20270199T080000Z"))

    assert refusal(keys, request).status == 403


def test_an_unknown_key_and_a_wrong_secret_get_the_same_answer(keys: SigV4) -> None:
    """Nobody learns which keys exist."""
    unknown = refusal(keys, signed(key=("AKIAUNKNOWN", WRITER[1])))
    wrong = refusal(keys, signed(key=(WRITER[0], "x" * 40)))

    assert (unknown.code, unknown.status, unknown.body()) == (wrong.code, wrong.status, wrong.body())


def test_an_unknown_key_and_a_wrong_secret_take_the_same_time(keys: SigV4) -> None:
    """The same work is done for both: the medians of CPU time differ by less than a fifth."""
    requests = {
        "unknown": signed(key=("AKIAUNKNOWN", WRITER[1])),
        "wrong": signed(key=(WRITER[0], "x" * 40)),
    }
    taken: dict[str, list[int]] = {name: [] for name in requests}
    for _ in range(1_000):
        for name, request in requests.items():
            begun = time.thread_time_ns()
            refusal_quick(keys, request)
            taken[name].append(time.thread_time_ns() - begun)

    assert 0.8 < statistics.median(taken["unknown"]) / statistics.median(taken["wrong"]) < 1.25


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_write_is_accepted_once(keys: SigV4, method: str) -> None:
    """What was overheard does nothing a second time, as long as its signature would live."""
    request = signed(method, f"{COLLECTION}/x", BODY)
    keys.authenticate(request, now=NOW)

    for now in (NOW, NOW + 1, NOW + WINDOW_S):
        error = refusal(keys, request, now=now)
        assert (error.code, error.status) == ("InvalidSignatureException", 403)
        assert "used already" in error.message
    assert "expired" in refusal(keys, request, now=NOW + WINDOW_S + 1).message


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_may_be_repeated(keys: SigV4, method: str) -> None:
    """It changes nothing, and tools repeat it within the second that a date holds."""
    request = signed(method)

    assert keys.authenticate(request, now=NOW) == keys.authenticate(request, now=NOW)


def test_a_replay_with_other_unsigned_headers_is_still_a_replay(keys: SigV4) -> None:
    """The signature is what is remembered, not the bytes of the request."""
    request = signed("POST", COLLECTION, BODY)
    keys.authenticate(request, now=NOW)

    assert "used already" in refusal(keys, with_headers(request, ("User-Agent", "other"))).message


def test_a_write_that_was_refused_may_come_again(keys: SigV4) -> None:
    """Only what was let in is remembered: nobody else can use a signature up."""
    request = signed("POST", COLLECTION, BODY)
    refusal(keys, with_headers(request, ("Host", "other")))

    assert keys.authenticate(request, now=NOW)


def test_the_same_call_may_be_made_twice_in_one_second(keys: SigV4) -> None:
    """Botocore signs both alike; the id of the call and the number of the attempt tell them apart."""
    request = signed("POST", COLLECTION, BODY)
    first = with_headers(request, ("amz-sdk-invocation-id", "1"), ("amz-sdk-request", "attempt=1"))
    retry = with_headers(request, ("amz-sdk-invocation-id", "1"), ("amz-sdk-request", "attempt=2"))
    second = with_headers(request, ("amz-sdk-invocation-id", "2"), ("amz-sdk-request", "attempt=1"))
    late = with_headers(request, ("amz-sdk-invocation-id", "3"), ("amz-sdk-request", "attempt=1"))

    for call in (first, retry, second):
        assert keys.authenticate(call, now=NOW + 1)
    for replay in (first, retry, second, request):
        assert "used already" in refusal(keys, replay, now=NOW + 1.5).message
    assert "used already" in refusal(keys, late, now=NOW + 1 + SAME_SECOND_S + 0.1).message


def test_a_signature_is_not_good_for_any_number_of_calls() -> None:
    """What is remembered of one signature is bounded, too."""
    used = UsedSignatures()

    uses = [used.use("a", str(n), now=0.0, until=9.0) for n in range(MOST_CALLS + 10)]

    assert uses == [True] * MOST_CALLS + [False] * 10


def test_signatures_are_forgotten_only_when_they_have_expired() -> None:
    """The memory is bounded by refusing more, never by letting an old one be used again."""
    used = UsedSignatures(limit=2)
    assert used.use("a", "", now=0.0, until=10.0)
    assert used.use("b", "", now=0.0, until=20.0)

    assert not used.has_room("c", now=10.0)
    assert not used.use("a", "", now=10.0, until=10.0)
    assert used.has_room("c", now=10.5)
    assert len(used) == 1


def test_a_full_memory_of_signatures_refuses_writes_for_a_while(keys: SigV4) -> None:
    """429 and when to come again; reads go on."""
    keys._used = UsedSignatures(limit=1)
    keys.authenticate(signed("POST", COLLECTION, b"1"), now=NOW)

    assert isinstance(refusal(keys, signed("POST", COLLECTION, b"2")), TooManyRequestsException)
    assert keys.authenticate(signed(), now=NOW)
    assert keys.authenticate(signed("POST", COLLECTION, b"3", at=NOW + 301), now=NOW + 301)


def test_a_read_only_key_may_read_and_nothing_else(keys: SigV4) -> None:
    """Its caller is marked, too."""
    assert keys.authenticate(signed(key=READER), now=NOW).read_only is True
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        error = refusal(keys, signed(method, COLLECTION, BODY, key=READER))
        assert isinstance(error, AccessDeniedException)
        assert error.status == 403


def refusal_quick(keys: SigV4, request: ReceivedRequest) -> None:
    try:
        keys.authenticate(request, now=NOW)
    except InvalidSignatureException:
        return
    raise AssertionError("it was let in")


def drop(request: ReceivedRequest, name: str) -> ReceivedRequest:
    kept = tuple(header for header in request.headers if header[0].lower() != name)
    return ReceivedRequest(method=request.method, target=request.target, headers=kept, body=request.body)


def add(request: ReceivedRequest, name: str, value: str) -> ReceivedRequest:
    headers = (*request.headers, (name, value))
    return ReceivedRequest(method=request.method, target=request.target, headers=headers, body=request.body)


def authorization(request: ReceivedRequest, old: str, new: str) -> ReceivedRequest:
    (value,) = request.values("authorization")
    assert old in value
    return with_headers(request, ("Authorization", value.replace(old, new)))
