"""Workers of a fleet as their users start them: one process each, one table, one stream."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from tests.aws.running import logged, until


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """One `poller run`."""

    name: str
    process: subprocess.Popen[str]
    log_file: Path
    ready_at: float | None = None

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Wait for its ready line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready "), (line, self.process.poll(), self.log_file.read_text()[-3000:])
        self.ready_at = time.monotonic()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it alone."""
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 60.0) -> int:
        """End it and wait; its exit code."""
        self.send(number)
        return self.process.wait(timeout_s)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of one event."""
        return logged(self.log_file, event)

    def started(self) -> dict[str, float]:
        """When it began each shard last, by the wall clock."""
        return {line["shard"]: _epoch(line["timestamp"]) for line in self.logged("shard_started")}


class FleetProcesses:
    """All workers of one fleet."""

    def __init__(self, folder: Path, environment: Mapping[str, str], state: str) -> None:
        self.workers: dict[str, WorkerProcess] = {}
        self._folder = folder
        self._state = state
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "POLLER_", "LOG_"))},
            **environment,
            "POLLER_OPS": "off",  # all workers share one host
        }

    def start(
        self,
        name: str,
        *,
        url: str,
        mappings: Sequence[Mapping[str, Any]],
        arguments: Sequence[str] = (),
        ready: bool = True,
    ) -> WorkerProcess:
        """Start a worker whose function `f` is at `url`; without one it is Lambda's."""
        file = self._folder / f"{name}.yaml"
        functions = {"f": {"url": f"{url}/{name}", "timeout": 30}} if url else {}
        file.write_text(yaml.safe_dump({"functions": functions, "mappings": list(mappings)}))
        log_file = self._folder / f"{name}.log"
        with log_file.open("a") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "poller", "run", *([str(file)] if mappings else [])),
                    *("--state", self._state, "--log-level", "info"),
                    *(() if "--api" in arguments else ("--api", "off")),
                    *arguments,
                ],
                cwd=self._folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        worker = self.workers[name] = WorkerProcess(name, process, log_file)
        if ready:
            worker.wait_ready()
        return worker

    def close(self) -> None:
        """End what still runs."""
        for worker in self.workers.values():
            if worker.process.poll() is None:
                worker.send(signal.SIGCONT)
                worker.process.kill()
            worker.process.wait(10)
            assert worker.process.stdout is not None
            worker.process.stdout.close()


def _epoch(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


__all__ = ["FleetProcesses", "WorkerProcess", "until"]
