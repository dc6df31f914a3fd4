"""Signatures made with cached parts are those botocore makes."""

from datetime import UTC, datetime
from unittest import mock

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from poller.hot_path.route import outline_of
from poller.hot_path.signature import Signer, digest_of

_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True)
_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
_PATHS = st.text(st.sampled_from("abcXYZ019-._~/%:@ +$&"), max_size=40).map(lambda text: f"/{text}")
_QUERIES = st.lists(
    st.tuples(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.from_regex(r"[A-Za-z0-9%._-]{0,12}", fullmatch=True)
    ),
    max_size=3,
).map(lambda pairs: "&".join("=".join(pair) for pair in pairs))
_HOSTS = st.sampled_from(
    ["sqs.eu-west-1.amazonaws.com", "127.0.0.1:4566", "localhost:443", "EXAMPLE.com:8443", "[::1]:9324"]
)
_CREDENTIALS = st.builds(
    ReadOnlyCredentials,
    access_key=st.from_regex(r"[A-Z0-9]{16,20}", fullmatch=True),
    secret_key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
    token=st.none() | st.from_regex(r"[A-Za-z0-9+/=]{1,80}", fullmatch=True),
    account_id=st.none(),
)
_TIMES = st.integers(min_value=946684800, max_value=4102444800)


def _signed(
    url: str, headers: dict[str, str], body: bytes, credentials: ReadOnlyCredentials, second: int
) -> AWSRequest:
    """What botocore makes of a request at a time."""
    request = AWSRequest(method="POST", url=url, headers=headers, data=body)
    now = datetime.fromtimestamp(second, UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        SigV4Auth(credentials, "sqs", "eu-west-1").add_auth(request)
    return request


@settings(deadline=None)
@given(
    host=_HOSTS,
    scheme=st.sampled_from(["http", "https"]),
    path=_PATHS,
    query=_QUERIES,
    headers=st.dictionaries(_NAMES, _VALUES, max_size=4),
    example=st.tuples(st.binary(max_size=50), _CREDENTIALS, _TIMES),
    signed=st.lists(st.tuples(st.binary(max_size=200), _CREDENTIALS, _TIMES), min_size=1, max_size=4),
)
def test_signatures_are_botocores(
    host: str,
    scheme: str,
    path: str,
    query: str,
    headers: dict[str, str],
    example: tuple[bytes, ReadOnlyCredentials, int],
    signed: list[tuple[bytes, ReadOnlyCredentials, int]],
) -> None:
    """To the byte: learned from one request, for other bodies, credentials and times."""
    own = {"authorization", "host", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"}
    headers = {name: value for name, value in headers.items() if name.lower() not in own}
    headers = {name.title(): value for name, value in headers.items()}
    url = f"{scheme}://{host}{path}" + (f"?{query}" if query else "")
    signer = Signer(outline_of(_signed(url, headers, *example).prepare()))

    for body, credentials, second in signed:
        head = signer.head(digest_of(body), len(body), credentials, second + 0.5)
        expected = _signed(url, headers, body, credentials, second)

        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
        assert lines["authorization"] == expected.headers["Authorization"]
        assert lines["x-amz-date"] == expected.headers["X-Amz-Date"]
        assert lines.get("x-amz-security-token") == expected.headers.get("X-Amz-Security-Token")
        assert lines["Content-Length"] == str(len(body))
        assert head.startswith(b"POST /")
