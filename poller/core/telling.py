"""What follows when a destination did not take the end of an event."""

from enum import Enum, auto

from poller.errors import (
    DestinationError,
    DestinationKeyRefused,
    DestinationUnavailable,
    DestinationUnsuitable,
)

# Somebody has to mend a queue that is gone or denied. AWS retries an event for as long (semantics 6.4.2).
REFUSED_S = 6 * 3600.0


class Reaction(Enum):
    """What to do next about one notice."""

    REDUCE = auto()
    """Send it without payloads."""
    RETRY = auto()
    """Send it again later."""
    DROP = auto()
    """Say that it is lost, and go on."""


def react(error: DestinationError, *, reduced: bool, telling_s: float) -> Reaction:
    """Decide what follows from an error.

    Args:
        error: What the destination raised.
        reduced: Whether the notice was sent without payloads already.
        telling_s: How long the end has been waiting to be sent, seconds.
    """
    match error:
        case DestinationUnavailable():
            return Reaction.RETRY
        case DestinationUnsuitable():
            return Reaction.DROP if reduced else Reaction.REDUCE
        case DestinationKeyRefused():
            return Reaction.DROP
        case _:
            return Reaction.RETRY if telling_s < REFUSED_S else Reaction.DROP
