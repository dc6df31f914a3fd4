"""What I/O on our side may raise, split by who reacts.

    PollerError
    ├── SourceError                 the poller reacts; no record is lost by it
    │   ├── SourceUnavailable       passing: back off and go on
    │   ├── SourceThrottled         passing: back off, the source said so
    │   ├── SourceGone              it does not exist: report, ask again each minute
    │   ├── SourceDenied            a right is missing: report, ask again each minute
    │   │   └── SourceUnauthenticated   the poller has no credentials that are valid
    │   ├── SourceUnsuitable        its settings do not fit the mapping: report, ask again each minute
    │   ├── SourceTooLarge          an answer was larger than is taken in: ask for fewer records
    │   ├── IteratorExpired         open the shard again after the last record read
    │   ├── PositionUnknown         the position is none of this stream: list it, open the shard again
    │   └── PositionExpired         the position was trimmed: report the gap, go on at the horizon
    ├── DestinationError            a destination did not take a document: its lane or event is held
    │   ├── DestinationUnavailable  passing: back off and go on
    │   ├── DestinationGone         it does not exist: report, try again each minute
    │   ├── DestinationDenied       credentials or rights: report, try again each minute
    │   │   ├── DestinationUnauthenticated  the poller has no credentials that are valid
    │   │   └── DestinationKeyRefused   the key that encrypts it cannot be used
    │   └── DestinationUnsuitable   it does not take the document: report, try again each minute
    ├── StateError                  the state store
    │   ├── StateUnavailable        passing: hold the lane, try again
    │   ├── StateRefused            the store cannot be used as it is: the start fails
    │   ├── LeaseLost               somebody else owns the shard now: stop without writing
    │   ├── EventLost               another worker has the event now: drop it
    │   └── MembershipLost          the fleet took this worker for dead: all its leases are lost, join anew
    └── StartError                  configuration or environment: nothing starts, exit code 2
        └── HandlerBroken           a handler's module raised or hung: the problem of its function alone

A failed function is no error here: see `core.outcomes`.
"""


class PollerError(Exception):
    """Root of everything this program raises on purpose."""


class SourceError(PollerError):
    """An event source could not do what was asked."""


class SourceUnavailable(SourceError):
    """A passing failure: network, 5xx, timeout."""


class SourceThrottled(SourceError):
    """The source refused for load."""


class SourceGone(SourceError):
    """The queue, stream or shard does not exist."""


class SourceDenied(SourceError):
    """Credentials are missing, expired or lack a right."""


class SourceUnauthenticated(SourceDenied):
    """Credentials are missing, expired or not valid: it is nobody's right that is missing."""


class SourceUnsuitable(SourceError):
    """The source exists, but not as the mapping needs it."""


class SourceTooLarge(SourceError):
    """An answer was larger than any that is taken in; nothing of it was read."""


class PositionUnknown(SourceError):
    """The stream has not heard of the position, or of the iterator: it may be another one of that name."""


class IteratorExpired(SourceError):
    """The shard iterator is too old to be used."""


class PositionExpired(SourceError):
    """The position lies before the oldest record the stream still holds."""


class DestinationError(PollerError):
    """An on-failure destination did not take a document."""


class DestinationUnavailable(DestinationError):
    """A passing failure: network, 5xx, timeout, throttle."""


class DestinationGone(DestinationError):
    """The queue, topic or bucket does not exist."""


class DestinationDenied(DestinationError):
    """Credentials are missing, expired or lack a right, also on the key that encrypts."""


class DestinationUnauthenticated(DestinationDenied):
    """Credentials are missing, expired or not valid."""


class DestinationKeyRefused(DestinationDenied):
    """The key that encrypts its messages is disabled, gone, or not for this caller."""


class DestinationUnsuitable(DestinationError):
    """It never takes the document in this form: it is of another kind, or the document is too large."""


class StateError(PollerError):
    """The state store could not do what was asked."""


class StateUnavailable(StateError):
    """A passing failure of the state store: disk full, table throttled."""


class StateRefused(StateError):
    """The state store cannot be used as it is: locked, corrupt, from a newer version."""


class LeaseLost(StateError):
    """The lease was taken by another worker; nothing may be written under it any more."""


class EventLost(StateError):
    """The event was taken over by another worker, or is gone; nothing may be done about it any more."""


class MembershipLost(StateError):
    """The fleet took this worker for dead, or its row was removed: nothing it held is its own any more."""


class StartError(PollerError):
    """The configuration or the environment does not allow a start."""


class HandlerBroken(StartError):
    """A handler is where the file says, but its module did not get to its end."""
