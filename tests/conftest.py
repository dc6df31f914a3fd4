"""Servers and clients that several suites share."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import settings

from poller.demo.server import MAIN_PROGRAM

if TYPE_CHECKING:
    from tests.servers.dynamodb_local import DynamoDbLocal

REGION = "us-east-1"
ACCOUNT = "123456789012"  # moto's

# Hypothesis's own for shared machines: an example has no deadline, and each run draws the same ones.
settings.load_profile("ci")


@dataclass(frozen=True)
class Moto:
    """An AWS-compatible server in a child process, and clients that are not ours."""

    endpoint: str

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    @property
    def environment(self) -> dict[str, str]:
        """What points a process at this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def queue(self, **attributes: str) -> tuple[str, str]:
        """Make a queue of its own; its URL and ARN."""
        name = unique("queue")
        url = self.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"

    def stream(self, shards: int) -> tuple[str, str]:
        """Make a Kinesis stream of its own; its name and ARN."""
        name = unique("stream")
        self.client("kinesis").create_stream(StreamName=name, ShardCount=shards)
        return name, f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"

    def table(self) -> tuple[str, str]:
        """Make a table with a stream; its name and the stream's ARN."""
        name = unique("table")
        made = self.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        return name, made["TableDescription"]["LatestStreamArn"]


def unique(prefix: str) -> str:
    """A name no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Moto]:
    """One server for the whole session; tests use names of their own."""
    process = subprocess.Popen(
        [sys.executable, "-P", str(MAIN_PROGRAM)],
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Moto(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.kill()
        process.communicate(timeout=10)


@pytest.fixture
def moto(moto_server: Moto, monkeypatch: pytest.MonkeyPatch) -> Moto:
    """The server, and this process pointed at it."""
    point_at(monkeypatch, moto_server.environment)
    return moto_server


@pytest.fixture(scope="session")
def dynamodb_server() -> Iterator["DynamoDbLocal"]:
    """DynamoDB Local; tests use tables of their own."""
    from tests.servers.dynamodb_local import DynamoDbLocal
    from tests.servers.requirements import need, need_java

    need("npm")
    need_java()
    server = DynamoDbLocal.start()
    yield server
    server.child.end()


@pytest.fixture
def dynamodb(dynamodb_server: "DynamoDbLocal", monkeypatch: pytest.MonkeyPatch) -> "DynamoDbLocal":
    """The server, and this process pointed at it."""
    point_at(monkeypatch, dynamodb_server.environment)
    return dynamodb_server


def point_at(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    """Point this process at a server, and at nothing else."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "POLLER_"))]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
