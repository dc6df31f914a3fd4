"""Writes numbered records without pause while a test does something else."""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.aws.running import until

CHUNK = 5


class Flow:
    """Numbers written so far, from zero upwards."""

    def __init__(self, put: Callable[[range], None]) -> None:
        self._put = put
        self._stopping = threading.Event()
        self.written = 0

    def go_on(self, count: int = 40) -> None:
        """Wait until so many more are written."""
        goal = self.written + count
        until(lambda: self.written >= goal or self._stopping.is_set(), timeout_s=60)

    def run(self) -> None:
        try:
            for begin in itertools.count(step=CHUNK):
                if self._stopping.wait(0.01):
                    return
                self._put(range(begin, begin + CHUNK))
                self.written = begin + CHUNK
        finally:
            self.stop()

    def stop(self) -> None:
        self._stopping.set()


@contextmanager
def flowing(put: Callable[[range], None]) -> Iterator[Flow]:
    """Write in a thread until the block ends; what went wrong there is raised here."""
    flow = Flow(put)
    with ThreadPoolExecutor(max_workers=1) as threads:
        running = threads.submit(flow.run)
        try:
            yield flow
        finally:
            flow.stop()
        running.result()
