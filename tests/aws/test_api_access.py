"""Who may use the API of a running poller, and where it may listen."""

import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from botocore.exceptions import ClientError

from tests.aws.control import KEYS, endpoint, lambda_client
from tests.aws.running import Run

TOKEN = "0123456789abcdef" * 4
READER = {
    "aws_access_key_id": "AKIDREADER",
    "aws_secret_access_key": "another-secret-that-is-long-enough-01",
}
FUNCTIONS = {"f": {"url": "http://127.0.0.1:9/"}}


def _secret(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def _keys(folder: Path) -> Path:
    given = [(KEYS, "read-write"), (READER, "read-only")]
    members = ("access_key_id", "secret_access_key")
    entries = [{**{name: keys[f"aws_{name}"] for name in members}, "role": role} for keys, role in given]
    return _secret(folder / "keys.yaml", yaml.safe_dump(entries))


def _run(run: Run, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "poller", "run", str(run.file), "--state", "memory://", *arguments],
        cwd=run.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_signed_requests_pass_and_others_do_not(run: Run) -> None:
    """boto3 needs nothing but its keys; one that may only read is told so."""
    run.api = "127.0.0.1:0"
    run.write_file(FUNCTIONS, [])
    run.start("--api-keys-file", str(_keys(run.folder)))
    url = endpoint(run)

    assert lambda_client(url).list_event_source_mappings()["EventSourceMappings"] == []
    reader = lambda_client(url, **READER)
    assert reader.get_function_configuration(FunctionName="f")["State"] == "Active"
    arn = "arn:aws:sqs:us-east-1:123456789012:q"
    for keys, code in (
        (READER, "AccessDeniedException"),
        ({**KEYS, "aws_secret_access_key": "x" * 40}, "InvalidSignatureException"),
        ({**KEYS, "aws_access_key_id": "AKIDNOBODY"}, "InvalidSignatureException"),
    ):
        with pytest.raises(ClientError) as refused:
            lambda_client(url, **keys).create_event_source_mapping(EventSourceArn=arn, FunctionName="f")
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert KEYS["aws_secret_access_key"] not in run.log()


def test_a_bearer_token_is_the_simple_alternative(run: Run) -> None:
    """It is asked for in each request."""
    run.api = "127.0.0.1:0"
    run.write_file(FUNCTIONS, [])
    run.start("--api-token-file", str(_secret(run.folder / "token", TOKEN)))
    url = f"{endpoint(run)}/2015-03-31/event-source-mappings"

    with urllib.request.urlopen(
        urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"}), timeout=10
    ) as answer:
        assert answer.read() == b'{"EventSourceMappings": []}'
    for headers in ({}, {"Authorization": f"Bearer {TOKEN[::-1]}"}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10)
        assert refused.value.code == 403
        refused.value.close()
    assert TOKEN not in run.log()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--api", "0.0.0.0:0"), "--api-keys-file or --api-token-file"),
        (("--api", "[::]:0"), "--insecure-no-auth"),
        (("--api", "nonsense"), "--api: 'nonsense' is not host:port"),
        (("--api-keys-file", "missing.yaml"), "missing.yaml cannot be read"),
        (("--api-token-file", "short"), "short"),
    ],
)
def test_an_api_that_would_be_open_or_unusable_does_not_start(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    """Exit code 2 and one sentence; nothing listened."""
    _secret(run.folder / "short", "short")
    run.write_file(FUNCTIONS, [])
    done = _run(run, "--api", "127.0.0.1:0", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "api_listening" not in done.stderr


def test_an_address_that_is_taken_is_told_with_the_way_out(run: Run) -> None:
    """A second poller on the machine needs another one, or none."""
    run.api = "127.0.0.1:0"
    run.write_file(FUNCTIONS, [])
    run.start()
    taken = endpoint(run).removeprefix("http://")
    done = _run(run, "--api", taken)

    assert done.returncode == 2
    assert f"the API cannot listen on {taken}" in done.stderr
    assert "--api off" in done.stderr
