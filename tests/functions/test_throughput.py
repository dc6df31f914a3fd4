"""A short run of the measurement; `make bench-host` makes fifty thousand invocations."""

from pathlib import Path

from tests.functions.throughput import measure


async def test_many_invocations_leave_nothing_behind(tmp_path: Path) -> None:
    """A thousand batches later there are as many processes and descriptors as before."""
    measured = await measure(tmp_path, invocations=1000)

    assert list(measured.leaks()) == []
    before, after = measured.processes  # other tests may keep servers of their own
    assert before == after >= 2
