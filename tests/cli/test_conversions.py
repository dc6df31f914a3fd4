"""`poller import` and `poller export`, as typed; what is exported goes through the real AWS CLI."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

DATA = Path(__file__).parent.parent / "mappings" / "readers" / "data"
PLAN = str(DATA / "terraform_plan.json")
SAM = str(DATA / "sam.yaml")
STREAM = "arn:aws:dynamodb:eu-west-1:123456789012:table/audit/stream/2026-01-01T00:00:00.000"
PARAMETERS = {
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "AuditTableStream": STREAM,
    "Sessions": "sessions",
    "Audit": "audit",
}


def poller(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "POLLER_"))}
    return subprocess.run(
        [sys.executable, "-m", "poller", *arguments],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def parameters(tmp_path: Path) -> str:
    path = tmp_path / "parameters.yaml"
    path.write_text(yaml.safe_dump(PARAMETERS))
    return str(path)


def test_what_import_prints_is_a_mapping_file_that_means_the_same(tmp_path: Path, parameters: str) -> None:
    """It is valid, needs no answers any more, and exports to the same."""
    given = [SAM, "--parameters", parameters, "--set", "Stage=prod"]
    native = tmp_path / "native.yaml"

    printed = poller(tmp_path, "import", *given)
    native.write_text(printed.stdout)

    assert (printed.returncode, printed.stderr) == (0, "")
    assert poller(tmp_path, "validate", str(native)).stdout == "valid mappings=4 functions=0\n"
    direct = poller(tmp_path, "export", *given)
    assert poller(tmp_path, "export", str(native)).stdout == direct.stdout
    assert len(json.loads(direct.stdout)) == 4


def test_functions_of_one_file_serve_the_template_of_another(tmp_path: Path, parameters: str) -> None:
    """The name under which the template knows its function is the one that the mapping file defines."""
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    functions = tmp_path / "functions.yaml"
    functions.write_text("functions: {order-intake-dev: {handler: 'app:handler'}}")

    done = poller(tmp_path, "validate", str(functions), SAM, "--parameters", parameters)

    assert (done.returncode, done.stdout) == (0, "valid mappings=3 functions=1\n")


@pytest.mark.parametrize("command", ["run", "validate", "import", "export"])
def test_every_command_refuses_what_it_cannot_know(tmp_path: Path, command: str) -> None:
    """Exit code 2, and each sentence on a line; an answer that nobody asks for is one of them."""
    done = poller(tmp_path, command, SAM, "--set", "AWS::Region=eu-west-1", "--set", "Stgae=prod")

    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 6
    assert all(line.startswith("error: ") for line in lines)
    assert "--set AWS::AccountId=VALUE gives it" in lines[0]
    assert lines[-1] == "error: --set Stgae: no file that was read refers to Stgae"


def test_a_malformed_flag_ends_the_command(tmp_path: Path) -> None:
    """Before any file is read."""
    done = poller(tmp_path, "import", SAM, "--set", "Stage")

    assert (done.returncode, done.stderr) == (2, "error: --set Stage: NAME=VALUE is expected\n")


def test_a_single_mapping_is_exported_as_itself(tmp_path: Path) -> None:
    """The AWS CLI takes no list."""
    path = tmp_path / "one.yaml"
    request = {"EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:orders", "FunctionName": "audit"}
    path.write_text(yaml.safe_dump({"mappings": [request]}))

    assert json.loads(poller(tmp_path, "export", str(path)).stdout) == request


def test_export_never_overwrites_a_file(tmp_path: Path) -> None:
    """Nothing is written when one of them is there."""
    out = tmp_path / "out"
    first = poller(tmp_path, "export", PLAN, "--out", str(out))
    kept = sorted(out.iterdir())
    kept[0].unlink()

    second = poller(tmp_path, "export", PLAN, "--out", str(out))

    assert (first.returncode, first.stdout.splitlines()) == (0, [str(path) for path in written_in_order(out)])
    assert second.returncode == 2
    assert second.stderr.count("is there already") == len(kept) - 1
    assert sorted(out.iterdir()) == kept[1:]


def written_in_order(out: Path) -> list[Path]:
    names = ["images-resize", "orders-audit-live", "plain-plain"]
    names += [f"{stream}-{stream}-{number}" for stream in ("clicks", "views") for number in (0, 1)]
    return [out / f"{name}.json" for name in names]


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """With its name."""
    (tmp_path / "file").write_text("")

    done = poller(tmp_path, "export", PLAN, "--out", str(tmp_path / "file" / "out"))

    assert done.returncode == 1
    assert done.stderr.startswith("error: --out: ")
    assert "cannot be written" in done.stderr


class _Recorder(BaseHTTPRequestHandler):
    """Keeps every body, and answers as Lambda would to a client that reads no more than the status."""

    bodies: list[dict[str, Any]]

    def do_POST(self) -> None:
        assert self.path == "/2015-03-31/event-source-mappings"
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(202)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the parent's
        """Say nothing."""


@pytest.fixture
def lambda_api() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    bodies: list[dict[str, Any]] = []
    handler = type("Recorder", (_Recorder,), {"bodies": bodies})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", bodies
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("name", ["images-resize", "orders-audit-live", "clicks-clicks-1"])
def test_the_aws_cli_sends_what_was_exported(
    tmp_path: Path, lambda_api: tuple[str, list[dict[str, Any]]], name: str
) -> None:
    """Its own parser takes the file, and the request holds the same members, a timestamp included."""
    endpoint, bodies = lambda_api
    poller(tmp_path, "export", PLAN, "--out", str(tmp_path / "out"))
    exported = tmp_path / "out" / f"{name}.json"

    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "aws"),
            *("lambda", "create-event-source-mapping", "--cli-input-json", f"file://{exported}"),
            *("--endpoint-url", endpoint, "--region", "eu-west-1"),
        ],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "y",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert bodies == [json.loads(exported.read_text())]


def test_an_answer_without_a_file_is_refused(tmp_path: Path) -> None:
    """`run` may be started for the API alone, and then nothing can refer to it."""
    done = poller(tmp_path, "run", "--set", "Stage=prod", "--state", "memory://")

    assert done.returncode == 2
    assert done.stderr == "error: --set Stage: no file that was read refers to Stage\n"
