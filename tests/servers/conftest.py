"""The servers, one of each for the whole session, and a place to run the poller against them."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.aws.running import Run
from tests.servers.dynamodb_local import DynamoDbLocal
from tests.servers.kinesis_mock import KinesisMock
from tests.servers.requirements import need, need_java


@pytest.fixture(scope="session")
def kinesis_server() -> Iterator[KinesisMock]:
    """kinesis-mock; tests use streams of their own."""
    need("node", "npm")
    server = KinesisMock.start()
    yield server
    server.child.end()


@pytest.fixture(scope="session")
def dynamodb_server() -> Iterator[DynamoDbLocal]:
    """DynamoDB Local; tests use tables of their own."""
    need("npm")
    need_java()
    server = DynamoDbLocal.start()
    yield server
    server.child.end()


@pytest.fixture
def kinesis(kinesis_server: KinesisMock, monkeypatch: pytest.MonkeyPatch) -> KinesisMock:
    """The server, and this process pointed at it."""
    _point(monkeypatch, kinesis_server.environment)
    return kinesis_server


@pytest.fixture
def dynamodb(dynamodb_server: DynamoDbLocal, monkeypatch: pytest.MonkeyPatch) -> DynamoDbLocal:
    """The server, and this process pointed at it."""
    _point(monkeypatch, dynamodb_server.environment)
    return dynamodb_server


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


def _point(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "POLLER_"))]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
