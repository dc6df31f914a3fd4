"""The main program of a handler's process: ties its life to the poller's, then runs the runtime client.

Run by path, so that neither the poller nor its dependencies are on the handler's import path.
"""

import fcntl
import os
import select
import signal
import sys


def main() -> None:
    handler, lifeline = sys.argv[1], int(sys.argv[2])
    _die_with_the_poller(lifeline)
    from awslambdaric.__main__ import main as run  # noqa: PLC0415 - nothing may take time before the line above

    # After that import, so that a module of the handler's root cannot stand in for one the runtime needs.
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    run(["awslambdaric", handler])


def _die_with_the_poller(lifeline: int) -> None:
    """Have the kernel kill this process group when the poller, which holds the other end, is gone.

    The poller never writes to this pipe; it is closed when the poller dies, however it dies. Unlike a
    parent-death signal this reaches the processes that the handler started, and no thread is needed here.
    """
    if not hasattr(fcntl, "F_SETSIG"):  # Linux only
        return
    os.set_inheritable(lifeline, False)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    # It may have died before the signal was asked for.
    if select.select([lifeline], [], [], 0)[0]:
        os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
