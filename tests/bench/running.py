"""Runs one candidate against the stub: starts it, warms it up, measures, lets it finish."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.bench.measuring import Cost, cost_of
from tests.bench.workloads import REGION, Workload

START_LIMIT_S = 60.0
FINISH_LIMIT_S = 30.0
LOOK_S = 0.05
CANDIDATES = ("floor", "service", "service off the hot path", "aiobotocore", "boto3 threads")
_MODULES = {"floor": "floor", "aiobotocore": "naive", "boto3 threads": "threads"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of one candidate showed."""

    candidate: str
    workload: str
    records: int
    cpu_ms_per_1000: float
    records_per_s: float
    peak_rss_mb: float
    account: Mapping[str, int]
    exit_code: int | None = None
    lag_p99_ms: float | None = None
    lag_max_ms: float | None = None

    @property
    def clean(self) -> bool:
        """Nothing lost, repeated or out of order."""
        faults = ("duplicates", "out_of_order", "unacknowledged")
        return not any(self.account[name] for name in faults) and self.exit_code in {None, 0}


class StubServer:
    """The stub's process, and its control."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._port = port

    def start(self, workload: Workload) -> None:
        """Begin a run."""
        self._ask("/bench/start", json.dumps(asdict(workload)))

    def stop(self) -> None:
        """End the supply."""
        self._ask("/bench/stop")

    def account(self) -> dict[str, int]:
        """How the run stands."""
        return self._ask("/bench/account")

    def _ask(self, path: str, body: str = "") -> dict[str, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request("POST", path, body)
        answer: dict[str, int] = json.loads(connection.getresponse().read())
        connection.close()
        return answer


@contextmanager
def serving() -> Iterator[StubServer]:
    """Run the stub."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield StubServer(int(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long to warm up, and to measure."""

    warm_s: float = 2.0
    measured_s: float = 3.0


class Bench:
    """Runs candidates against one stub, in one folder."""

    def __init__(self, stub: StubServer, folder: Path, times: Times) -> None:
        self._stub = stub
        self._folder = folder
        self._times = times

    def run(self, candidate: str, workload: Workload, *, watch_lag: bool = False) -> Run:
        """Run a candidate once."""
        self._stub.start(workload)
        lag_file = self._folder / "lags.json"
        with self._started(candidate, workload, lag_file if watch_lag else None) as process:
            self._until_flowing(process)
            time.sleep(self._times.warm_s)
            first, began, before = self._sample(process)
            time.sleep(self._times.measured_s)
            last, ended, after = self._sample(process)
            self._finish()
            cost = cost_of(process.pid)
            code = self._stop(process, candidate)
        records = last["distinct"] - first["distinct"]
        lags = sorted(json.loads(lag_file.read_text())) if watch_lag else []
        return Run(
            candidate=candidate,
            workload=workload.name,
            records=records,
            cpu_ms_per_1000=(after.cpu_s - before.cpu_s) * 1_000_000 / max(records, 1),
            records_per_s=records / (ended - began),
            peak_rss_mb=cost.peak_rss_mb,
            account=self._stub.account(),
            exit_code=code,
            lag_p99_ms=lags[int(len(lags) * 0.99)] * 1000 if lags else None,
            lag_max_ms=lags[-1] * 1000 if lags else None,
        )

    def idle(self, workload: Workload, *, settle_s: float, measured_s: float) -> dict[str, Any]:
        """What the service costs with nothing to read."""
        self._stub.start(workload)
        with self._started("service", workload, None, profile="default") as process:
            assert process.stdout is not None
            began = time.monotonic()
            assert process.stdout.readline().startswith("ready")
            ready_s = time.monotonic() - began
            started = cost_of(process.pid)
            time.sleep(settle_s)
            before = cost_of(process.pid)
            time.sleep(measured_s)
            after = cost_of(process.pid)
            code = self._stop(process, "service")
        return {
            "shards": workload.shards,
            "ready_s": ready_s,
            "start_cpu_s": started.cpu_s,
            "cpu_percent": (after.cpu_s - before.cpu_s) / measured_s * 100,
            "rss_mb": after.rss_mb,
            "peak_rss_mb": after.peak_rss_mb,
            "exit_code": code,
        }

    def _sample(self, process: "subprocess.Popen[str]") -> tuple[dict[str, int], float, Cost]:
        return self._stub.account(), time.monotonic(), cost_of(process.pid)

    def _until_flowing(self, process: "subprocess.Popen[str]") -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while not self._stub.account()["distinct"]:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"it did not start: {(self._folder / 'stderr.log').read_text()[-2000:]}")
            time.sleep(LOOK_S)

    def _finish(self) -> None:
        """End the supply and wait until everything is acknowledged."""
        self._stub.stop()
        deadline = time.monotonic() + FINISH_LIMIT_S
        while self._stub.account()["unacknowledged"] and time.monotonic() < deadline:
            time.sleep(LOOK_S)

    def _stop(self, process: "subprocess.Popen[str]", candidate: str) -> int | None:
        """The service must drain; the others just end."""
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=60)
        return code if candidate.startswith("service") else None

    @contextmanager
    def _started(
        self, candidate: str, workload: Workload, lag_file: Path | None, profile: str = "test"
    ) -> Iterator["subprocess.Popen[str]"]:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "POLLER_", "LOG_"))},
            "AWS_ENDPOINT_URL": self._stub.url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if lag_file is not None:
            environment["LAG_FILE"] = str(lag_file)
        with (self._folder / "stderr.log").open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", *self._command(candidate, workload, profile)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait(timeout=10)
            assert process.stdout is not None
            process.stdout.close()

    def _command(self, candidate: str, workload: Workload, profile: str) -> list[str]:
        if candidate in _MODULES:
            return [f"tests.bench.candidates.{_MODULES[candidate]}", json.dumps(asdict(workload))]
        file = self._folder / "mappings.yaml"
        file.write_text(yaml.safe_dump(workload.mapping()))
        state = self._folder / "state.db"
        for left in self._folder.glob("state.db*"):
            left.unlink()
        hot_path = "on" if candidate == "service" else "off"
        options = ["--state", f"sqlite:///{state}", "--profile", profile, "--hot-path", hot_path]
        options += ["--api", "off", "--ops", "off"]
        return ["tests.bench.candidates.service", "run", str(file), *options]
