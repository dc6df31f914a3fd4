"""What a handler starts ends with it, however it was started and however the end comes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from poller.functions.orphans import kill_marked, tree_problem
from tests.functions.hosting import Define, Start, failure, lives, number_in, result, until

# The ways to start a process: all but the first leave the process group, the last two the environment too.
WAYS = ("plain", "session", "daemon", "deaf", "subreaper", "bare", "bare_daemon")
HANDLER = """
    import os, pathlib, signal, subprocess, sys, time

    SLEEP = "; open(sys.argv[1], 'w').write(f'{os.getpid()}.'); time.sleep(600)"
    DEAF = "import os, signal, sys, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]" + SLEEP
    SUBREAPER = "import ctypes, os, subprocess, sys, time; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); " \\
        "subprocess.Popen(['sh', '-c', 'printf $$. > ' + sys.argv[1] + '; exec sleep 600'], " \\
        "start_new_session=True); time.sleep(600)"

    def daemon(note, environment):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execve("/bin/sh", ["sh", "-c", f"printf $$. > {note}; exec sleep 600"], environment)
            os._exit(0)
        os.wait()

    def sleep(note, **how):
        child = subprocess.Popen(["sleep", "600"], **how)
        pathlib.Path(note).write_text(f"{child.pid}.")

    def program(text, note):
        subprocess.Popen([sys.executable, "-c", text, note], start_new_session=True)

    def start(way, note):
        match way:
            case "plain": sleep(note)
            case "session": sleep(note, start_new_session=True)
            case "daemon": daemon(note, os.environ)
            case "deaf": program(DEAF, note)
            case "subreaper": program(SUBREAPER, note)
            case "bare": sleep(note, start_new_session=True, env={})
            case "bare_daemon": daemon(note, {})
        while not pathlib.Path(note).exists():
            time.sleep(0.005)

    def handler(event, context):
        ending, ways = event
        pathlib.Path(f"runtime-{ways[0]}").write_text(f"{os.getpid()}.")
        for way in ways:
            start(way, f"child-{way}")
        match ending:
            case "close": os.closerange(0, 4096)
            case "exit": os._exit(3)
            case "die": os.kill(os.getpid(), signal.SIGKILL)
            case "end": return os.getpid()
            case "parent": return os.getppid()
            case "keeper": os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
"""


async def children(folder: Path) -> list[int]:
    """The processes that were started in each of the ways."""
    return [await number_in(folder / f"child-{way}") for way in WAYS]


@pytest.mark.parametrize(
    ("ending", "error"),
    [
        ("hang", "Sandbox.Timedout"),
        ("close", "Sandbox.Timedout"),
        ("exit", "Runtime.ExitError"),
        ("die", "Runtime.ExitError"),
    ],
)
async def test_nothing_is_left_when_the_outcome_is_known(
    start: Start, ending: str, error: str, tmp_path: Path
) -> None:
    """Timeout, exit and death end the whole tree first, also where the handler closed all descriptors."""
    host = await start(HANDLER, timeout_s=5.0)
    assert (await failure(host, [ending, WAYS])).error_type == error
    assert not any(map(lives, await children(tmp_path)))


async def test_a_close_ends_what_a_handler_left_running(start: Start, tmp_path: Path) -> None:
    """What runs on after the answer lives as long as its process, as on Lambda, and no longer."""
    host = await start(HANDLER)
    await result(host, ["end", WAYS])
    left = [*await children(tmp_path), await number_in(tmp_path / "runtime-plain")]
    assert all(map(lives, left))
    await host.close()
    assert not any(map(lives, left))


@pytest.mark.parametrize("ending", ["hang", "close"])
async def test_sigkill_of_the_poller_leaves_nothing(
    poller: Callable[[object], subprocess.Popen[bytes]], define: Define, ending: str, tmp_path: Path
) -> None:
    """Neither the runtime nor what left its group runs on beside the next start."""
    define(HANDLER)
    process = poller([ending, WAYS])
    left = [*await children(tmp_path), await number_in(tmp_path / "runtime-plain")]
    assert all(map(lives, left))
    process.kill()
    await until(lambda: not any(map(lives, left)))


async def test_a_handler_that_kills_its_parent_ends_with_what_inherited_its_environment(
    start: Start, tmp_path: Path
) -> None:
    """The kernel ends the runtime, and its variables name the rest."""
    host = await start(HANDLER)
    assert (await failure(host, ["keeper", ["daemon"]])).error_type == "Runtime.ExitError"
    left = [await number_in(tmp_path / name) for name in ("child-daemon", "runtime-daemon")]
    await until(lambda: not any(map(lives, left)))


async def test_a_process_that_runs_from_its_end_is_caught(start: Start, tmp_path: Path) -> None:
    """A chain of processes, each of which starts the next one and ends, is followed to its last."""
    host = await start(
        """
        import os, pathlib, subprocess, sys

        CHAIN = "import os, time\\n" \\
            "while True:\\n" \\
            "    if os.fork(): os._exit(0)\\n" \\
            "    os.setsid(); open('links', 'a').write('x'); time.sleep(0.001)\\n"

        def handler(event, context):
            subprocess.Popen([sys.executable, "-c", CHAIN], start_new_session=True)
            while not pathlib.Path("links").exists(): pass
            os._exit(3)
        """
    )
    assert (await failure(host)).error_type == "Runtime.ExitError"
    links = (tmp_path / "links").stat().st_size
    await anyio.sleep(0.05)
    assert (tmp_path / "links").stat().st_size == links


async def test_a_signal_to_every_process_of_the_service_leaves_keepers_in_place(
    start: Start, tmp_path: Path
) -> None:
    """A service manager's SIGTERM or a terminal that is closed ends no keeper before its tree."""
    host = await start(HANDLER)
    runtime = await result(host, ["end", ["session"]])
    child = await number_in(tmp_path / "child-session")
    keeper = await result(host, ["parent", ["session"]])
    assert isinstance(keeper, int)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(keeper, number)
    assert await result(host, ["end", ["session"]]) == runtime
    await host.close()
    assert not any(map(lives, (child, keeper)))


async def test_a_handler_starts_with_the_signals_of_a_shell(start: Start) -> None:
    """What it starts is not born deaf, neither to a pipe that has closed nor to SIGTERM."""
    host = await start(
        """
        import subprocess

        def handler(event, context):
            command = ["grep", "Sig[BI]", "/proc/self/status"]
            text = subprocess.run(command, capture_output=True, text=True).stdout
            return [int(line.split()[1], 16) for line in text.splitlines()]
        """
    )
    # 32 and 33 are the C library's own, which lets nobody change them.
    masks = await result(host)
    assert isinstance(masks, list)
    assert [mask & ~(0b11 << 31) for mask in masks] == [0, 0]


def test_processes_are_found_by_what_they_have_inherited() -> None:
    """Those with the variable end; one with a longer value does not."""
    marked, other = (
        subprocess.Popen(["sleep", "600"], env={"MARK": value}, start_new_session=True)
        for value in ("127.0.0.1:1", "127.0.0.1:12")
    )
    try:
        kill_marked(b"MARK=127.0.0.1:1")
        assert marked.wait(10) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_this_system_lacks_nothing_that_a_keeper_needs() -> None:
    """The tests above hold for it."""
    assert tree_problem() is None


def test_a_system_without_means_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what cannot be had there."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert tree_problem() == "darwin has no means to find processes that leave their process group"
