"""What a caller may say of one invocation of a hosted function: version, client context, and its log."""

from typing import Any

import anyio
import orjson
import pytest

from poller.core.log_tail import TAIL_BYTES, LogTail
from poller.core.outcomes import FunctionError, Succeeded, Throttled
from poller.functions.asked import Asked
from poller.functions.slots import Line
from tests.functions.hosting import ARN, Start, number_in

TELLING = """
    import os, sys

    def handler(event, context):
        custom = context.client_context and context.client_context.custom
        return [os.getpid(), context.function_version, context.invoked_function_arn, custom]
"""


def asked(**fields: Any) -> Asked:
    """An invocation."""
    return Asked(**{"payload": b"{}", "request_id": "request-1", "function_arn": ARN, **fields})


async def test_each_version_runs_in_processes_of_its_own(start: Start) -> None:
    """The context, the environment and the outcome say which one it was."""
    host = await start(TELLING)
    outcomes = [
        await host.run(asked(version=version, function_arn=f"{ARN}:{version}"))
        for version in ("$LATEST", "3", "$LATEST", "3")
    ]

    assert [isinstance(outcome, Succeeded) for outcome in outcomes] == [True] * 4
    told = [orjson.loads(outcome.payload) for outcome in outcomes if isinstance(outcome, Succeeded)]
    assert [version for _, version, _, _ in told] == ["$LATEST", "3", "$LATEST", "3"]
    assert [arn for _, _, arn, _ in told] == [f"{ARN}:{v}" for v in ("$LATEST", "3", "$LATEST", "3")]
    assert told[0][0] == told[2][0] != told[1][0] == told[3][0]
    assert [outcome.executed_version for outcome in outcomes if isinstance(outcome, Succeeded)] == [
        "$LATEST",
        "3",
        "$LATEST",
        "3",
    ]


async def test_versions_share_the_concurrency_of_their_function(start: Start) -> None:
    """Reserved is reserved for all of them together."""
    host = await start(
        """
        import pathlib, time

        def handler(event, context):
            pathlib.Path("running").write_text("1.")
            while not pathlib.Path("release").exists():
                time.sleep(0.005)
        """
    )
    async with anyio.create_task_group() as group:
        group.start_soon(host.run, asked())
        await number_in(host.function.root / "running")
        refused = await host.run(asked(version="3"), line=Line.CALLERS, patience_s=0.1)
        (host.function.root / "release").touch()
    assert refused == Throttled(reserved=True)


async def test_a_client_context_reaches_the_handler(start: Start) -> None:
    """As the object that Lambda's own runtime makes of it."""
    host = await start(TELLING)
    outcome = await host.run(asked(client_context='{"custom":{"k":"\\u00e9"},"env":{},"client":{}}'))

    assert isinstance(outcome, Succeeded)
    assert orjson.loads(outcome.payload)[3] == {"k": "é"}


async def test_a_tail_holds_what_the_invocation_printed(start: Start) -> None:
    """The end of it: 4 KB, whatever went before."""
    host = await start("def handler(event, context):\n    for n in range(1000): print('line', n)")
    tail = LogTail()
    await host.run(asked(tail=tail))

    assert len(tail.read()) == TAIL_BYTES
    assert tail.read().endswith(b"line 998\nline 999\n")


async def test_a_tail_holds_the_last_words_of_a_process_that_was_killed(start: Start) -> None:
    """What led to a timeout."""
    host = await start(
        "import time\ndef handler(event, context):\n    print('working')\n    time.sleep(60)", timeout_s=1.5
    )
    tail = LogTail()
    outcome = await host.run(asked(tail=tail))

    assert isinstance(outcome, FunctionError)
    working, timed_out, empty = tail.read().decode().splitlines()
    assert working == "working"
    assert timed_out.endswith("Z request-1 Task timed out after 1.50 seconds")
    assert empty == ""


async def test_a_tail_says_why_a_process_could_not_start(start: Start) -> None:
    """The traceback of an import that failed, where the invocation was the one that started it."""
    host = await start("import os\ndef handler(event, context): os._exit(1)")
    await host.run(asked())
    (host.function.root / "app.py").write_text("raise ValueError('broken')")
    tail = LogTail()
    outcome = await host.run(asked(tail=tail))

    assert isinstance(outcome, FunctionError)
    assert b"broken" in tail.read()


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_tails_under_concurrency_hold_their_own_lines_alone(start: Start, concurrency: int) -> None:
    """Two hundred invocations at once, each with five lines of its own."""
    host = await start(
        """
        import sys

        def handler(event, context):
            for n in range(5):
                print(context.aws_request_id, n, file=sys.stderr if n % 2 else sys.stdout)
        """,
        concurrency=concurrency,
    )
    tails = [LogTail() for _ in range(200)]

    async def invoke(number: int) -> None:
        await host.run(asked(request_id=f"request-{number}", tail=tails[number]))

    async with anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(invoke, number)
    for number, tail in enumerate(tails):
        assert tail.read().decode().splitlines() == [f"request-{number} {n}" for n in range(5)]
