"""The service as users run it, told from `poller run` only by a task that watches the event loop's lag."""

import os
import sys

import anyio
import orjson

import poller.worker
from poller.cli import main
from poller.worker import Worker

PROBE_S = 0.005


async def _probe(lags: list[float]) -> None:
    """How much later than asked a task is run."""
    while True:
        asked = anyio.current_time() + PROBE_S
        await anyio.sleep(PROBE_S)
        lags.append(anyio.current_time() - asked)


async def _run(worker: Worker) -> int:
    lags: list[float] = []
    async with anyio.create_task_group() as group:
        group.start_soon(_probe, lags)
        code = await _UNWATCHED(worker)
        group.cancel_scope.cancel()
    await anyio.Path(os.environ["LAG_FILE"]).write_bytes(orjson.dumps(lags))
    return code


_UNWATCHED = poller.worker.run_until_signalled
if "LAG_FILE" in os.environ:
    poller.worker.run_until_signalled = _run

if __name__ == "__main__":
    main(sys.argv[1:])
