"""Real workers on AWS's own DynamoDB Local share the shards of a stream."""

import signal
import time
from pathlib import Path

import pytest

from tests.aws.running import until
from tests.conftest import Moto
from tests.fleet.stage import fleet_stage
from tests.servers.dynamodb_local import DynamoDbLocal

LEASE_S = 3.0


@pytest.mark.timeout(400)
def test_shards_are_shared_handed_over_and_taken_over(
    moto_server: Moto, dynamodb_server: DynamoDbLocal, tmp_path: Path
) -> None:
    """Who comes gets a share; who ends leaves nothing undone; who is killed is replaced.

    `make fleet` goes on with pauses and rolling restarts, and measures.
    """
    environment = {"AWS_ENDPOINT_URL_DYNAMODB": dynamodb_server.endpoint}
    with fleet_stage(moto_server, environment, tmp_path, shards=4, lease_s=LEASE_S) as stage:
        stage.start("a")
        stage.until_even("a")
        stage.start("b")
        stage.until_even("a", "b")
        shards, at = stage.shards_of("b"), time.monotonic()
        assert stage.processes.workers["b"].end() == 0
        until(lambda: max(stage.gaps(shards, at)) < float("inf"))
        assert stage.repeated() == 0
        handed_over_s = max(stage.gaps(shards, at))

        stage.start("c")
        stage.until_even("a", "c")
        assert stage.repeated() == 0
        shards, at = stage.shards_of("a"), time.monotonic()
        stage.processes.workers["a"].end(signal.SIGKILL)
        stage.until_even("c")
        taken_over_s = max(stage.gaps(shards, at))
        stage.flow.stop()
        until(lambda: not stage.lost())

        assert handed_over_s <= 5.0
        assert LEASE_S / 2 < taken_over_s <= 3 * LEASE_S
        assert stage.repeated() <= 50 * len(shards)
