"""What keepers do not end: some processes on some systems, and those whose own keeper was killed."""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

PR_GET_CHILD_SUBREAPER = 37
PROC = Path("/proc")


def tree_problem() -> str | None:
    """Return what keeps a keeper from ending everything that a handler starts; None where nothing does."""
    if sys.platform != "linux":
        return f"{sys.platform} has no means to find processes that leave their process group"
    if not (PROC / "self" / "stat").exists():
        return "/proc is not mounted"
    found = ctypes.c_int()
    nothing = ctypes.c_ulong(0)
    try:
        failed = ctypes.CDLL(None).prctl(
            PR_GET_CHILD_SUBREAPER, ctypes.byref(found), nothing, nothing, nothing
        )
    except (OSError, AttributeError):
        failed = True
    return "the kernel has no PR_SET_CHILD_SUBREAPER" if failed else None


def kill_marked(marker: bytes) -> None:
    """Kill every process with this variable, `NAME=value`, in the environment that it was started with."""
    killed: set[int] = set()
    while True:
        found = {int(path.name) for path in PROC.glob("[0-9]*") if _is_marked(path, marker)} - killed
        if not found:
            return
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed |= found  # what they forked meanwhile is found the next time round


def _is_marked(process: Path, marker: bytes) -> bool:
    try:
        return marker in (process / "environ").read_bytes().split(b"\0")
    except OSError:  # ended, or of another user
        return False
