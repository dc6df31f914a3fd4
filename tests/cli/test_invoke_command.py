"""`poller invoke` as a user types it: what goes to which stream, and every exit code."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.control import endpoint
from tests.aws.invoking import HANDLERS
from tests.aws.running import Run, until
from tests.cli.test_commands import poller

TOKEN = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A poller that lets in who shows a token."""
    made = Run(tmp_path_factory.mktemp("command"), {})
    made.api = "127.0.0.1:0"
    (made.folder / "app.py").write_text(HANDLERS)
    (made.folder / "token").write_text(TOKEN)
    (made.folder / "token").chmod(0o600)
    made.write_file({"audit": {"handler": "app:handler", "aliases": {"live": "3"}}}, [])
    made.start("--api-token-file", "token")
    yield made
    made.close()


def invoke(run: Run, *arguments: str, payload: str = '{"say":"it"}') -> subprocess.CompletedProcess[str]:
    """Invoke with the token, where the poller says that it listens."""
    (run.folder / "event.json").write_text(payload)
    return poller(
        run.folder,
        "invoke",
        *arguments,
        "--payload",
        "event.json",
        POLLER_API=endpoint(run).removeprefix("http://"),
        POLLER_API_TOKEN_FILE="token",
    )


def test_the_result_goes_to_stdout_and_the_rest_to_stderr(run: Run) -> None:
    """So that it can be piped on."""
    done = invoke(run, "audit", "--qualifier", "live", "--tail")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["event"] == {"say": "it"}
    status, begin, said, *_ = done.stderr.splitlines()
    assert status == f"200 request_id={json.loads(done.stdout)['id']} version=3"
    assert begin.startswith("START RequestId: ")
    assert said == "seen it"


def test_an_event_is_accepted_and_a_dry_run_runs_nothing(run: Run) -> None:
    """Both print a status and no payload."""
    dry = invoke(run, "audit", "--dry-run", payload='{"say":"dry"}')
    event = invoke(run, "audit", "--event", payload='{"say":"later"}')

    assert (dry.returncode, dry.stdout, dry.stderr[:15]) == (0, "", "204 request_id=")
    assert (event.returncode, event.stdout, event.stderr[:15]) == (0, "", "202 request_id=")
    until(lambda: any(each["event"] == {"say": "later"} for each in run.events()))
    assert not any(each["event"] == {"say": "dry"} for each in run.events())


def test_a_function_that_fails_is_exit_code_1(run: Run) -> None:
    """Its error is the payload."""
    done = invoke(run, "audit", payload='{"raise":"no"}')

    assert done.returncode == 1
    assert json.loads(done.stdout)["errorMessage"] == "no"
    assert "function_error=Unhandled" in done.stderr


def test_a_refusal_is_exit_code_3(run: Run) -> None:
    """With AWS's code and words."""
    done = invoke(run, "nothing")

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("404 ResourceNotFoundException: Function not found: ")


def test_no_answer_is_exit_code_4(run: Run) -> None:
    """And says where it was asked for."""
    done = invoke(run, "audit", "--endpoint-url", "http://127.0.0.1:9")

    assert (done.returncode, done.stdout) == (4, "")
    assert "no answer from http://127.0.0.1:9" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("audit",), "Missing option '--payload'"),
        (("audit", "--payload", "nothing.json"), "--payload: nothing.json cannot be read"),
        (
            ("audit", "--payload", "app.py", "--endpoint-url", "localhost:1"),
            "--endpoint-url: 'localhost:1' is not of the form http://host:port",
        ),
        (("audit", "--payload", "app.py", "--api-token-file", "nothing"), "nothing cannot be read"),
    ],
)
def test_bad_usage_is_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    """Nothing is sent."""
    (tmp_path / "app.py").write_text("")
    done = poller(tmp_path, "invoke", *arguments, POLLER_API="127.0.0.1:9")

    assert done.returncode == 2
    assert sentence in done.stderr


def test_the_payload_may_come_from_the_standard_input(run: Run) -> None:
    """As `-`."""
    done = subprocess.run(
        [sys.executable, "-m", "poller", "invoke", "audit", "--payload", "-"],
        cwd=run.folder,
        env={
            "PATH": "",
            "POLLER_API": endpoint(run).removeprefix("http://"),
            "POLLER_API_TOKEN_FILE": "token",
        },
        input='{"say":"piped"}',
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert json.loads(done.stdout)["event"] == {"say": "piped"}
