"""How log lines are written: structlog to stderr, as JSON or for people."""

import json
import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import orjson
import structlog

from poller.settings import LogFormat


def configure(log_format: LogFormat, level: str, stream: TextIO | None = None) -> None:
    """Set structlog up for this process. stdout stays free for the ready line."""
    stream = sys.stderr if stream is None else stream
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if log_format is LogFormat.JSON:
        processors += [
            # Without the variables of each frame: they hold records.
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(serializer=_to_json),
        ]
    else:
        processors.append(
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        )
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Lossy(stream))),
        cache_logger_on_first_use=True,
    )
    # The libraries' own debug lines hold requests and bodies.
    for library in ("aiobotocore", "botocore", "aiohttp", "asyncio"):
        logging.getLogger(library).setLevel(logging.WARNING)


class _Lossy:
    """A stream that loses what it cannot write: a full disk, or a reader that is gone, ends no polling."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def _to_json(event: object, **_: object) -> str:
    try:
        return orjson.dumps(event, default=str).decode()
    except TypeError:
        # Half of a surrogate pair, as in a file's name that is not UTF-8, or an integer of more than 64 bits.
        return json.dumps(event, default=str)
