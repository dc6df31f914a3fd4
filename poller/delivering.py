"""One delivery: a batch becomes an event, the function gets it, and what came of it is counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from poller.core.batching import Batch
from poller.core.outcomes import Outcome, TooLarge
from poller.core.payload import MAX_PAYLOAD_BYTES, encode_records
from poller.core.records import Record
from poller.core.retrying import Now
from poller.interfaces import Invocation, Target
from poller.telemetry import Delivered, Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How the batches of one shard or queue are delivered."""

    target: Target
    meter: Meter
    shard: str
    now: Callable[[], Now]

    async def invoke(
        self,
        batch: Batch,
        *,
        records: Sequence[Record],
        attempt: int,
        start: Callable[[], None] | None = None,
    ) -> Delivered:
        """Send a batch once.

        Args:
            batch: The batch.
            records: What its event holds: its records with the receipt handles that count.
            attempt: Which delivery of these records it is, from 1 on.
            start: See `Invocation.start`.

        Raises:
            NotStarted: `start` did.
        """
        begun = self.now()
        payload = encode_records(records, batch.members)
        if len(payload) > MAX_PAYLOAD_BYTES:
            if start is not None:
                start()
            outcome: Outcome = TooLarge(size=len(payload))
        else:
            outcome = await self.target.invoke(
                Invocation(
                    payload=payload,
                    request_id=batch.id,
                    attempt=attempt,
                    mapping=self.meter.mapping,
                    start=start,
                )
            )
        self.meter.batched(batch, len(payload))
        now = self.now()
        duration_s = now.monotonic - begun.monotonic
        self.meter.delivered(self.shard, batch, outcome, duration_s=duration_s, now=now)
        return Delivered(outcome=outcome, duration_s=duration_s)
