"""Both stream sources keep the contract of all sources against servers that no one here wrote."""

import base64
import json
from collections.abc import AsyncIterator

import pytest

from mappings.arns import EventSource
from poller.aws import Aws
from poller.sources.dynamodb import DynamoDbSource
from poller.sources.kinesis import KinesisSource

# Collected here once more, with the `stream` of this file.
from tests.contract.test_sources import (  # noqa: F401
    Subject,
    test_a_stream_gives_everything_in_order,
    test_an_empty_stream_gives_empty_pages,
    test_latest_gives_only_what_comes_later,
    test_reading_goes_on_after_a_sequence_number,
)
from tests.servers.dynamodb_local import DynamoDbLocal
from tests.servers.kinesis_mock import KinesisMock


@pytest.fixture(params=["kinesis", "dynamodb"])
async def stream(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """An empty stream of one shard of each kind."""
    server = request.getfixturevalue(request.param)
    async with Aws() as aws:
        yield _kinesis(server, aws) if isinstance(server, KinesisMock) else _dynamodb(server, aws)


def _kinesis(server: KinesisMock, aws: Aws) -> Subject:
    made = server.stream(1)
    return Subject(
        KinesisSource(EventSource.parse(made.arn), aws),
        lambda text: made.client.put_record(StreamName=made.name, Data=text.encode(), PartitionKey="k"),
        lambda record: base64.b64decode(json.loads(record.event)["kinesis"]["data"]).decode(),
    )


def _dynamodb(server: DynamoDbLocal, aws: Aws) -> Subject:
    made = server.table()
    return Subject(
        DynamoDbSource(EventSource.parse(made.arn), aws),
        lambda text: made.client.put_item(TableName=made.name, Item={"id": {"S": text}}),
        lambda record: str(json.loads(record.event)["dynamodb"]["Keys"]["id"]["S"]),
    )
