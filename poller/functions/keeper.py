"""The parent of one handler's process: nothing that the handler starts outlives the two of them.

Run by path in isolated mode, with the standard library alone. It runs none of the handler's code and shares
no descriptor with it but the output: what the handler closes, or signals in its session, does not reach it.

    arguments   the descriptor that leads to the poller, then the command of the runtime
    writes      `<pid>` of the runtime when it has started; `<wait status> <peak KiB>` when nothing is left
    ends        when the runtime ends, when the poller closes its end, when the poller dies: the tree first

On Linux it is the subreaper of all that the runtime starts, daemons in sessions of their own too, and the
kernel kills the runtime should the keeper be killed. Elsewhere it ends the runtime's process group alone.
"""

import ctypes
import os
import resource
import select
import signal
import socket
import sys
from contextlib import suppress

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LINUX = sys.platform == "linux"
# From the kernel when the thread that started this process ends; the process may live on.
PARENT_ENDED = signal.SIGHUP
NOT_EXECUTED = 127  # as shells have it
FIRST_PAUSE_S = 0.005
LONGEST_PAUSE_S = 1.0


def main() -> None:
    """Run a command until it ends or is to end, and see to the end of all that it started."""
    poller = socket.socket(fileno=int(sys.argv[1]))
    poller.set_inheritable(False)
    parent = os.getppid()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_PDEATHSIG, PARENT_ENDED)
    woken = _wake_on_signals()
    keeper = os.getpid()
    runtime = os.fork()
    if runtime == 0:
        _become_runtime(sys.argv[2:], keeper)
    _report(poller, f"{runtime}\n")
    status = _until_ended(runtime, poller, woken, parent)
    _end_tree(runtime, woken)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    _report(poller, f"{status} {peak if LINUX else peak // 1024}\n")  # macOS counts bytes
    os._exit(0)


def _prctl(option: int, value: int) -> None:
    """Ask Linux for something; who starts this process has found out that it can be had."""
    if LINUX:
        nothing = ctypes.c_ulong(0)
        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), nothing, nothing, nothing)


def _report(poller: socket.socket, line: str) -> None:
    with suppress(OSError):  # it is gone
        poller.send(line.encode())


def _wake_on_signals() -> int:
    """Have signals written to a pipe: one that comes while nobody waits is not lost."""
    woken, waking = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(waking, False)
    # A service manager, or a terminal, may signal every process of a service: the poller decides what ends.
    for number in (signal.SIGINT, signal.SIGTERM, PARENT_ENDED, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    return woken


def _become_runtime(command: list[str], keeper: int) -> None:
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # the interpreter ignores them, for its children too
            signal.signal(number, signal.SIG_DFL)
        # What the handler does to its process group does not reach the keeper.
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == keeper:
            os.execv(command[0], command)  # noqa: S606 - without a shell, as is meant
    except BaseException as error:  # noqa: BLE001 - this is a copy of the keeper, which must not go on as one
        os.write(2, f"the runtime cannot be started: {error}\n".encode())
    os._exit(NOT_EXECUTED)


def _until_ended(runtime: int, poller: socket.socket, woken: int, parent: int) -> int:
    """Wait for the end of the runtime, and bring it about where it is time; returns its wait status."""
    waiting = select.poll()
    # The poller never writes: once its end can be read, it is closed.
    waiting.register(poller, select.POLLIN)
    waiting.register(woken, select.POLLIN)
    closed = False
    status = _reap(runtime)
    while status is None and not closed and os.getppid() == parent:
        closed = any(descriptor == poller.fileno() for descriptor, _ in waiting.poll())
        _drain(woken)
        status = _reap(runtime)
    pause_s = FIRST_PAUSE_S
    while status is None:
        _kill(runtime)
        pause_s = _pause(woken, pause_s)
        status = _reap(runtime)
    return status


def _end_tree(runtime: int, woken: int) -> None:
    """Kill what is left until nothing is: what loses its parent meanwhile becomes a child of this process."""
    if not LINUX:
        # No other process has the id of the leader, which has ended, while its group has members.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(runtime, signal.SIGKILL)
        return
    pause_s = FIRST_PAUSE_S
    while _has_children():
        for pid in _descendants():
            _kill(pid)
        pause_s = _pause(woken, pause_s)


def _reap(runtime: int) -> int | None:
    """Collect every child that has ended; returns the wait status of the runtime where it is among them."""
    found = None
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == runtime:
                found = status
    return found


def _has_children() -> bool:
    """Whether any is left, those that have ended collected."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return False
    return True


def _descendants() -> list[int]:
    """Return all processes that stem from this one, parents first."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib takes longer to import than all this
        if name.isdigit():
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                parent = int(file.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found = list(children.get(os.getpid(), ()))
    for pid in found:
        found += children.get(pid, ())
    return found


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # it has ended, or is another user's
        os.kill(pid, signal.SIGKILL)


def _pause(woken: int, pause_s: float) -> float:
    """Wait until a child has ended, `pause_s` at most; returns how long to wait the next time."""
    select.select([woken], [], [], pause_s)
    _drain(woken)
    return min(pause_s * 2, LONGEST_PAUSE_S)


def _drain(woken: int) -> None:
    with suppress(BlockingIOError):
        os.read(woken, 4096)


if __name__ == "__main__":
    main()
