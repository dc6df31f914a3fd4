"""How log lines are written: structlog to stderr, as JSON or for people."""

import logging
import sys
from typing import TextIO

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
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    # The libraries' own debug lines hold requests and bodies.
    for library in ("aiobotocore", "botocore", "aiohttp", "asyncio"):
        logging.getLogger(library).setLevel(logging.WARNING)


def _to_json(event: object, **_: object) -> str:
    return orjson.dumps(event, default=str).decode()
