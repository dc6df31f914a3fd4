"""The sources and functions of one world: the fakes, what is written to them, what is left."""

import random
import zlib
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Protocol

from poller.core.leasing import Lease
from poller.core.outcomes import Outcome
from poller.core.records import PositionKind
from poller.interfaces import Invocation
from tests.fakes.dynamodb import DYNAMODB, rotate
from tests.fakes.events import dynamodb_event, kinesis_event, read_event
from tests.fakes.faults import Faults
from tests.fakes.functions import FakeFunction, FakeTarget
from tests.fakes.history import History, Invoked
from tests.fakes.kinesis import KINESIS, merge, split
from tests.fakes.sqs import FakeQueue
from tests.fakes.streams import HASH_SPACE, FakeShard, FakeStream
from tests.fakes.wire import Wire
from tests.kill.clock import WorldClock
from tests.kill.faces import DynamoDbFace, KinesisFace, Operation, QueueFace, incarnation_time
from tests.kill.plan import FUNCTION_TIMEOUT_S, QUEUE, STREAM, TABLE, SourcePlan, WorldPlan

Leases = Mapping[tuple[str, str], Lease]
"""By place and shard."""

LATENCY_S = 0.004
VISIBILITY_TIMEOUT_S = 30.0
KEYS = 24
SHARDS_MOST = 16  # so that a world stays small, however long it lives
# Pages of a few records, so that reads meet every phase; throttles are the simulation's matter.
_LIMITS = {
    STREAM: replace(KINESIS, page_records=40, reads_per_s=100_000),
    TABLE: replace(DYNAMODB, page_records=40, reads_per_s=100_000),
}
_ENCODE = {STREAM: kinesis_event, TABLE: dynamodb_event}
# Numbers soon gain a digit; the SDK takes none of DynamoDB that is shorter than 21.
_FIRST_NUMBER = {STREAM: 95, TABLE: 10**21 - 5}


class Sources(Protocol):
    """What a world needs of them."""

    written: int
    """Records so far."""
    endpoint: str | None
    """Where AWS is; None where the world's own server shows it."""

    def operations(self) -> Mapping[str, Operation]:
        """What the server can be asked for."""
        ...

    async def invoke(self, place: str, process: str, invocation: Invocation) -> Outcome:
        """Run a function."""
        ...

    async def write(self) -> None:
        """Write a few records, or change the shards of a stream."""
        ...

    async def heal(self) -> None:
        """End all faults, and write once more to each shard: an idle one shows then whether it is read."""
        ...

    async def show_hidden(self) -> None:
        """Have all messages visible again. Only while no poller lives."""
        ...

    async def finished(self, leases: Leases) -> bool:
        """Whether all was handled, and the queue and the leases say so."""
        ...

    def incarnation(self, stored: str) -> str:
        """How the history calls an incarnation that a lease names."""
        ...


class FakeSources:
    """A queue, a Kinesis stream, the stream of a table, and a function for each: the fakes."""

    endpoint: str | None = None

    def __init__(self, plan: WorldPlan, *, clock: WorldClock, history: History) -> None:
        self.written = 0
        self._plan = plan
        self._clock = clock
        self._history = history
        self._chance = random.Random(f"{plan.seed}/traffic")
        self._faults = Faults(plan.faults, seed=plan.seed, clock=clock, history=history)
        self.queue = FakeQueue(
            self._wire(QUEUE), clock=clock, history=history, visibility_timeout_s=VISIBILITY_TIMEOUT_S
        )
        self.streams = {s.place: self._stream(s) for s in plan.sources if s.place in _LIMITS}
        self._functions = {s.place: self._function(s) for s in plan.sources}

    def operations(self) -> Mapping[str, Operation]:
        """What the server can be asked for."""
        return {
            **QueueFace(self.queue).operations,
            **KinesisFace(self.streams[STREAM]).operations,
            **DynamoDbFace(self.streams[TABLE]).operations,
        }

    async def invoke(self, place: str, process: str, invocation: Invocation) -> Outcome:
        """Run a function."""
        function = self._functions[place]
        seen = read_event(invocation.payload)
        number = function.number()
        self._history.add(
            Invoked(
                at=self._clock.monotonic(),
                place=place,
                process=process,
                number=number,
                request_id=invocation.request_id,
                records=tuple(entry.record for entry in seen),
                receives=tuple(entry.receives for entry in seen),
            )
        )
        # `invoke` itself would travel before it begins to run; the way here was a real one.
        return await FakeTarget(function, process=process)._run(number, seen)

    async def write(self) -> None:
        """Write to one source, or change its shards."""
        chance = self._chance
        place = chance.choice((QUEUE, STREAM, TABLE))
        if place != QUEUE and chance.random() < self._plan.reshard:
            self._reshard(self.streams[place])
            return
        for _ in range(chance.randint(1, self._plan.burst)):
            self._put(place, f"key-{chance.randrange(KEYS)}")

    async def heal(self) -> None:
        """End all faults, and write once more to every shard."""
        self._faults.heal()
        self._put(QUEUE, "last")
        for place, stream in self.streams.items():
            for shard in stream.open_shards:
                self._put(place, _key_of(shard))

    async def show_hidden(self) -> None:
        """Pass over the time for which messages are hidden."""
        self._clock.pass_over(VISIBILITY_TIMEOUT_S + 1.0)

    async def finished(self, leases: Leases) -> bool:
        """Whether all was handled, and the queue and the leases say so."""
        return not self.queue.messages and all(
            _shard_finished(shard, leases.get((place, shard.id)))
            for place, stream in self.streams.items()
            for shard in stream.shards.values()
        )

    def incarnation(self, stored: str) -> str:
        """Kinesis tells incarnations apart by their time, a table's stream by its label."""
        for stream in self.streams.values():
            if stored == str(int(incarnation_time(stream.incarnation) * 1000)):
                return stream.incarnation
        return self.streams[TABLE].incarnation

    def _put(self, place: str, key: str) -> None:
        self.written += 1
        record = f"{place}-{self.written}"
        if place == QUEUE:
            self.queue.send(record, key)
        else:
            self.streams[place].put(record, key)

    def _reshard(self, stream: FakeStream) -> None:
        if len(stream.shards) >= SHARDS_MOST:
            return
        shard = self._chance.choice(stream.open_shards)
        if stream.place == TABLE:
            rotate(stream, shard)
        else:
            self._chance.choice((split, merge))(stream, shard)

    def _wire(self, place: str) -> Wire:
        chance = random.Random(f"{self._plan.seed}/{place}")
        return Wire(place, faults=self._faults, chance=chance, latency_s=LATENCY_S)

    def _stream(self, source: SourcePlan) -> FakeStream:
        return FakeStream(
            self._wire(source.place),
            clock=self._clock,
            history=self._history,
            limits=_LIMITS[source.place],
            encode=_ENCODE[source.place],
            shards=source.shards,
            first_number=_FIRST_NUMBER[source.place],
        )

    def _function(self, source: SourcePlan) -> FakeFunction:
        return FakeFunction(
            place=source.place,
            clock=self._clock,
            history=self._history,
            faults=self._faults,
            chance=random.Random(f"{self._plan.seed}/{source.place}()"),
            reports_failures="FunctionResponseTypes" in source.options,
            timeout_s=FUNCTION_TIMEOUT_S,
            duration_s=self._plan.duration_s,
        )


def _key_of(shard: FakeShard) -> str:
    """A key that belongs to a shard."""
    keys = (f"last-{number}" for number in count())
    return next(k for k in keys if shard.first_hash <= zlib.crc32(k.encode()) % HASH_SPACE <= shard.last_hash)


def _shard_finished(shard: FakeShard, lease: Lease | None) -> bool:
    if lease is None:
        return False
    if shard.closed:
        return lease.checkpoint.ended
    reached = lease.checkpoint
    if not shard.stored:
        return True
    after = reached.kind is PositionKind.AFTER_SEQUENCE_NUMBER
    return after and int(reached.sequence_number or 0) == shard.stored[-1].number
