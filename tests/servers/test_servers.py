"""The servers themselves keep to this machine, and to the life of the tests."""

import re
import shutil
import subprocess

import pytest

from tests.aws.running import until
from tests.servers.dynamodb_local import DynamoDbLocal
from tests.servers.kinesis_mock import KinesisMock

LOOPBACK = re.compile(r"(127\.0\.0\.1|\[::ffff:127\.0\.0\.1\]|\[::1\]):\d+")


@pytest.fixture(params=["kinesis_server", "dynamodb_server"])
def server(request: pytest.FixtureRequest) -> KinesisMock | DynamoDbLocal:
    """Each of them."""
    made: KinesisMock | DynamoDbLocal = request.getfixturevalue(request.param)
    return made


@pytest.mark.skipif(shutil.which("ss") is None, reason="ss not found")
def test_a_server_listens_on_the_loopback_interface_only(server: KinesisMock | DynamoDbLocal) -> None:
    """Nobody else on the network can reach it, nor does a firewall ask."""
    sockets = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    addresses = [line.split()[3] for line in sockets.splitlines() if f"pid={server.child.pid}," in line]

    assert addresses
    assert all(LOOPBACK.fullmatch(address) for address in addresses), addresses


@pytest.mark.parametrize(
    ("kind", "fixture"), [(KinesisMock, "kinesis_server"), (DynamoDbLocal, "dynamodb_server")]
)
def test_a_server_ends_with_its_standard_input(
    request: pytest.FixtureRequest, kind: type[KinesisMock | DynamoDbLocal], fixture: str
) -> None:
    """A session that is killed leaves none behind."""
    request.getfixturevalue(fixture)  # skips where it cannot run
    child = kind.start().child

    child.let_go()

    until(lambda: child.ended)
    child.end()
