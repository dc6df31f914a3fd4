"""Starts that fail: at once with a sentence, or later as the function's own error."""

import sys
from pathlib import Path

import orjson
import pytest

from poller.errors import StartError
from poller.functions.host import FunctionHost
from poller.functions.starts import START_BACKOFF
from tests.functions.hosting import REQUEST_ID, Define, Start, failure, result

CRASH = "import os\ndef handler(event, context): os._exit(1) if event else None\n"


@pytest.mark.parametrize(
    ("source", "handler", "sentence"),
    [
        ("", "nowhere:handler", "Runtime.ImportModuleError: Unable to import module 'nowhere': No module"),
        (
            "import no_such_module",
            "app:handler",
            "Unable to import module 'app': No module named 'no_such_module'",
        ),
        ("", "app:handler", "Runtime.HandlerNotFound: Handler 'handler' missing on module 'app'"),
        ("def handler(:", "app:handler", "Runtime.UserCodeSyntaxError: Syntax error in module 'app'"),
        ("raise ValueError('not\\ntoday')", "app:handler", "ValueError: not today"),
        (
            "import sys; sys.exit(3)",
            "app:handler",
            "Runtime.ExitError: Runtime exited with error: exit status 3",
        ),
        ("import os; os.abort()", "app:handler", "Runtime exited with error: signal: aborted"),
    ],
    ids=["module", "its import", "attribute", "syntax", "exception", "sys.exit", "abort"],
)
async def test_a_handler_that_cannot_be_imported_refuses_the_start(
    define: Define, source: str, handler: str, sentence: str
) -> None:
    """One sentence names the function, the handler, where it was sought and what is wrong."""
    host = FunctionHost(define(source, handler=handler))
    with pytest.raises(StartError) as refusal:
        await host.start()
    await host.close()
    assert sentence in str(refusal.value)
    assert f"function 'audit': handler '{handler}' cannot be started from" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "handler", ["app", "app.handler", "../app:handler", "/etc/app:handler", "app:", "a b:c"]
)
async def test_a_handler_of_another_form_refuses_the_start(define: Define, handler: str) -> None:
    """Nothing but package.module:function is ever imported."""
    with pytest.raises(StartError, match="is not of the form package"):
        await FunctionHost(define("", handler=handler)).start()


async def test_a_root_that_is_no_directory_refuses_the_start(define: Define, tmp_path: Path) -> None:
    """A wrong root is told from a wrong handler."""
    with pytest.raises(StartError, match=r"the handler root '.*/nowhere' is not a directory"):
        await FunctionHost(define("", root=tmp_path / "nowhere")).start()


async def test_a_missing_runtime_client_refuses_the_start(
    define: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says what to install."""
    monkeypatch.setitem(sys.modules, "awslambdaric", None)
    with pytest.raises(StartError, match=r"pip install 'esm-poller\[functions\]'"):
        await FunctionHost(define("def handler(event, context): pass")).start()


async def test_an_import_that_does_not_end_refuses_the_start(define: Define) -> None:
    """A start is bounded, and its process killed."""
    host = FunctionHost(define("import time; time.sleep(60)", start_timeout_s=0.3))
    with pytest.raises(StartError, match=r"Sandbox.Timedout: Task timed out after 0.30 seconds"):
        await host.start()
    await host.close()


async def test_a_later_start_that_fails_is_the_functions_error(start: Start, define: Define) -> None:
    """What the runtime reports at its start is passed on like any other error."""
    host = await start(CRASH)
    await failure(host, 1)
    define("import no_such_module")
    error = await failure(host)
    assert error.error_type == "Runtime.ImportModuleError"
    assert "no_such_module" in orjson.loads(error.payload)["errorMessage"]


async def test_a_later_start_that_exits_is_an_exit_error(start: Start, define: Define) -> None:
    """A process that ends before it asks for an event is told with the request id."""
    host = await start(CRASH)
    await failure(host, 1)
    define("import sys; sys.exit(4)")
    assert orjson.loads((await failure(host)).payload)["errorMessage"] == (
        f"RequestId: {REQUEST_ID} Error: Runtime exited with error: exit status 4"
    )


async def test_failing_starts_are_spaced(start: Start, define: Define, tmp_path: Path) -> None:
    """Invocations of a function that cannot start do not start interpreters as fast as they come."""
    host = await start(CRASH)
    await failure(host, 1)
    # Each start notes when it was; what it took to hear of the first one's failure is no part of the space.
    define(
        """
        import time
        with open("starts", "a") as file: print(time.monotonic(), file=file)
        import no_such_module
        """
    )
    await failure(host)
    await failure(host)
    first, second = map(float, (tmp_path / "starts").read_text().split())
    assert second - first >= START_BACKOFF.first_s * 0.9


async def test_a_handler_that_was_repaired_starts_again(start: Start, define: Define) -> None:
    """Failed starts are not held against it for longer than the back-off."""
    host = await start(CRASH)
    await failure(host, 1)
    define("import no_such_module")
    await failure(host)
    define("def handler(event, context): return 'repaired'")
    assert await result(host) == "repaired"
