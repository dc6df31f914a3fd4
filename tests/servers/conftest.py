"""The servers, one of each for the whole session, and a place to run the poller against them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.running import Run
from tests.conftest import point_at
from tests.servers.dynamodb_local import DynamoDbLocal
from tests.servers.kinesis_mock import KinesisMock
from tests.servers.requirements import need


@pytest.fixture(scope="session")
def kinesis_server() -> Iterator[KinesisMock]:
    """kinesis-mock; tests use streams of their own."""
    need("node", "npm")
    server = KinesisMock.start()
    yield server
    server.child.end()


@pytest.fixture
def kinesis(kinesis_server: KinesisMock, monkeypatch: pytest.MonkeyPatch) -> KinesisMock:
    """The server, and this process pointed at it."""
    point_at(monkeypatch, kinesis_server.environment)
    return kinesis_server


@pytest.fixture
def kinesis_run(tmp_path: Path, kinesis_server: KinesisMock) -> Iterator[Run]:
    """A place to run the poller in, pointed at kinesis-mock."""
    made = Run(tmp_path, kinesis_server.environment)
    yield made
    made.close()


@pytest.fixture
def dynamodb_run(tmp_path: Path, dynamodb_server: DynamoDbLocal) -> Iterator[Run]:
    """A place to run the poller in, pointed at DynamoDB Local."""
    made = Run(tmp_path, dynamodb_server.environment)
    yield made
    made.close()
