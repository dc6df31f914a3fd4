"""The event sources of the demo: a queue, a Kinesis stream and a table with a stream."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiobotocore.session import get_session

QUEUE = "orders"
STREAM = "clicks"
TABLE = "carts"
SHARDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The producers' own clients: they share nothing with the poller."""

    sqs: Any
    kinesis: Any
    dynamodb: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What was created."""

    queue_url: str
    queue_arn: str
    stream_arn: str
    table_stream_arn: str


@asynccontextmanager
async def open_clients() -> AsyncIterator[Clients]:
    """Clients for the endpoint that the environment names."""
    session = get_session()
    async with AsyncExitStack() as stack:
        services = ("sqs", "kinesis", "dynamodb")
        made = {name: await stack.enter_async_context(session.create_client(name)) for name in services}
        yield Clients(**made)


async def create_sources(clients: Clients) -> Sources:
    """Create all three."""
    queue_url = (await clients.sqs.create_queue(QueueName=QUEUE))["QueueUrl"]
    answer = await clients.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    await clients.kinesis.create_stream(StreamName=STREAM, ShardCount=SHARDS)
    stream = await clients.kinesis.describe_stream_summary(StreamName=STREAM)
    return Sources(
        queue_url=queue_url,
        queue_arn=answer["Attributes"]["QueueArn"],
        stream_arn=stream["StreamDescriptionSummary"]["StreamARN"],
        table_stream_arn=await _create_table(clients.dynamodb),
    )


async def _create_table(dynamodb: Any) -> str:
    table = await dynamodb.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "cart", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "cart", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    arn: str = table["TableDescription"]["LatestStreamArn"]
    return arn
