"""The main program of the server's process: moto's server, for as long as the parent lives."""

import functools
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.server import ThreadedMotoServer
from moto.sqs.models import SQSBackend

LONG_POLL_STEP_S = 0.02


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line for each request
    _make_queues_thread_safe()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    print(port, flush=True)  # noqa: T201  # how the parent learns it
    # The parent never writes: this returns when it has closed its end, or is gone, however it went.
    sys.stdin.buffer.read()
    # At once: threads may still be answering requests of nobody.
    os._exit(0)


def _make_queues_thread_safe() -> None:
    """Let one request at a time touch the queues.

    moto 5.2 answers each request in a thread and guards nothing: a message that is sent while another one is
    deleted can vanish, and one that two ask for at once goes to both.
    """
    lock = threading.RLock()
    methods = ("send_message", "receive_message", "delete_message", "change_message_visibility")
    guarded = {name: _one_at_a_time(lock, getattr(SQSBackend, name)) for name in methods}
    guarded["receive_message"] = _long_poll(guarded["receive_message"])
    for name, method in guarded.items():
        setattr(SQSBackend, name, method)


def _one_at_a_time(lock: threading.RLock, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def locked(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return method(*args, **kwargs)

    return locked


def _long_poll(receive: Callable[..., Any]) -> Callable[..., Any]:
    """Wait between two looks at the queue, while nobody is kept from it."""

    @functools.wraps(receive)
    def wait(backend: SQSBackend, queue_name: str, count: int, wait_time_s: int, *rest: Any) -> Any:
        deadline = time.monotonic() + wait_time_s
        while True:
            messages = receive(backend, queue_name, count, 0, *rest)
            if messages or time.monotonic() >= deadline:
                return messages
            time.sleep(LONG_POLL_STEP_S)

    return wait


if __name__ == "__main__":
    main()
