"""What a handler prints, in the log."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from poller.functions.output import LINE_LIMIT_BYTES
from tests.functions.hosting import Start, failure, result, until


@pytest.fixture
def log() -> Iterator[list[EventDict]]:
    """Everything logged during the test."""
    with capture_logs() as entries:
        yield entries


def lines(log: list[EventDict], request_id: str) -> list[str]:
    """What was printed in an invocation."""
    return [
        entry["line"]
        for entry in log
        if entry["event"] == "function_log" and entry["request_id"] == request_id
    ]


async def test_printed_lines_carry_function_and_request_id(start: Start, log: list[EventDict]) -> None:
    """Each line of an invocation is one log entry."""
    host = await start("def handler(event, context):\n    print('first')\n    print('second')")
    await result(host, request_id="request-1")
    entry = {"event": "function_log", "log_level": "info", "function": "audit", "request_id": "request-1"}
    assert [entry | {"line": "first"}, entry | {"line": "second"}] == log


async def test_every_way_of_printing_is_logged_in_order(start: Start, log: list[EventDict]) -> None:
    """Standard output, standard error, logging and what other programs write are one stream."""
    host = await start(
        """
        import logging, subprocess, sys

        def handler(event, context):
            print("out")
            print("err", file=sys.stderr)
            logging.warning("logged")
            subprocess.run(["/bin/sh", "-c", "echo shell"])
            print("unfinished", end="")
        """
    )
    await result(host, request_id="request-1")
    printed = lines(log, "request-1")
    assert [printed[0], printed[1], printed[3], printed[4]] == ["out", "err", "shell", "unfinished"]
    assert printed[2].startswith("[WARNING]\t")
    assert printed[2].endswith("\trequest-1\tlogged")


async def test_lines_belong_to_the_invocation_that_wrote_them(start: Start, log: list[EventDict]) -> None:
    """All that was written before the answer is attributed before the next event is handed over."""
    host = await start(
        "def handler(event, context):\n    for n in range(5): print(context.aws_request_id, n)"
    )
    for number in range(50):
        await result(host, request_id=f"request-{number}")
    for number in range(50):
        assert lines(log, f"request-{number}") == [f"request-{number} {n}" for n in range(5)]


async def test_concurrent_invocations_do_not_mix_their_lines(start: Start, log: list[EventDict]) -> None:
    """Each process has a pipe of its own."""
    host = await start(
        "def handler(event, context):\n    for n in range(5): print(context.aws_request_id, n)", concurrency=3
    )

    async def invoke(number: int) -> None:
        await result(host, request_id=f"request-{number}")

    async with anyio.create_task_group() as tasks:
        for number in range(30):
            tasks.start_soon(invoke, number)
    for number in range(30):
        assert lines(log, f"request-{number}") == [f"request-{number} {n}" for n in range(5)]


async def test_the_last_words_of_a_killed_process_are_logged(start: Start, log: list[EventDict]) -> None:
    """What led to a timeout can be read under its request id, and then that it was one, as Lambda says it."""
    host = await start(
        "import time\ndef handler(event, context):\n    print('working')\n    time.sleep(60)", timeout_s=1.5
    )
    await failure(host, request_id="request-1")
    working, timed_out = lines(log, "request-1")
    assert working == "working"
    moment, _, words = timed_out.partition(" ")
    assert datetime.fromisoformat(moment).tzinfo is UTC
    assert words == "request-1 Task timed out after 1.50 seconds"


async def test_the_last_words_of_a_crashed_process_are_logged(start: Start, log: list[EventDict]) -> None:
    """A traceback of the interpreter itself is not lost, and the exit is told."""
    host = await start("import sys\ndef handler(event, context):\n    sys.exit('no more')")
    await failure(host, request_id="request-1")
    assert lines(log, "request-1") == [
        "no more",
        "RequestId: request-1 Error: Runtime exited with error: exit status 1",
        "Runtime.ExitError",
    ]
    assert [entry["reason"] for entry in log if entry["event"] == "function_process_exited"] == [
        "exit status 1"
    ]


async def test_a_long_line_is_logged_in_pieces(start: Start, log: list[EventDict]) -> None:
    """No line is longer than the limit and nothing is lost."""
    host = await start("def handler(event, context): print('x' * event)")
    await result(host, LINE_LIMIT_BYTES * 5 + 1, request_id="request-1")
    assert [len(line) for line in lines(log, "request-1")] == [LINE_LIMIT_BYTES] * 5 + [1]


async def test_much_output_holds_nobody_up(start: Start, log: list[EventDict]) -> None:
    """A handler that prints far more than a pipe holds is read while it runs."""
    host = await start("def handler(event, context):\n    for n in range(20_000): print('x' * 60)")
    await result(host, request_id="request-1")
    assert len(lines(log, "request-1")) == 20_000


async def test_output_that_is_no_text_is_logged_readably(start: Start, log: list[EventDict]) -> None:
    """Bytes that are not UTF-8 are replaced."""
    host = await start("import os\ndef handler(event, context): os.write(1, b'a\\xffb\\n')")
    await result(host, request_id="request-1")
    assert lines(log, "request-1") == ["a\ufffdb"]


async def test_lines_between_invocations_belong_to_none(
    start: Start, log: list[EventDict], tmp_path: Path
) -> None:
    """What an idle process prints is logged without a request id."""
    host = await start(
        """
        import pathlib, threading, time

        def later():
            while not pathlib.Path("over").exists():
                time.sleep(0.005)
            print("later")

        def handler(event, context): threading.Thread(target=later).start()
        """
    )
    await result(host, request_id="request-1")
    (tmp_path / "over").touch()
    await until(lambda: lines(log, "") == ["later"])


async def test_lines_of_a_start_belong_to_the_invocation_that_needed_it(
    start: Start, log: list[EventDict]
) -> None:
    """Only the first start is nobody's."""
    host = await start(
        "import os\nprint('import')\ndef handler(event, context): os._exit(1) if event else None"
    )
    await failure(host, 1, request_id="request-1")
    await result(host, request_id="request-2")
    assert lines(log, "") == ["import"]
    assert lines(log, "request-2") == ["import"]


async def test_no_event_and_no_result_is_logged(start: Start, log: list[EventDict]) -> None:
    """The host's own entries hold no payload."""
    host = await start(
        "import os\ndef handler(event, context):\n    if event['exit']: os._exit(1)\n    return event"
    )
    await result(host, {"exit": False, "secret": "s3cret"})
    await failure(host, {"exit": True, "secret": "s3cret"})
    assert "s3cret" not in repr(log)
