"""What log lines hold, and what they never hold."""

import errno
import io
import json

import pytest
import structlog

from poller.logs import configure
from poller.settings import LogFormat
from poller.telemetry import Log, Meter


@pytest.fixture(autouse=True)
def _restored() -> object:
    yield
    structlog.reset_defaults()


def _fail_with_secret() -> Exception:
    secret = "CANARY"  # what a traceback with variables would show
    try:
        _break(secret)
    except RuntimeError as error:
        return error
    raise AssertionError("it did not break")


def _break(record: str) -> None:
    if record:
        raise RuntimeError("a bug of ours")


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_a_traceback_shows_no_variables(log_format: LogFormat) -> None:
    """They hold records: bodies, keys, receipts."""
    stream = io.StringIO()
    configure(log_format, "debug", stream)

    Meter("m", "sqs").crashed("queue", _fail_with_secret())

    assert "a bug of ours" in stream.getvalue()
    assert "CANARY" not in stream.getvalue().replace('secret = "CANARY"', "")


def test_a_json_line_has_the_names_others_search_for() -> None:
    """One object a line: time, level, event, mapping, source."""
    stream = io.StringIO()
    configure(LogFormat.JSON, "info", stream)

    Meter("orders -> audit", "sqs").say(Log.MAPPING_POLLING)

    line = json.loads(stream.getvalue())
    assert {"timestamp", "level", "event", "mapping", "source"} <= set(line)
    assert (line["event"], line["mapping"], line["source"]) == ("mapping_polling", "orders -> audit", "sqs")


def test_a_level_keeps_lower_lines_out() -> None:
    """Warnings pass where information does not."""
    stream = io.StringIO()
    configure(LogFormat.JSON, "warning", stream)
    meter = Meter("m", "sqs")

    meter.say(Log.MAPPING_POLLING)
    meter.problem("PROBLEM: x")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["mapping_problem"]


@pytest.mark.parametrize("text", ["\ud800", 2**70])
def test_what_json_cannot_hold_is_written_even_so(text: object) -> None:
    """A name that is not UTF-8 ends no process."""
    stream = io.StringIO()
    configure(LogFormat.JSON, "info", stream)

    structlog.get_logger().error(Log.FILES_REFUSED, problems=text)

    assert json.loads(stream.getvalue())["problems"] == text


class _Full(io.StringIO):
    """A stream on a disk that is full."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, text)

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "flush")


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_a_line_that_cannot_be_written_is_lost(log_format: LogFormat) -> None:
    """Whoever logs goes on."""
    configure(log_format, "info", _Full())

    structlog.get_logger().error(Log.FILES_REFUSED, problems=())
