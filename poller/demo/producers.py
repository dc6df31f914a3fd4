"""Writes the sample data to the event sources, spread over some seconds, and notes what was taken."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio
import orjson

from poller.demo import samples
from poller.demo.ledger import Ledger
from poller.demo.mapping_file import CARTS_FUNCTION, CLICKS_FUNCTION, ORDERS_FUNCTION
from poller.demo.samples import Sample
from poller.demo.sources import STREAM, TABLE, Clients, Sources

# Long enough to watch; a queue that is read meanwhile stays short.
PRODUCING_S = 15.0
REFUSED_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Producer:
    """Fills one event source."""

    function: str
    """Which is to see the records."""
    records: Sequence[Sample]
    chunk: int
    """Records per call: the most that the service takes."""
    write: Callable[[Sequence[Sample]], Awaitable[set[str]]]
    """Writes a chunk; returns the ids of what was not taken."""

    async def run(self, ledger: Ledger) -> None:
        """Write chunks at an even pace; what was not taken is written again."""
        begun = anyio.current_time()
        for start in range(0, len(self.records), self.chunk):
            await anyio.sleep_until(begun + PRODUCING_S * start / len(self.records))
            await self._write_all(self.records[start : start + self.chunk], ledger)

    async def _write_all(self, chunk: Sequence[Sample], ledger: Ledger) -> None:
        while True:
            refused = await self.write(chunk)
            ledger.produced(self.function, ids=[sample.id for sample in chunk if sample.id not in refused])
            chunk = [sample for sample in chunk if sample.id in refused]
            if not chunk:
                return
            await anyio.sleep(REFUSED_PAUSE_S)


def make_producers(clients: Clients, *, sources: Sources) -> Sequence[Producer]:
    """One for each event source."""

    async def write_orders(chunk: Sequence[Sample]) -> set[str]:
        entries = [{"Id": order.id, "MessageBody": _json(order)} for order in chunk]
        answer = await clients.sqs.send_message_batch(QueueUrl=sources.queue_url, Entries=entries)
        return {entry["Id"] for entry in answer.get("Failed", ())}

    async def write_clicks(chunk: Sequence[Sample]) -> set[str]:
        records = [{"PartitionKey": click.key, "Data": _json(click)} for click in chunk]
        answer = await clients.kinesis.put_records(StreamName=STREAM, Records=records)
        results = zip(chunk, answer["Records"], strict=True)
        return {click.id for click, result in results if "ErrorCode" in result}

    async def write_changes(chunk: Sequence[Sample]) -> set[str]:
        puts = [{"PutRequest": {"Item": _item(change)}} for change in chunk]
        answer = await clients.dynamodb.batch_write_item(RequestItems={TABLE: puts})
        left = answer.get("UnprocessedItems", {}).get(TABLE, ())
        return {put["PutRequest"]["Item"]["id"]["S"] for put in left}

    return (
        Producer(function=ORDERS_FUNCTION, records=samples.orders(), chunk=10, write=write_orders),
        Producer(function=CLICKS_FUNCTION, records=samples.clicks(), chunk=500, write=write_clicks),
        Producer(function=CARTS_FUNCTION, records=samples.cart_changes(), chunk=25, write=write_changes),
    )


def _json(sample: Sample) -> str:
    return orjson.dumps(sample.content).decode()


def _item(change: Sample) -> dict[str, dict[str, str]]:
    types = {str: "S", int: "N"}
    values = {name: {types[type(value)]: str(value)} for name, value in change.content.items()}
    return {"cart": {"S": change.key}, **values}
