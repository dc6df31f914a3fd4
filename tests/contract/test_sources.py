"""What every source promises; each implementation passes the same tests."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import anyio
import pytest

from mappings.arns import EventSource
from poller.aws import Aws
from poller.core.records import Page, Position, Record
from poller.errors import SourceGone
from poller.interfaces import QueueReader, QueueSource, Reader, Source
from poller.sources.dynamodb import DynamoDbSource
from poller.sources.kinesis import KinesisSource
from poller.sources.memory import MemoryQueue, MemoryStream
from poller.sources.sqs import SqsSource
from poller.surroundings import SystemClock
from tests.conftest import ACCOUNT, REGION, Moto

CLOCK = SystemClock()
VISIBILITY_TIMEOUT_S = 1


@dataclass(frozen=True)
class Subject:
    """A source under test, and how to write to it."""

    source: Source
    write: Callable[[str], object]
    text: Callable[[Record], str]
    """What was written, as the record's event shows it."""


@pytest.fixture(params=["memory", "sqs", "sqs through the SDK"])
async def queue(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """An empty queue of each kind, with a visibility timeout of one second."""
    if request.param == "memory":
        memory = MemoryQueue(CLOCK, visibility_timeout_s=VISIBILITY_TIMEOUT_S)
        yield Subject(memory, memory.send, _sqs_text)
        return
    moto: Moto = request.getfixturevalue("moto")
    url, arn = moto.queue(VisibilityTimeout=str(VISIBILITY_TIMEOUT_S))
    client = moto.client("sqs")
    async with Aws(hot_path=request.param == "sqs") as aws:
        source = SqsSource(EventSource.parse(arn), aws, CLOCK, long_poll_s=1)
        yield Subject(source, lambda text: client.send_message(QueueUrl=url, MessageBody=text), _sqs_text)


@pytest.fixture(
    params=["memory", "kinesis", "kinesis through the SDK", "dynamodb", "dynamodb through the SDK"]
)
async def stream(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """An empty stream of one shard of each kind."""
    if request.param == "memory":
        memory = MemoryStream(CLOCK)
        yield Subject(memory, lambda text: memory.put("shard-0", text), _memory_text)
        return
    moto: Moto = request.getfixturevalue("moto")
    kind, *sdk = request.param.split(maxsplit=1)
    async with Aws(hot_path=not sdk) as aws:
        yield _kinesis(moto, aws) if kind == "kinesis" else _dynamodb(moto, aws)


def _kinesis(moto: Moto, aws: Aws) -> Subject:
    name, arn = moto.stream(1)
    client = moto.client("kinesis")
    return Subject(
        KinesisSource(EventSource.parse(arn), aws),
        lambda text: client.put_record(StreamName=name, Data=text.encode(), PartitionKey="k"),
        lambda record: _base64(json.loads(record.event)["kinesis"]["data"]),
    )


def _dynamodb(moto: Moto, aws: Aws) -> Subject:
    name, arn = moto.table()
    client = moto.client("dynamodb")
    return Subject(
        DynamoDbSource(EventSource.parse(arn), aws),
        lambda text: client.put_item(TableName=name, Item={"id": {"S": text}}),
        lambda record: json.loads(record.event)["dynamodb"]["Keys"]["id"]["S"],
    )


def _base64(text: str) -> str:
    import base64

    return base64.b64decode(text).decode()


def _sqs_text(record: Record) -> str:
    return str(json.loads(record.event)["body"])


def _memory_text(record: Record) -> str:
    return str(json.loads(record.event)["data"])


async def _open(subject: Subject, after: Position | None = None) -> Reader:
    topology = await subject.source.discover()
    return await subject.source.open(topology.shards[0], after or Position.trim_horizon())


async def _open_queue(subject: Subject) -> QueueReader:
    assert isinstance(subject.source, QueueSource)
    topology = await subject.source.discover()
    return await subject.source.open(topology.shards[0], Position.trim_horizon())


async def _read(reader: Reader, count: int, *, limit: int = 10) -> list[Record]:
    """Read until so many records have come."""
    found: list[Record] = []
    with anyio.fail_after(20):
        while len(found) < count:
            page: Page = await reader.receive(limit, 1.0)
            found += page.records
    return found


# ----- queues


async def test_a_queue_gives_what_was_sent_once(queue: Subject) -> None:
    """All of it, each message one time, while its visibility timeout runs."""
    for number in range(7):
        queue.write(f"body {number}")
    reader = await _open_queue(queue)

    records = await _read(reader, 7)
    again = await reader.receive(10, 0.0)

    assert sorted(queue.text(r) for r in records) == [f"body {n}" for n in range(7)]
    assert list(again.records) == []


async def test_a_queue_respects_the_limit(queue: Subject) -> None:
    """A message that was not asked for stays visible to others."""
    for number in range(5):
        queue.write(str(number))
    reader = await _open_queue(queue)

    page = await reader.receive(2, 1.0)

    assert len(page.records) <= 2


async def test_a_deleted_message_does_not_come_back(queue: Subject) -> None:
    """Done is deleted."""
    queue.write("x")
    reader = await _open_queue(queue)
    records = await _read(reader, 1)

    unsettled = await reader.delete(records)
    await anyio.sleep(VISIBILITY_TIMEOUT_S + 0.2)

    assert not unsettled.again
    assert list((await reader.receive(10, 0.0)).records) == []


async def test_a_released_message_is_there_at_once(queue: Subject) -> None:
    """Another worker need not wait for the visibility timeout."""
    queue.write("x")
    reader = await _open_queue(queue)
    (first,) = await _read(reader, 1)

    await reader.hide([first], 0)
    (second,) = await _read(reader, 1)

    assert second.item_identifier == first.item_identifier
    assert second.receipt != first.receipt


async def test_a_message_nobody_settles_comes_back_after_its_visibility_timeout(queue: Subject) -> None:
    """And not before it says itself."""
    queue.write("x")
    reader = await _open_queue(queue)
    page = await reader.receive(10, 1.0)
    assert page.hidden is not None

    (second,) = await _read(reader, 1)

    assert CLOCK.monotonic() >= page.hidden[1] - 0.2
    assert second.item_identifier == page.records[0].item_identifier


async def test_a_renewed_message_stays_hidden(queue: Subject) -> None:
    """Faults 9: for as long as was asked, from then on."""
    queue.write("x")
    reader = await _open_queue(queue)
    records = await _read(reader, 1)

    assert not (await reader.hide(records, 60)).lost
    await anyio.sleep(VISIBILITY_TIMEOUT_S + 0.2)

    assert list((await reader.receive(10, 0.0)).records) == []


async def test_deleting_twice_is_harmless(queue: Subject) -> None:
    """A delete whose answer was lost is repeated."""
    queue.write("x")
    reader = await _open_queue(queue)
    records = await _read(reader, 1)

    await reader.delete(records)

    assert not (await reader.delete(records)).again


# ----- streams


async def test_a_stream_gives_everything_in_order(stream: Subject) -> None:
    """From the horizon, page after page."""
    for number in range(25):
        stream.write(f"{number:02}")
    reader = await _open(stream)

    records = await _read(reader, 25)

    assert [stream.text(r) for r in records] == [f"{n:02}" for n in range(25)]
    positions = [int(r.position or 0) for r in records]
    assert positions == sorted(set(positions))


async def test_reading_goes_on_after_a_sequence_number(stream: Subject) -> None:
    """Exactly after it: nothing twice, nothing left out."""
    for number in range(6):
        stream.write(str(number))
    records = await _read(await _open(stream), 6)

    reader = await _open(stream, Position.after(records[2].position or ""))
    rest = await _read(reader, 3)

    assert [stream.text(r) for r in rest] == ["3", "4", "5"]


async def test_latest_gives_only_what_comes_later(stream: Subject) -> None:
    """The iterator is taken when the shard is opened, not at the first read."""
    stream.write("before")
    reader = await _open(stream, Position.latest(CLOCK.wall()))
    stream.write("after")

    records = await _read(reader, 1)

    assert [stream.text(r) for r in records] == ["after"]


async def test_a_timestamp_starts_at_the_first_record_of_its_time(stream: Subject) -> None:
    """Older records are passed over, none of that time is."""
    stream.write("old")
    await anyio.sleep(1.1)  # creation times of a table's stream are whole seconds
    now = CLOCK.wall()
    stream.write("new")

    records = await _read(await _open(stream, Position.at_timestamp(now)), 1)

    assert [stream.text(r) for r in records] == ["new"]


async def test_an_empty_stream_gives_empty_pages(stream: Subject) -> None:
    """And no end while its shard is open."""
    reader = await _open(stream)

    page = await reader.receive(10, 0.0)

    assert (list(page.records), page.end_of_shard) == ([], False)


async def test_a_record_says_what_a_batch_needs(stream: Subject) -> None:
    """Identifier, position and receipt are the sequence number; its age and size are known."""
    stream.write("x")
    (record,) = await _read(await _open(stream), 1)

    assert record.item_identifier == record.position == record.receipt
    assert record.size == len(record.event)
    assert abs(CLOCK.wall() - record.arrived_at) < 10
    assert record.order_key is not None


# ----- errors


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:sqs:{REGION}:{ACCOUNT}:no-such-queue",
        f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/no-such-stream",
    ],
)
async def test_a_source_that_does_not_exist_is_gone(moto: Moto, arn: str) -> None:
    """Told from one that cannot be reached."""
    event_source = EventSource.parse(arn)
    async with Aws() as aws:
        source: Source = (
            SqsSource(event_source, aws, CLOCK, long_poll_s=1)
            if "sqs" in arn
            else KinesisSource(event_source, aws)
        )

        with pytest.raises(SourceGone, match="no-such"):
            await source.discover()
