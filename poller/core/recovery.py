"""What a poller does about an error of its source."""

from dataclasses import dataclass

from poller.core.backoff import Backoff
from poller.errors import (
    DestinationError,
    DestinationUnavailable,
    IteratorExpired,
    PositionExpired,
    PositionUnknown,
    SourceDenied,
    SourceError,
    SourceGone,
    SourceThrottled,
    SourceTooLarge,
    SourceUnsuitable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for a source that does not work."""

    passing: Backoff = Backoff(0.2, 30.0)
    """Network, throttling."""
    lasting: Backoff = Backoff(5.0, 60.0)
    """Missing or denied: somebody has to do something about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What to do next."""

    delay_s: float
    problem: str | None
    reopen: bool = False
    """The reader is of no more use: open another where the last one stopped."""
    trimmed: bool = False
    """Records were lost to retention: report it and open at the horizon."""
    smaller: bool = False
    """The answer was too large: ask for half as many records."""


# What says nothing of whether the shard, or its stream, is still the one that was listed.
_OF_THE_SAME_STREAM = (IteratorExpired, SourceDenied, SourceThrottled, SourceTooLarge, SourceUnsuitable)


def casts_doubt(error: SourceError) -> bool:
    """Whether a stream is to be listed again after an error: it may be gone, trimmed, or another one."""
    return not isinstance(error, _OF_THE_SAME_STREAM)


def delivery_delay_s(error: DestinationError, failures: int, patience: Patience) -> float:
    """How long to wait before a document is sent again."""
    passing = isinstance(error, DestinationUnavailable)
    return (patience.passing if passing else patience.lasting).delay(failures)


def react(error: SourceError, failures: int, patience: Patience, *, asked: int = 1) -> Reaction:
    """Decide what follows from an error.

    Args:
        error: What the source raised.
        failures: Errors in a row, this one included.
        patience: The waits to choose from.
        asked: How many records were asked for, where it was a read.
    """
    match error:
        case SourceTooLarge() if asked > 1:
            return Reaction(delay_s=0.0, problem=None, smaller=True)
        case SourceTooLarge():
            return Reaction(
                delay_s=patience.lasting.delay(failures),
                problem=f"PROBLEM: {error}, though one record was asked for",
            )
        case IteratorExpired():
            # The first is a matter of age and mended at once; more in a row are a fault of the source.
            return Reaction(delay_s=patience.passing.delay(failures - 1), problem=None, reopen=True)
        case PositionExpired():
            return Reaction(
                delay_s=patience.passing.delay(failures - 1),
                problem=f"PROBLEM: {error}",
                reopen=True,
                trimmed=True,
            )
        case PositionUnknown():
            return Reaction(
                delay_s=patience.passing.delay(failures), problem=f"PROBLEM: {error}", reopen=True
            )
        case SourceGone() | SourceDenied() | SourceUnsuitable():
            return Reaction(
                delay_s=patience.lasting.delay(failures), problem=f"PROBLEM: {error}", reopen=True
            )
        case _:
            return Reaction(delay_s=patience.passing.delay(failures), problem=f"PROBLEM: {error}")
