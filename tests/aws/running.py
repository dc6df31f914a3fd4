"""Runs `poller run` as its users do: a process, a mapping file, handlers of the test."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

HANDLERS = '''
import json, os, time

SEEN = os.environ["SEEN_FILE"]


def _write(line):
    """One write, so that lines of several processes do not mix; on disk before the function answers."""
    handle = os.open(SEEN, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(handle, (json.dumps(line) + "\\n").encode())
    os.close(handle)


def keep(event, context):
    _write({"id": context.aws_request_id, "records": event["Records"]})


def slow(event, context):
    _write({"begun": context.aws_request_id, "records": []})
    time.sleep(float(os.environ.get("SLOW_S", "1.5")))
    keep(event, context)


def steady(event, context):
    time.sleep(0.05)
    keep(event, context)


def held(event, context):
    """Goes on while fewer records were seen than the test allows."""
    _write({"begun": context.aws_request_id, "records": []})
    while _seen() >= _allowed():
        time.sleep(0.01)
    steady(event, context)


def _seen():
    if not os.path.exists(SEEN):
        return 0
    with open(SEEN) as lines:
        return sum(len(json.loads(line)["records"]) for line in lines if line.endswith("\\n"))


def _allowed():
    try:
        with open(os.environ["ALLOWED_FILE"]) as file:
            return int(file.read())
    except FileNotFoundError:
        return 0


def fail(event, context):
    keep(event, context)
    raise ValueError("no")
'''


EVERYTHING = 10**9


class Run:
    """One folder: handlers, a mapping file, state, what the functions saw; and the processes run on it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.seen_file = folder / "seen.jsonl"
        self.state = f"sqlite:///{folder / 'state.db'}"
        self.file = folder / "mappings.yaml"
        self.api = "off"
        self.files: tuple[Path, ...] = (self.file,)
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "POLLER_", "LOG_"))},
            "POLLER_OPS": "off",  # several run side by side
            **environment,
            "SEEN_FILE": str(self.seen_file),
            "ALLOWED_FILE": str(folder / "allowed"),
        }
        self.processes: list[subprocess.Popen[str]] = []
        (folder / "app.py").write_text(HANDLERS)

    def write_file(self, functions: Mapping[str, Any], mappings: Sequence[Mapping[str, Any]]) -> None:
        """Write the mapping file."""
        self.file.write_text(
            yaml.safe_dump({"functions": dict(functions), "mappings": [dict(m) for m in mappings]})
        )

    def start(self, *arguments: str, ready: bool = True) -> subprocess.Popen[str]:
        """Start `poller run`; by default wait for its ready line."""
        errors = (self.folder / "stderr.log").open("a")
        settings = ("--state", self.state, "--profile", "test", "--log-level", "debug", "--api", self.api)
        process = subprocess.Popen(
            [sys.executable, "-m", "poller", "run", *map(str, self.files), *settings, *arguments],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        errors.close()
        self.processes.append(process)
        if ready:
            self.wait_ready(process)
        return process

    def wait_ready(self, process: subprocess.Popen[str]) -> str:
        """The ready line; fails with the log if the process ends instead."""
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready "), (line, process.poll(), self.log()[-3000:])
        return line

    def close(self) -> None:
        """End what is still running."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait(timeout=10)
            assert process.stdout is not None
            process.stdout.close()

    def allow(self, count: int = EVERYTHING) -> None:
        """Let `held` begin nothing more once so many records were seen; without this it begins nothing."""
        (self.folder / "aside").write_text(str(count))
        (self.folder / "aside").rename(self.folder / "allowed")  # so that nobody reads half a number

    def stop_held(self, process: subprocess.Popen[str]) -> int:
        """SIGTERM, and the exit code; what `held` holds is let go once nothing more is begun."""
        drains = len(self.logged("draining"))
        process.send_signal(signal.SIGTERM)
        until(lambda: len(self.logged("draining")) > drains)
        self.allow()
        return process.wait(timeout=30.0)

    def log(self) -> str:
        """What all processes logged."""
        return (self.folder / "stderr.log").read_text(errors="replace")

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of an event, in order."""
        return logged(self.folder / "stderr.log", event)

    def events(self) -> list[dict[str, Any]]:
        """What the functions wrote, in order."""
        return [json.loads(line) for line in whole_lines(self.seen_file)]

    def batches(self) -> list[list[dict[str, Any]]]:
        """The records of each finished invocation."""
        return [event["records"] for event in self.events() if event["records"]]

    def records(self) -> list[dict[str, Any]]:
        """All records, in the order the functions saw them."""
        return [record for batch in self.batches() for record in batch]


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file that another process writes to, without one of which only a part is there yet."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith(b"\n")]


def logged(path: Path, event: str) -> list[dict[str, Any]]:
    """The lines of an event in a log that may still be written to."""
    lines = [json.loads(line) for line in whole_lines(path) if line.startswith(b"{")]
    return [line for line in lines if line["event"] == event]


def until(condition: Callable[[], object], *, timeout_s: float = 120.0) -> None:
    """Wait until a condition holds; the processes under test cannot tell us when."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def stop(process: subprocess.Popen[str], *, timeout_s: float = 30.0) -> int:
    """SIGTERM, and the exit code."""
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=timeout_s)


def repeated(ids: Sequence[str]) -> dict[str, int]:
    """Ids seen more than once, and how often."""
    return {name: count for name, count in Counter(ids).items() if count > 1}
