"""A server in a child process: started on a port of its own choice, told commands, ended by its id."""

import queue
import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

ANSWER_LIMIT_S = 60.0
STOP_LIMIT_S = 30.0


class Child:
    """Ends with its standard input, also when this process is killed and cannot say so."""

    def __init__(self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        # A server that logs more than a pipe holds would stand still if nobody read it.
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it runs no more."""
        return self._process.poll() is not None

    def port_for(self, usual: int) -> int:
        """The port it took in place of its usual one."""
        return int(self._await_line(rf"port {usual} is (\d+)")[1])

    def tell(self, command: str) -> None:
        """Give one command and wait until it is obeyed."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        self._await_line(r"done \d+")

    def let_go(self) -> None:
        """Close its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def end(self) -> None:
        """Kill it and wait."""
        self._process.kill()
        self._process.wait(STOP_LIMIT_S)
        self._listening.join(STOP_LIMIT_S)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())

    def _await_line(self, pattern: str) -> re.Match[str]:
        while True:
            found = re.fullmatch(pattern, self._lines.get(timeout=ANSWER_LIMIT_S))
            if found:
                return found
