"""Processes of a host: how many there are, and that none outlives its purpose."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import anyio
import orjson

from poller.core.outcomes import LostReply, Outcome, Unreachable
from tests.functions.hosting import PATIENCE_S, Define, Start, failure, lives, number_in, result, until

# Says that it runs, then waits to be released.
HOLD = """
    import os, pathlib, time

    def handler(event, context):
        pathlib.Path(f"running-{event}").write_text(f"{os.getpid()}.")
        while not pathlib.Path("release").exists():
            time.sleep(0.005)
        return os.getpid()
"""
# Starts a process of its own and waits for ever.
PARENT = """
    import pathlib, subprocess, sys, time

    def handler(event, context):
        if event: return event
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        pathlib.Path("child").write_text(f"{child.pid}.")
        time.sleep(600)
"""


async def test_invocations_overlap_up_to_the_concurrency_and_the_next_one_waits(
    start: Start, tmp_path: Path
) -> None:
    """Four run at once in four processes; the fifth runs when one of them is done."""
    host = await start(HOLD, concurrency=4)
    pids: list[object] = []

    async def invoke(number: int) -> None:
        pids.append(await result(host, number))

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(invoke, number)
        for number in range(4):
            await number_in(tmp_path / f"running-{number}")
        assert not (tmp_path / "running-4").exists()
        (tmp_path / "release").touch()
    assert (tmp_path / "running-4").exists()
    assert len(pids) == 5
    assert len(set(pids)) == 4


async def test_waiting_invocations_are_served_in_their_order(start: Start) -> None:
    """Nobody is overtaken."""
    host = await start("def handler(event, context): return event")
    served: list[object] = []

    async def invoke(number: int) -> None:
        served.append(await result(host, number))

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(invoke, number)
    assert served == list(range(20))


async def test_a_process_is_started_only_when_it_is_needed(start: Start) -> None:
    """One invocation after the other needs one process, whatever the concurrency."""
    host = await start("import os\ndef handler(event, context): return os.getpid()", concurrency=8)
    assert len({await result(host) for _ in range(10)}) == 1


async def test_a_deadline_kills_the_process_and_what_it_started(start: Start, tmp_path: Path) -> None:
    """Both are gone when the outcome is known, and the next invocation has a process."""
    host = await start(PARENT, timeout_s=2.0)
    assert (await failure(host)).error_type == "Sandbox.Timedout"
    child = await number_in(tmp_path / "child")
    await until(lambda: not lives(child))
    assert await result(host, 1) == 1


async def test_an_exit_kills_what_the_process_started(start: Start, tmp_path: Path) -> None:
    """The children of a handler that crashed do not live on."""
    host = await start(PARENT.replace("time.sleep(600)\n", "__import__('os')._exit(1)\n", 1))
    assert (await failure(host)).error_type == "Runtime.ExitError"
    child = await number_in(tmp_path / "child")
    await until(lambda: not lives(child))


async def test_a_cancelled_invocation_ends_its_process(start: Start, tmp_path: Path) -> None:
    """Half-done work is not continued, and its process not used again."""
    host = await start(HOLD)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(result, host, 1)
        pid = await number_in(tmp_path / "running-1")
        tasks.cancel_scope.cancel()
    await until(lambda: not lives(pid))
    (tmp_path / "release").touch()
    assert await result(host, 2) != pid


async def test_an_idle_process_that_died_costs_no_invocation(start: Start) -> None:
    """An event that was never handed over goes to another process."""
    host = await start("import os\ndef handler(event, context): return os.getpid()")
    pid = await result(host)
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not lives(pid))
    assert await result(host) != pid


async def test_close_leaves_no_process(start: Start, tmp_path: Path) -> None:
    """What ran is a lost reply, what waited never reached the function, and every process is gone."""
    host = await start(HOLD, concurrency=2)
    outcomes: list[Outcome] = []

    async def invoke(number: int) -> None:
        outcomes.append(await host.invoke(orjson.dumps(number), request_id="request-1"))

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(invoke, number)
        pids = [await number_in(tmp_path / f"running-{number}") for number in range(2)]
        await host.close()
        assert not any(lives(pid) for pid in pids)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LostReply", "LostReply", "Unreachable"]
    assert {LostReply, Unreachable} == {type(outcome) for outcome in outcomes}


async def test_closing_twice_is_fine(start: Start) -> None:
    """The second close finds nothing to do."""
    host = await start("def handler(event, context): pass")
    await host.close()
    await host.close()
    assert not host.open


async def test_a_closed_host_runs_nothing(start: Start) -> None:
    """An invocation after the close is refused with data."""
    host = await start("def handler(event, context): pass")
    await host.close()
    assert isinstance(await host.invoke(b"1", request_id="request-1"), Unreachable)


async def test_no_descriptor_is_kept_of_processes_that_ended(start: Start) -> None:
    """Pipes and ports go with their process."""
    host = await start("import os\ndef handler(event, context): os._exit(1) if event else None")
    await result(host)
    before = open_descriptors()
    for _ in range(5):
        await failure(host, 1)
    await result(host)
    await until(lambda: open_descriptors() <= before)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_a_handler_prints_reaches_the_standard_output(
    poller: Callable[[object], subprocess.Popen[bytes]], define: Define
) -> None:
    """The standard output is for the one line that the poller itself promises."""
    define(
        "import os\nprint('import')\ndef handler(event, context):\n    print('out')\n    os.write(1, b'raw')"
    )
    process = poller("hang")
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert out == b""
    assert all(text in err for text in (b"import", b"out", b"raw"))
