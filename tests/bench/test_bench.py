"""The bench measures what it says: a short run of each kind, with every record accounted for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.report import rows, table
from tests.bench.running import CANDIDATES, Bench, StubServer, Times, serving
from tests.bench.workloads import Workload

SHORT = Times(warm_s=0.2, measured_s=0.6)
QUEUE = Workload(kind="sqs", batch=10)
STREAM = Workload(kind="kinesis", batch=100, shards=2, page=500)
TABLE = Workload(kind="dynamodb", batch=100, shards=2, page=500, record_bytes=100)


@pytest.fixture(scope="module")
def stub() -> Iterator[StubServer]:
    with serving() as server:
        yield server


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_every_candidate_does_the_job(stub: StubServer, tmp_path: Path, candidate: str) -> None:
    """Receive, invoke, delete: nothing lost, nothing twice."""
    run = Bench(stub, tmp_path, SHORT).run(candidate, QUEUE)

    assert run.clean, run
    assert run.records > 0
    assert f"{candidate}" in table(rows([run]))


@pytest.mark.parametrize("workload", [STREAM, TABLE], ids=["kinesis", "dynamodb"])
def test_the_service_reads_streams_in_order(stub: StubServer, tmp_path: Path, workload: Workload) -> None:
    """With checkpoints on, and drained at the end."""
    run = Bench(stub, tmp_path, SHORT).run("service", workload)

    assert run.clean, run
    assert run.account["distinct"] == run.account["handed_out"] > 0
