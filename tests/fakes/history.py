"""What happened, in the order in which it happened: the one thing an oracle reads.

Every event is a flat tuple of texts and numbers, so that a history can be compared, hashed and printed.
`place` is the name of a queue, stream or function; `process` names one life of a poller.
"""

import hashlib
from typing import NamedTuple


class Produced(NamedTuple):
    """A record was accepted by its source."""

    at: float
    place: str
    record: str
    order_key: str | None
    shard: str
    number: int
    """Its sequence number; 0 in a standard queue."""
    arrived_at: float
    """The source's wall clock."""


class ShardBorn(NamedTuple):
    """A shard came to be."""

    at: float
    place: str
    incarnation: str
    shard: str
    parents: tuple[str, ...]


class ShardClosed(NamedTuple):
    """No more records will be written to a shard."""

    at: float
    place: str
    shard: str


class Trimmed(NamedTuple):
    """Records left their stream."""

    at: float
    place: str
    shard: str
    records: tuple[str, ...]


class Recreated(NamedTuple):
    """A stream was deleted, with all it held, and made again under the same name."""

    at: float
    place: str
    incarnation: str


class Listed(NamedTuple):
    """Shards were listed, perhaps wrongly."""

    at: float
    place: str
    process: str
    shards: tuple[str, ...]


class Opened(NamedTuple):
    """A shard was opened at a position."""

    at: float
    place: str
    process: str
    shard: str
    position: str


class Read(NamedTuple):
    """A read of a shard or queue was answered."""

    at: float
    place: str
    process: str
    shard: str
    records: tuple[str, ...]


class Received(NamedTuple):
    """A message was handed out, and hidden until a time on the source's clock."""

    at: float
    place: str
    process: str
    record: str
    receives: int
    hidden_until: float
    told: bool
    """Whether the answer reached the process."""


class Deleted(NamedTuple):
    """A message left its queue because a process said so."""

    at: float
    place: str
    process: str
    record: str


class Shown(NamedTuple):
    """A message was made visible by a process."""

    at: float
    place: str
    process: str
    record: str


class Renewed(NamedTuple):
    """A message was hidden anew by a process, until a time on the source's clock."""

    at: float
    place: str
    process: str
    record: str
    hidden_until: float


class DeadLettered(NamedTuple):
    """A message was moved to the dead-letter queue."""

    at: float
    place: str
    record: str
    receives: int


class Invoked(NamedTuple):
    """A function began to run."""

    at: float
    place: str
    process: str
    number: int
    request_id: str
    records: tuple[str, ...]
    receives: tuple[int, ...]
    """Which receive of each message it was; 0 for streams."""


class Sent(NamedTuple):
    """A process decided to deliver records: from here on nobody can hold the invocation back."""

    at: float
    place: str
    process: str
    records: tuple[str, ...]


class Paused(NamedTuple):
    """A process stood still, and went on as if nothing had happened."""

    at: float
    process: str
    seconds: float


class Refused(NamedTuple):
    """A function did not run: throttled or unreachable."""

    at: float
    place: str
    process: str
    request_id: str
    records: tuple[str, ...]


class Answered(NamedTuple):
    """A process was told what came of an invocation."""

    at: float
    place: str
    process: str
    number: int
    answer: str
    """`ok`, `partial`, `invalid`, `error`, `timeout`, `lost`."""
    failed: tuple[str, ...]
    """Records a partial response names."""


class LeaseAdded(NamedTuple):
    """A shard's starting position was made durable."""

    at: float
    mapping: str
    process: str
    shard: str
    incarnation: str
    position: str


class LeaseForgotten(NamedTuple):
    """A lease was deleted."""

    at: float
    mapping: str
    process: str
    shard: str


class LeaseTaken(NamedTuple):
    """A lease changed its owner."""

    at: float
    mapping: str
    process: str
    shard: str
    epoch: int


class LeaseReleased(NamedTuple):
    """A lease was given up."""

    at: float
    mapping: str
    process: str
    shard: str
    epoch: int


class Checkpointed(NamedTuple):
    """A position was made durable."""

    at: float
    mapping: str
    process: str
    shard: str
    epoch: int
    position: str


class Discarded(NamedTuple):
    """A process reported records that it gives up."""

    at: float
    mapping: str
    process: str
    shard: str
    records: tuple[str, ...]
    condition: str


class Told(NamedTuple):
    """A destination has a document about these records."""

    at: float
    mapping: str
    records: tuple[str, ...]


class GapReported(NamedTuple):
    """A process reported that records left a shard unread."""

    at: float
    mapping: str
    process: str
    shard: str
    after: str


class Restarted(NamedTuple):
    """A process started a part of itself again after an error."""

    at: float
    mapping: str
    process: str
    shard: str
    error: str


class Served(NamedTuple):
    """A queue did all that a request of a process asked for."""

    at: float
    place: str
    process: str
    operation: str


class Troubled(NamedTuple):
    """A process reported a problem, or another one instead."""

    at: float
    place: str
    process: str
    operation: str


class Recovered(NamedTuple):
    """A process reported that a problem is over."""

    at: float
    place: str
    process: str
    operation: str


class Struck(NamedTuple):
    """A fault met a call."""

    at: float
    place: str
    kind: str


class Started(NamedTuple):
    """A process began."""

    at: float
    process: str


class Ready(NamedTuple):
    """A process said that all its mappings poll."""

    at: float
    process: str


class Died(NamedTuple):
    """A process was killed."""

    at: float
    process: str


class DrainBegun(NamedTuple):
    """A process was asked to end."""

    at: float
    process: str


class Ended(NamedTuple):
    """A process ended by itself."""

    at: float
    process: str
    in_time: bool
    peak_bytes: int
    """Most bytes of records it held at once."""
    left_bytes: int
    """What it still counts as held."""


class Healed(NamedTuple):
    """From here on no fault strikes."""

    at: float


class Quiet(NamedTuple):
    """The run ended its wait for everything to be finished."""

    at: float
    finished: bool
    problems: tuple[str, ...]
    """What mappings report as LastProcessingResult, other than success."""


Event = (
    Produced
    | ShardBorn
    | ShardClosed
    | Trimmed
    | Recreated
    | Listed
    | Opened
    | Read
    | Received
    | Deleted
    | Shown
    | Renewed
    | DeadLettered
    | Invoked
    | Sent
    | Paused
    | Refused
    | Answered
    | LeaseAdded
    | LeaseForgotten
    | LeaseTaken
    | LeaseReleased
    | Checkpointed
    | Discarded
    | Told
    | GapReported
    | Restarted
    | Served
    | Troubled
    | Recovered
    | Struck
    | Started
    | Ready
    | Died
    | DrainBegun
    | Ended
    | Healed
    | Quiet
)


class History:
    """Append-only."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, event: Event) -> None:
        """Something has happened."""
        self.events.append(event)

    def digest(self) -> str:
        """The same for two runs in which the same happened."""
        return hashlib.sha256("\n".join(map(repr, self.events)).encode()).hexdigest()
