"""The demo from its first line to its exit code: put up the stage, perform, say what came out."""

import signal
import sys

import anyio
from rich.console import Console

from poller.demo.performance import Performance
from poller.demo.sources import SHARDS
from poller.demo.stage import put_up
from poller.demo.summary import print_summary
from poller.demo.view import open_view
from poller.settings import Settings

# A table in a log or a pipe is not to be folded to the 80 columns that are assumed there.
WIDTH_WITHOUT_TERMINAL = 110


async def run_demo(settings: Settings, plain: bool) -> int:  # noqa: FBT001  # anyio.run passes by position
    """Run the demo.

    Args:
        settings: Those of the log and the byte budget are obeyed; the rest is the demo's own.
        plain: Whether to print lines where a live view could be shown.

    Returns:
        Exit code: 0 if every record that was produced was seen by its function, else 1.

    Raises:
        StartError: The server or a function cannot be started.
    """
    exit_code = 1  # also where a second signal ends it at once
    async with anyio.create_task_group() as group:
        interrupted = anyio.Event()
        group.start_soon(_obey_signals, interrupted, group.cancel_scope)
        exit_code = await _perform(settings, interrupted, plain=plain)
        group.cancel_scope.cancel()
    return exit_code


async def _perform(settings: Settings, interrupted: anyio.Event, *, plain: bool) -> int:
    console = Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL, highlight=False)
    console.print("Starting an AWS-compatible server, moto's, in a child process ...")
    async with put_up() as stage:
        console.print(f"{stage.endpoint_url} has a queue, a Kinesis stream of {SHARDS} shards and a table.")
        performance = Performance(stage, settings, interrupted=interrupted)
        with open_view(console, plain=plain, settings=settings) as view:
            ending = await performance.run(view)
        print_summary(console, ending=ending)
        return ending.exit_code


async def _obey_signals(interrupted: anyio.Event, everything: anyio.CancelScope) -> None:
    """The first signal drains, a second one ends at once."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
        async for _ in received:
            if interrupted.is_set():
                everything.cancel()
                return
            interrupted.set()
