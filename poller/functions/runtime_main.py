"""The main program of a handler's process: runs the runtime client.

Run by path, so that neither the poller nor its dependencies are on the handler's import path.
"""

import os
import sys

from awslambdaric.__main__ import main as run


def main() -> None:
    # After that import, so that a module of the handler's root cannot stand in for one the runtime needs.
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    run(["awslambdaric", sys.argv[1]])


if __name__ == "__main__":
    main()
