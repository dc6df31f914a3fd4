"""A queue and a Kinesis stream in moto's server: the independent check of the fakes and of their faces.

Moto tells nobody what it does, so receives and deletions are inferred from what the functions see.
"""

import random
from collections.abc import Mapping
from dataclasses import replace

import anyio
import anyio.to_thread

from poller.core.outcomes import Outcome, Succeeded
from poller.interfaces import Invocation
from tests.conftest import Moto
from tests.fakes.events import read_event
from tests.fakes.history import (
    Answered,
    Deleted,
    History,
    Invoked,
    Produced,
    Received,
    ShardBorn,
)
from tests.kill.clock import WorldClock
from tests.kill.faces import Operation
from tests.kill.plan import QUEUE, STREAM, WorldPlan, draw_plan
from tests.kill.sources import KEYS, Leases

# Far longer than a function runs here, and short enough to be waited for once.
VISIBILITY_TIMEOUT_S = 5
INCARNATION = "moto"


class MotoSources:
    """One world in moto's server. Its names are in the plan's ARNs."""

    def __init__(self, plan: WorldPlan, *, moto: Moto, clock: WorldClock, history: History) -> None:
        self.written = 0
        self.endpoint: str | None = moto.endpoint
        self._plan = plan
        self._clock = clock
        self._history = history
        self._chance = random.Random(f"{plan.seed}/traffic")
        self._sqs, self._kinesis = moto.client("sqs"), moto.client("kinesis")
        arns = {source.place: source.arn for source in plan.sources}
        self._url = self._sqs.get_queue_url(QueueName=arns[QUEUE].rpartition(":")[2])["QueueUrl"]
        self._stream = arns[STREAM].rpartition("/")[2]
        self._last: dict[str, int] = {}
        """The last sequence number of each shard; 0 of an empty one."""
        self._sent: list[str] = []
        self._number = 0
        # What is written is known here before a function sees it.
        self._writing = anyio.Lock()
        for shard in self._kinesis.list_shards(StreamName=self._stream)["Shards"]:
            self._last[shard["ShardId"]] = 0
            history.add(ShardBorn(clock.monotonic(), STREAM, INCARNATION, shard["ShardId"], ()))

    def operations(self) -> Mapping[str, Operation]:
        """Nothing: pollers ask moto."""
        return {}

    async def invoke(self, place: str, process: str, invocation: Invocation) -> Outcome:
        """Run a function."""
        async with self._writing:
            seen = read_event(invocation.payload)
            names = tuple(entry.record for entry in seen)
            receives = tuple(entry.receives for entry in seen)
            self._number += 1
            number = self._number
            now = self._clock.monotonic()
            if place == QUEUE:
                self._received(now, process, dict(zip(names, receives, strict=True)))
            self._history.add(Invoked(now, place, process, number, invocation.request_id, names, receives))
        await anyio.sleep(self._chance.random() * self._plan.duration_s)
        self._history.add(Answered(self._clock.monotonic(), place, process, number, "ok", ()))
        return Succeeded(payload=b"")

    async def write(self) -> None:
        """Write a few records. Moto ends no shard, so none is split."""
        async with self._writing:
            await anyio.to_thread.run_sync(self._write)

    async def heal(self) -> None:
        """Write once more."""
        await self.write()

    async def show_hidden(self) -> None:
        """Leave it to the last life to wait for them: moto's time cannot be passed over."""

    async def finished(self, leases: Leases) -> bool:
        """Whether all was handled, and moto and the leases say so."""
        for shard, last in self._last.items():
            lease = leases.get((STREAM, shard))
            if lease is None or int(lease.checkpoint.sequence_number or 0) != last:
                return False
        return await anyio.to_thread.run_sync(self._queue_is_empty)

    def incarnation(self, stored: str) -> str:
        """Moto's streams are never made again here."""
        return INCARNATION

    def _received(self, now: float, process: str, receives: Mapping[str, int]) -> None:
        for record, count in receives.items():
            hidden_until = now + VISIBILITY_TIMEOUT_S
            self._history.add(Received(now, QUEUE, process, record, count, hidden_until, told=True))

    def _write(self) -> None:
        count = self._chance.randint(1, min(self._plan.burst, 10))
        names = [f"{self.written + n}" for n in range(count)]
        self.written += count
        if self._chance.random() < 0.5:
            self._send([f"{QUEUE}-{name}" for name in names])
        else:
            self._put([f"{STREAM}-{name}" for name in names])

    def _send(self, records: list[str]) -> None:
        entries = [{"Id": str(n), "MessageBody": record} for n, record in enumerate(records)]
        now, wall = self._clock.monotonic(), self._clock.wall()
        for record in records:
            self._history.add(Produced(now, QUEUE, record, None, "queue", 0, wall))
        assert not self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries).get("Failed")
        self._sent += records

    def _put(self, records: list[str]) -> None:
        keys = [f"key-{self._chance.randrange(KEYS)}" for _ in records]
        entries = [{"Data": r.encode(), "PartitionKey": k} for r, k in zip(records, keys, strict=True)]
        answer = self._kinesis.put_records(StreamName=self._stream, Records=entries)
        for record, key, stored in zip(records, keys, answer["Records"], strict=True):
            shard, number = stored["ShardId"], int(stored["SequenceNumber"])
            now, wall = self._clock.monotonic(), self._clock.wall()
            self._history.add(Produced(now, STREAM, record, key, shard, number, wall))
            self._last[shard] = number

    def _queue_is_empty(self) -> bool:
        """Whether moto holds no message any more; then all that was sent was deleted."""
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])
        kinds = ("", "NotVisible", "Delayed")
        if any(int(answer["Attributes"][f"ApproximateNumberOfMessages{kind}"]) for kind in kinds):
            return False
        for record in self._sent:
            self._history.add(Deleted(self._clock.monotonic(), QUEUE, "", record))
        self._sent.clear()
        return True


def moto_plan(seed: int, moto: Moto) -> WorldPlan:
    """The world of a seed, with a queue and a stream of its own in moto's server."""
    _, queue = moto.queue(VisibilityTimeout=str(VISIBILITY_TIMEOUT_S))
    _, stream = moto.stream(2)
    arns = {QUEUE: queue, STREAM: stream}
    plan = draw_plan(seed)
    sources = tuple(replace(s, arn=arns[s.place], handler=False) for s in plan.sources if s.place in arns)
    return replace(plan, sources=sources, faults=(), deletions_told=False)
