"""`python -m tests.bench`: what a record costs the service, beside the floor and the naive loops."""

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.report import as_json, rows, table
from tests.bench.running import CANDIDATES, Bench, Run, Times, serving
from tests.bench.workloads import IDLE, WORKLOADS, Workload

HELP_TRIES = 5


def main() -> int:
    """Exit code 1 where a record was lost, repeated or out of order."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm", type=float, default=2.0, help="seconds before measuring")
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds of measuring")
    parser.add_argument("--only", default="", help="workloads with this in their name")
    parser.add_argument("--candidates", default=",".join(CANDIDATES))
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where results go")
    parser.add_argument("--idle", type=int, default=1_000, help="idle shards; 0 to leave that out")
    options = parser.parse_args()
    candidates = options.candidates.split(",")
    workloads = [workload for workload in WORKLOADS if options.only in workload.name]
    times = Times(warm_s=options.warm, measured_s=options.seconds)
    with serving() as stub, tempfile.TemporaryDirectory() as folder:
        bench = Bench(stub, Path(folder), times)
        runs = _rounds(bench, options.rounds, workloads, candidates)
        lags = [_lag(bench, workload) for workload in workloads if "service" in candidates]
        idle = _idle(bench, options.idle)
    help_ms = _help_ms()
    _say(table(rows(runs)))
    for run in lags:
        _say(f"{run.workload:34} loop lag p99 {run.lag_p99_ms:.1f} ms, max {run.lag_max_ms:.1f} ms")
    _say(f"idle: {json.dumps(idle)}")
    _say(f"poller --help: {help_ms:.0f} ms")
    about = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "commit": _commit(),
        "host": _host(),
    }
    found = as_json(runs, about=about, idle=idle, help_ms=help_ms, lag=[_lag_of(run) for run in lags])
    options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0 if all(run.clean for run in (*runs, *lags)) else 1


def _rounds(bench: Bench, rounds: int, workloads: list[Workload], candidates: list[str]) -> list[Run]:
    """Candidates take turns on each workload, round after round."""
    runs: list[Run] = []
    for number in range(rounds):
        for workload in workloads:
            for candidate in candidates:
                run = bench.run(candidate, workload)
                runs.append(run)
                _say(f"{number + 1}/{rounds} {_line(run)}")
    return runs


def _line(run: Run) -> str:
    faults = "" if run.clean else dict(run.account)
    cost = f"{run.cpu_ms_per_1000:8.2f} ms/1000 {run.records_per_s:9.0f}/s"
    return f"{run.workload:34} {run.candidate:24} {cost} {faults}"


def _lag(bench: Bench, workload: Workload) -> Run:
    return bench.run("service", workload, watch_lag=True)


def _lag_of(run: Run) -> dict[str, Any]:
    return {"workload": run.workload, "p99_ms": run.lag_p99_ms, "max_ms": run.lag_max_ms}


def _idle(bench: Bench, shards: int) -> dict[str, Any]:
    if not shards:
        return {}
    fields = {name: getattr(IDLE, name) for name in ("kind", "batch", "page", "supply")}
    return bench.idle(Workload(**fields, shards=shards), settle_s=5.0, measured_s=10.0)


def _help_ms() -> float:
    """The best of a few starts, as a shell sees it."""
    command = [str(Path(sys.executable).with_name("poller")), "--help"]
    times = []
    for _ in range(HELP_TRIES):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append((time.perf_counter() - began) * 1000)
    return min(times)


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def _host() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
