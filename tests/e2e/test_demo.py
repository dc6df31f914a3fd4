"""The demonstration, run as a newcomer runs it; and its accounting, which must not say more than it knows."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from rich.console import Console

from poller.demo import server
from poller.demo.environment import demo_environment
from poller.demo.ledger import Account, Ledger
from poller.demo.picture import Picture, Rate, Row
from poller.demo.producers import Producer
from poller.demo.samples import Sample
from poller.demo.seen import note_seen
from poller.demo.summary import Ending, print_summary, verdict
from poller.demo.view import draw
from poller.errors import StartError

RUN_LIMIT_S = 240.0
PATIENCE_S = 60.0
RECORDS = {"orders -> bill": "400", "clicks -> count": "8,000", "carts -> index": "1,500"}

ROW = Row(
    mapping="orders -> bill",
    source="SQS queue",
    received=1_200,
    in_flight=20,
    done=1_180,
    batches=118,
    average_batch=10.0,
    records_per_s=59.4,
    iterator_age_s=0.25,
)


# ----- the whole


@pytest.mark.timeout(RUN_LIMIT_S + 2 * PATIENCE_S)
def test_every_produced_record_is_accounted_for(tmp_path: Path) -> None:
    """Exit code 0 and a summary of all records, whatever the user's AWS settings; nothing stays behind."""
    hostile = {
        "AWS_PROFILE": "no-such",
        "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "x",
    }
    with demo(tmp_path, "--plain", environment=hostile) as process:
        output, _ = process.communicate(timeout=RUN_LIMIT_S)

    assert (tmp_path / "errors").read_text() == ""
    assert process.returncode == 0, output
    assert summary(output) == {mapping: (count, count, "0") for mapping, count in RECORDS.items()}
    assert "each of 9,900 produced records was seen by its function" in output
    assert_nothing_is_left(tmp_path)


def test_plain_lines_tell_of_each_mapping(tmp_path: Path) -> None:
    """Without a terminal there is a line for each mapping, with every figure; SIGTERM ends it all."""
    with demo(tmp_path, "--plain") as process:
        assert process.stdout is not None
        lines = [next(line for line in process.stdout if "received" in line)]
        lines += [next(process.stdout) for _ in range(2)]
        process.terminate()
        process.communicate(timeout=PATIENCE_S)

    for mapping, line in zip(RECORDS, lines, strict=True):
        assert mapping in line
        for figure in (
            "received",
            "in flight",
            "done",
            "batches",
            "average batch",
            "records/s",
            "iterator age",
        ):
            assert figure in line
    assert process.returncode == 1
    assert_nothing_is_left(tmp_path)


def test_ctrl_c_ends_the_live_view(tmp_path: Path) -> None:
    """On a terminal a table is drawn; an interrupt stops everything, and says that it was one."""
    screen, terminal = pty.openpty()
    with demo(tmp_path, environment={"TERM": "xterm-256color"}, stdout=terminal) as process:
        os.close(terminal)
        seen = read_until(screen, b"running")
        process.send_signal(signal.SIGINT)
        seen += read_until(screen, b"Interrupted")
        process.communicate(timeout=PATIENCE_S)
    os.close(screen)

    assert b"orders -> bill" in seen
    assert process.returncode == 1
    assert_nothing_is_left(tmp_path)


def test_children_die_with_the_demo(tmp_path: Path) -> None:
    """Where the demo is killed, neither the server nor a function's process stays."""
    with demo(tmp_path, "--plain") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "received" in line)
        assert len(processes_using(tmp_path)) > 3
        process.kill()
        process.communicate(timeout=PATIENCE_S)

    until(lambda: not processes_using(tmp_path))


# ----- the accounting


def ending(*accounts: Account, trouble: str | None = None, interrupted: bool = False) -> Ending:
    picture = Picture(elapsed_s=10.0, phase="draining", rows=[ROW], planned=3, produced=3, seen=3)
    return Ending(picture=picture, accounts=accounts, trouble=trouble, interrupted=interrupted)


def account(*, produced: Sequence[str], seen: Mapping[str, int]) -> Account:
    return Account(function="bill", produced=produced, seen=seen)


def test_all_seen_is_success() -> None:
    """Exit code 0 is given when each produced record was seen; more than once is fine, and is counted."""
    books = account(produced=["a", "b"], seen={"a": 1, "b": 3})

    assert books.repeated == 2
    assert ending(books).exit_code == 0


def test_a_missing_record_is_failure_and_named() -> None:
    """Exit code 1, with the names of the first missing ones and the number of the others."""
    produced = [f"order-{n}" for n in range(10)]
    end = ending(account(produced=["x"], seen={"x": 1}), account(produced=produced, seen={"order-0": 2}))

    assert end.exit_code == 1
    (sentence,) = verdict(end)
    assert "order-1, order-2, order-3, order-4, order-5 and 4 more" in sentence


def test_other_records_do_not_stand_in() -> None:
    """As many seen as produced is not enough: they must be the same ones."""
    assert ending(account(produced=["a", "b"], seen={"a": 1, "c": 1})).exit_code == 1


def test_nothing_produced_is_failure() -> None:
    """A demo that has shown nothing does not succeed."""
    assert ending(account(produced=[], seen={})).exit_code == 1


@pytest.mark.parametrize("early", [{"trouble": "the server is gone"}, {"interrupted": True}])
def test_an_early_end_is_failure(early: Mapping[str, object]) -> None:
    """What was produced by then may all have been seen: it was not the demo."""
    end = ending(account(produced=["a"], seen={"a": 1}), **early)  # type: ignore[arg-type]

    assert end.exit_code == 1


def test_the_summary_marks_what_is_missing() -> None:
    """Each mapping has its produced, seen, missing and repeated records in one line."""
    console = Console(width=110, file=io.StringIO())
    with console.capture() as capture:
        print_summary(console, ending=ending(account(produced=["a", "b", "c"], seen={"a": 3})))

    assert summary(capture.get()) == {"orders -> bill": ("3", "1", "2")}


def test_functions_note_what_they_have_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes of all processes of a function count; one that is still being written does not."""
    monkeypatch.setenv("DEMO_SEEN_FOLDER", str(tmp_path))
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "bill")
    note_seen(["a", "b"])
    note_seen(["a"])
    (tmp_path / "bill.0").write_text("c\nhal")
    ledger = Ledger(tmp_path, functions=["bill", "count"])

    bill, count = ledger.accounts()

    assert bill.seen == {"a": 2, "b": 1, "c": 1}
    assert count.seen == {}


async def test_what_a_service_refuses_is_written_again(tmp_path: Path) -> None:
    """A record counts as produced once the service has taken it, and then once."""
    calls: list[list[str]] = []

    async def write(chunk: Sequence[Sample]) -> set[str]:
        calls.append([sample.id for sample in chunk])
        return {"b"} if len(calls) == 1 else set()

    records = [Sample(id=id_, key="k", content={}) for id_ in "ab"]
    ledger = Ledger(tmp_path, functions=["bill"])
    await Producer(function="bill", records=records, chunk=2, write=write).run(ledger)

    assert calls == [["a", "b"], ["b"]]
    assert list(ledger.accounts()[0].produced) == ["a", "b"]


# ----- parts


def test_the_live_view_shows_every_figure() -> None:
    """A mapping's figures, and how much of all has been seen, fit a terminal of 100 columns."""
    console = Console(width=100)
    with console.capture() as capture:
        picture = Picture(
            elapsed_s=7.3, phase="running", rows=[ROW], planned=9_900, produced=5_000, seen=4_000
        )
        console.print(draw(picture))
    text = capture.get()

    for figure in ("1,200", "20", "1,180", "118", "10.0", "59", "0.2 s", "produced 5,000 of 9,900", "4,000"):
        assert figure in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_a_rate_is_of_the_last_seconds() -> None:
    """What was fast long ago does not show any more."""
    rate = Rate()
    totals = [0, 1_000, 2_000, 2_010, 2_020, 2_030, 2_040]

    rates = [rate.read(total, now=float(now)) for now, total in enumerate(totals)]

    assert rates[0] == 0
    assert rates[1] == 1_000
    assert rates[-1] == 10


def test_the_environment_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside, all of AWS is the demo's; outside, the user's own settings are as before."""
    monkeypatch.setenv("AWS_PROFILE", "mine")
    before = dict(os.environ)
    with demo_environment(endpoint_url="http://127.0.0.1:1", seen_folder=tmp_path):
        assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
        assert "AWS_PROFILE" not in os.environ

    assert dict(os.environ) == before


async def test_without_moto_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(StartError, match=r"pip install 'esm-poller\[demo\]'"):
        async with server.running_server(tmp_path):
            pass


async def test_a_server_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last line is passed on."""
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit('no port is free')")
    monkeypatch.setattr(server, "MAIN_PROGRAM", broken)
    with anyio.fail_after(PATIENCE_S), pytest.raises(StartError, match="did not start: no port is free"):
        async with server.running_server(tmp_path):
            pass


# ----- helpers


@contextmanager
def demo(
    tmp_path: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    stdout: int = subprocess.PIPE,
) -> Iterator[subprocess.Popen[str]]:
    """The demo in a process of its own; it and its children are known by their folder for temporary files."""
    folder(tmp_path).mkdir()
    with (
        # A file: a pipe that nobody reads would hold the demo up.
        (tmp_path / "errors").open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "poller", "demo", *arguments],
            env={**os.environ, "TMPDIR": str(folder(tmp_path)), **(environment or {})},
            stdout=stdout,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def folder(tmp_path: Path) -> Path:
    return tmp_path / "temporary"


def summary(output: str) -> dict[str, tuple[str, ...]]:
    """Of each mapping in the closing table: produced, seen, missing."""
    rows = re.findall(r"^ *(\w+ -> \w+) +([\d,]+) +([\d,]+) +([\d,]+) ", output, re.MULTILINE)
    return {mapping: tuple(figures) for mapping, *figures in rows}


def read_until(fd: int, text: bytes) -> bytes:
    seen = b""
    deadline = time.monotonic() + PATIENCE_S
    while text not in seen:
        assert time.monotonic() < deadline, seen
        seen += os.read(fd, 65_536)
    return seen


def assert_nothing_is_left(tmp_path: Path) -> None:
    assert list(folder(tmp_path).iterdir()) == []
    until(lambda: not processes_using(tmp_path))


def processes_using(tmp_path: Path) -> set[int]:
    wanted = f"TMPDIR={folder(tmp_path)}".encode()
    return {int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if wanted in environ(path)}


def environ(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\0")
    except OSError:  # ended meanwhile, or somebody else's
        return []


def until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.02)
