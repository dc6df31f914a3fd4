"""The commands as a user types them: exit codes, sentences, and what goes to which stream."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
MEMORY = {"POLLER_STATE": "memory://"}
HANDLER = {"handler": "app:handler", "timeout": 5}


def poller(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "POLLER_", "LOG_"))}
    return subprocess.run(
        [sys.executable, "-m", "poller", *arguments],
        cwd=folder,
        env={**kept, "POLLER_API": "off", "POLLER_OPS": "off", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write(folder: Path, text: str | dict[str, Any], name: str = "mappings.yaml") -> Path:
    path = folder / name
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(text))
    return path


def file_with(**mapping: Any) -> dict[str, Any]:
    return {
        "functions": {"audit": HANDLER},
        "mappings": [{"EventSourceArn": QUEUE, "FunctionName": "audit", **mapping}],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    return tmp_path


BAD_FILES: dict[str, tuple[str | dict[str, Any], list[str]]] = {
    "YAML that does not parse": ("mappings: [", ["mappings.yaml"]),
    "a key given twice": ("mappings: []\nmappings: []\n", ["mappings.yaml", "mappings"]),
    "an unknown field": (file_with(BatchSiez=5), ["mappings[0]", "BatchSiez", QUEUE]),
    "a field of another source": (file_with(StartingPosition="LATEST"), ["mappings[0]", "StartingPosition"]),
    "a value out of range": (file_with(BatchSize=10_001), ["mappings[0]", "BatchSize", "10000"]),
    "a malformed ARN": (file_with(EventSourceArn="arn:aws:sqs"), ["mappings[0]", "EventSourceArn"]),
    "an unknown function kind": (
        {**file_with(), "functions": {"audit": {"program": "x"}}},
        ["audit", "handler, url and lambda"],
    ),
    "a missing region": (
        file_with(EventSourceArn="arn:aws:sqs::000000000000:orders"),
        ["mappings[0]", "EventSourceArn", "region"],
    ),
    "a stream without a starting position": (
        file_with(EventSourceArn=STREAM),
        ["mappings[0]", "StartingPosition"],
    ),
    "a batch over 10 without a window": (
        file_with(BatchSize=11),
        ["Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"],
    ),
    "an option that is not obeyed yet": (
        file_with(
            EventSourceArn=STREAM,
            StartingPosition="LATEST",
            KMSKeyArn="arn:aws:kms:us-east-1:000000000000:key/1",
        ),
        ["KMSKeyArn", "not supported yet"],
    ),
    "no mapping": ("mappings: []\n", ["neither a mapping nor a function is given"]),
}


@pytest.mark.parametrize("command", ["run", "validate"])
@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_refused_with_a_sentence(folder: Path, name: str, command: str) -> None:
    """Exit code 2; file, mapping and field are named; nothing starts; no traceback."""
    text, expected = BAD_FILES[name]
    path = write(folder, text)

    done = poller(folder, command, str(path))

    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert str(path) in done.stderr
    assert all(part in done.stderr for part in expected), done.stderr
    assert not any(line.startswith("Traceback") for line in done.stderr.splitlines())


@pytest.mark.parametrize(
    ("command", "handler", "expected"),
    [
        ("run", "missing:handler", "missing"),
        ("run", "app:missing", "missing"),
        ("validate", "missing:handler", "missing"),
        ("validate", "app:missing", "missing"),
        ("validate", "broken:handler", "broken"),
    ],
)
def test_a_handler_that_cannot_be_imported_is_refused(
    folder: Path, command: str, handler: str, expected: str
) -> None:
    """The real runtime is asked, before anything polls."""
    (folder / "broken.py").write_text("def handler(event, context)\n")
    path = write(folder, {**file_with(), "functions": {"audit": {"handler": handler}}})

    done = poller(folder, command, str(path), *(("--state", "memory://") if command == "run" else ()))

    assert done.returncode == 2, done.stderr
    assert "audit" in done.stderr
    assert expected in done.stderr
    assert not any(line.startswith("Traceback") for line in done.stderr.splitlines())


def test_a_module_that_raises_is_the_problem_of_its_function_alone(folder: Path) -> None:
    """The file is right: the poller goes on, and says what the module did."""
    (folder / "broken.py").write_text("def handler(event, context)\n")
    path = write(folder, {**file_with(), "functions": {"audit": {"handler": "broken:handler"}}})
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "POLLER_"))},
        "POLLER_API": "off",
        "POLLER_OPS": "off",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "poller", "run", str(path), "--state", "memory://", "--profile", "test"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "function_start_failed" in line)
            assert "audit" in said
            assert process.poll() is None
            process.terminate()
            process.stderr.read()
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()


def test_all_problems_of_all_files_are_told_at_once(folder: Path) -> None:
    """An author mends them in one go."""
    first = write(folder, file_with(BatchSize=0, Bogus=1), "a.yaml")
    second = write(folder, "nonsense", "b.yaml")

    done = poller(folder, "validate", str(folder))

    assert done.returncode == 2
    assert all(text in done.stderr for text in ("Bogus", "BatchSize", str(first), str(second)))


def test_a_file_that_is_not_there_is_refused(folder: Path) -> None:
    """With its name."""
    done = poller(folder, "run", "nowhere.yaml")

    assert done.returncode == 2
    assert "nowhere.yaml" in done.stderr


def test_a_valid_file_is_said_to_be_valid(folder: Path) -> None:
    """JSON as well as YAML."""
    import json

    path = write(folder, json.dumps(file_with()), "mappings.json")

    done = poller(folder, "validate", str(path))

    assert (done.returncode, done.stdout) == (0, "valid mappings=1 functions=1\n")


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["--state", "redis://x"], {}, "--state: 'redis://x'"),
        ([], {"POLLER_STATE": "dynamodb://t"}, "POLLER_STATE: 'dynamodb://t'"),
        (["--profile", "fast"], {}, "--profile: 'fast' is not one of default, test"),
        (["--drain-timeout", "soon"], {}, "--drain-timeout: 'soon'"),
        (["--byte-budget", "10"], {}, "--byte-budget: '10'"),
        (["--hot-path", "maybe"], {}, "--hot-path: 'maybe' is not one of on, off"),
        ([], {"POLLER_HOT_PATH": "1"}, "POLLER_HOT_PATH: '1' is not one of on, off"),
        (["--log-level", "loud"], {}, "--log-level: 'loud'"),
        ([], {"LOG_FORMAT": "xml"}, "LOG_FORMAT: 'xml'"),
        ([], {"POLLER_BATCH": "1"}, "POLLER_BATCH is not a setting"),
        ([], {"POLLER_OPS_PORT": "9464"}, "POLLER_OPS_PORT is not a setting"),
        ([], {"POLLER_OPS": "9464"}, "POLLER_OPS: '9464' is not host:port"),
        (["--ops", "127.0.0.1:65536"], {}, "--ops: '127.0.0.1:65536'"),
        (["--ops", "192.0.2.1:9464"], {}, "cannot listen on 192.0.2.1:9464"),
        (["--metrics-shards", "some"], {}, "--metrics-shards: 'some' is not one of true"),
        (["--bogus"], {}, "--bogus"),
        (["--api", "[::]:0"], MEMORY, "give --api-keys-file or --api-token-file, or accept that"),
        (["--api", "127.0.0.1:0", "--api-keys-file", "none.yaml"], MEMORY, "none.yaml cannot be read"),
        (["--api", "127.0.0.1:0", "--api-token-file", "app.py"], MEMORY, "app.py"),
        (["--api-keys-file", ""], {}, "--api-keys-file: the name of a file is missing"),
        (["--api-hosts", "*"], {}, "--api-hosts: '*' is not the name of a host"),
        (["--insecure-no-auth"], {}, "--insecure-no-auth has no effect while POLLER_API is off"),
    ],
)
def test_bad_settings_are_refused(
    folder: Path, arguments: list[str], environment: dict[str, str], expected: str
) -> None:
    """An option is obeyed or refused, wherever it is given."""
    path = write(folder, file_with())

    done = poller(folder, "run", str(path), *arguments, **environment)

    assert done.returncode == 2
    assert expected in done.stderr


def test_what_kubernetes_sets_for_a_service_is_no_setting(folder: Path) -> None:
    """A Service named poller, or poller-ops, must not keep the pod from starting."""
    path = write(folder, {**file_with(), "functions": {"audit": {"handler": "missing:handler"}}})

    done = poller(
        folder,
        "run",
        str(path),
        POLLER_SERVICE_HOST="10.0.0.1",
        POLLER_SERVICE_PORT_HTTP="80",
        POLLER_PORT="tcp://10.0.0.1:80",
        POLLER_PORT_80_TCP="tcp://10.0.0.1:80",
        POLLER_OPS_SERVICE_HOST="10.0.0.1",
        POLLER_OPS_PORT="tcp://10.0.0.1:80",
        POLLER_STATE="memory://",
    )

    assert "not a setting" not in done.stderr
    assert "missing" in done.stderr


def test_a_state_file_that_cannot_be_used_is_refused(folder: Path) -> None:
    """Before anything starts."""
    path = write(folder, file_with())

    done = poller(folder, "run", str(path), "--state", f"sqlite:///{folder}")

    assert done.returncode == 2
    assert f"state file {folder} cannot be used" in done.stderr


def test_help_imports_nothing_heavy(folder: Path) -> None:
    """It names the commands and answers at once; the budget is CPU time, because machines are shared."""
    taken = []
    for _ in range(3):
        before = os.times()
        done = poller(folder, "--help")
        after = os.times()
        assert done.returncode == 0
        assert all(command in done.stdout for command in ("run", "validate", "demo", "import", "export"))
        taken.append(after.children_user - before.children_user)
        taken[-1] += after.children_system - before.children_system
    # 150 ms on an idle machine. The least of them: whoever shares its caches can only make it more.
    assert min(taken) < 0.3

    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import poller.cli"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert not [name for name in ("aiobotocore", "botocore", "structlog", "anyio", "rich") if name in loaded]


def test_a_second_poller_on_the_same_state_is_refused(folder: Path) -> None:
    """With the file's name; the first goes on."""
    path = write(folder, file_with())
    state = f"sqlite:///{folder / 'state.db'}"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "POLLER_"))},
        "POLLER_API": "off",
        "POLLER_OPS": "off",
        # Nothing listens there: the mapping tries again and again, which is all this test needs of it.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
    }
    first = subprocess.Popen(
        [sys.executable, "-m", "poller", "run", str(path), "--state", state, "--profile", "test"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert first.stderr is not None
        assert any("mapping_problem" in line for line in first.stderr)

        second = poller(folder, "run", str(path), "--state", state)

        assert second.returncode == 2
        assert "is in use by another process" in second.stderr
        assert first.poll() is None
        begun = time.monotonic()
        first.terminate()
        assert first.wait(timeout=20) == 0
        assert time.monotonic() - begun < 10
    finally:
        first.kill()
        first.communicate()
