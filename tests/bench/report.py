"""Results of a bench: the best of each candidate's rounds, ratios, targets, as a table and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from tests.bench.running import CANDIDATES, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One candidate on one workload."""

    workload: str
    candidate: str
    cpu_ms_per_1000: float
    """The least of the rounds: whatever else the machine does can only add."""
    median_cpu_ms_per_1000: float
    records_per_s: float
    peak_rss_mb: float
    to_floor: float
    to_naive: float
    clean: bool


def rows(runs: Sequence[Run]) -> list[Row]:
    """Sum the rounds up."""
    made: list[Row] = []
    for workload in dict.fromkeys(run.workload for run in runs):
        floor = _least(runs, workload, "floor")
        naive = _least(runs, workload, "aiobotocore")
        for candidate in CANDIDATES:
            mine = [run for run in runs if (run.workload, run.candidate) == (workload, candidate)]
            if not mine:
                continue
            cpu = min(run.cpu_ms_per_1000 for run in mine)
            made.append(
                Row(
                    workload=workload,
                    candidate=candidate,
                    cpu_ms_per_1000=cpu,
                    median_cpu_ms_per_1000=median(run.cpu_ms_per_1000 for run in mine),
                    records_per_s=max(run.records_per_s for run in mine),
                    peak_rss_mb=max(run.peak_rss_mb for run in mine),
                    to_floor=cpu / floor if floor else 0.0,
                    to_naive=naive / cpu if cpu else 0.0,
                    clean=all(run.clean for run in mine),
                )
            )
    return made


def table(found: Sequence[Row]) -> str:
    """For people."""
    head = (
        f"{'workload':34} {'candidate':24} {'CPU ms/1000':>11} {'median':>7} {'x floor':>8} "
        f"{'naive/it':>8} {'records/s':>10} {'peak MB':>8}  account"
    )
    lines = [
        f"{row.workload:34} {row.candidate:24} {row.cpu_ms_per_1000:11.2f} {row.median_cpu_ms_per_1000:7.2f} "
        f"{row.to_floor:8.2f} {row.to_naive:8.2f} {row.records_per_s:10.0f} {row.peak_rss_mb:8.0f}  "
        f"{'clean' if row.clean else 'FAULTS'}"
        for row in found
    ]
    return "\n".join((head, *lines))


def as_json(runs: Sequence[Run], **more: Any) -> dict[str, Any]:
    """Everything that was seen."""
    return {**more, "rows": [asdict(row) for row in rows(runs)], "runs": [asdict(run) for run in runs]}


def _least(runs: Sequence[Run], workload: str, candidate: str) -> float:
    found = [r.cpu_ms_per_1000 for r in runs if (r.workload, r.candidate) == (workload, candidate)]
    return min(found, default=0.0)
