"""The image's command, as its user, on a tree it may not write to."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.aws.running import until
from tests.conftest import Moto
from tests.container.dockerfile import stages
from tests.container.sandbox import UID, Sandbox, need_namespaces

HANDLER = """
import json, os

PLACES = ["/", "/app", "/etc/poller", "/etc", "/var/lib", "/usr", "/tmp", "/var/lib/poller"]


def _can_write(folder):
    try:
        with open(os.path.join(folder, "probe"), "w"):
            return True
    except OSError:
        return False


def handle(event, context):
    said = {"uid": os.getuid(), "groups": os.getgroups(), "written": [p for p in PLACES if _can_write(p)],
            "caps": [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")],
            "count": len(event["Records"])}
    with open("/tmp/said.jsonl", "a") as file:
        file.write(json.dumps(said) + "\\n")
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """One for this test."""
    need_namespaces()
    made = Sandbox(tmp_path)
    made.make()
    (tmp_path / "app" / "app.py").write_text(HANDLER)
    return made


def _mount_mappings(folder: Path, document: dict[str, Any]) -> None:
    """As the kubelet lays a ConfigMap out."""
    version = folder / "..2026_01_01"
    version.mkdir()
    (version / "mappings.yaml").write_text(yaml.safe_dump(document))
    (folder / "..data").symlink_to(version.name)
    (folder / "mappings.yaml").symlink_to("..data/mappings.yaml")


def _healthy(port: int) -> bool:
    """What HEALTHCHECK runs, on the port it was given here."""
    _, *command = stages()[-1].command("HEALTHCHECK")
    command = [word.replace("9464", str(port)) for word in command]
    return subprocess.run([sys.executable, *command], capture_output=True, check=False).returncode == 0


def test_it_works_without_rights_on_a_read_only_tree(moto: Moto, sandbox: Sandbox) -> None:
    """A stream is read, a handler is hosted, the checkpoint is durable, and SIGTERM drains."""
    stream, arn = moto.stream(1)
    _mount_mappings(
        sandbox.mappings,
        {
            "functions": {"f": {"handler": "app:handle", "timeout": 10}},
            "mappings": [{"EventSourceArn": arn, "FunctionName": "f", "StartingPosition": "TRIM_HORIZON"}],
        },
    )
    for number in range(3):
        moto.client("kinesis").put_record(StreamName=stream, Data=b"x", PartitionKey=str(number))
    said_file = sandbox.folder / "tmp" / "said.jsonl"

    process = sandbox.start(
        {**moto.environment, "POLLER_OPS": "127.0.0.1:0", "POLLER_API": "off", "POLLER_PROFILE": "test"}
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready mappings=1\n", sandbox.log()
        until(said_file.exists)
        owner = Path(f"/proc/{process.pid}").stat().st_uid
        port = next(json.loads(x)["port"] for x in sandbox.log().splitlines() if "ops_listening" in x)
        healthy = _healthy(port)
        process.terminate()
        code = process.wait(timeout=60)
    finally:
        process.kill()
        process.communicate()

    said = [json.loads(line) for line in said_file.read_text().splitlines()]
    state = (sandbox.folder / "state" / "state.db").stat()
    assert code == 0, sandbox.log()
    assert sum(each["count"] for each in said) == 3
    assert (owner, said[0]["uid"], said[0]["groups"]) == (UID, UID, [])
    assert said[0]["caps"] == ["0000000000000000"]
    assert said[0]["written"] == ["/tmp", "/var/lib/poller"]
    assert (state.st_uid, stat.S_IMODE(state.st_mode)) == (UID, 0o600)
    assert healthy
    assert not _healthy(port)


def test_a_state_folder_it_may_not_write_is_told(moto: Moto, sandbox: Sandbox) -> None:
    """A volume without fsGroup: one sentence, and nothing started."""
    _, arn = moto.queue()
    _mount_mappings(
        sandbox.mappings,
        {
            "functions": {"f": {"handler": "app:handle", "timeout": 10}},
            "mappings": [{"EventSourceArn": arn, "FunctionName": "f"}],
        },
    )
    os.chown(sandbox.folder / "state", 0, 0)

    process = sandbox.start({**moto.environment, "POLLER_OPS": "off", "POLLER_API": "off"})
    process.communicate(timeout=60)

    assert process.returncode == 2
    assert "error: state file /var/lib/poller/state.db cannot be used: [Errno 13]" in sandbox.log()
