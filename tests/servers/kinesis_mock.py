"""kinesis-mock: starts it, and makes, fills and reshards its streams through a client that is not ours."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import boto3
from botocore.config import Config

from tests.aws.running import until
from tests.conftest import ACCOUNT, REGION, unique
from tests.servers.child import Child
from tests.servers.installing import HERE, packages

HTTP_PORT = 4568
KEYS = 13
# A change of a stream is not done at once, as on AWS; the default is half a second.
CHANGE = dict.fromkeys(
    (
        "CREATE_STREAM_DURATION",
        "DELETE_STREAM_DURATION",
        "SPLIT_SHARD_DURATION",
        "MERGE_SHARDS_DURATION",
        "UPDATE_SHARD_COUNT_DURATION",
    ),
    "100ms",
)


@dataclass(frozen=True)
class KinesisMock:
    """The server."""

    child: Child
    endpoint: str

    @classmethod
    def start(cls) -> Self:
        """Install it if need be, start it, and wait until it listens."""
        child = Child(
            ["node", "--require", str(HERE / "loopback.js"), "main.js"],
            folder=packages() / "kinesis-local",
            environment={
                "PATH": os.environ["PATH"],
                "LOG_LEVEL": "ERROR",
                "AWS_ACCOUNT_ID": ACCOUNT,
                "AWS_REGION": REGION,
                "SHARD_LIMIT": "1000",
                **CHANGE,
            },
        )
        return cls(child, f"http://127.0.0.1:{child.port_for(HTTP_PORT)}")

    @property
    def environment(self) -> dict[str, str]:
        """What points a process at this server."""
        return {
            "AWS_ENDPOINT_URL_KINESIS": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def stream(self, shards: int) -> "KinesisStream":
        """Make a stream of its own."""
        client = boto3.client(
            "kinesis",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        made = KinesisStream(client, unique("stream"))
        made.make(shards)
        return made


@dataclass(frozen=True)
class KinesisStream:
    """One stream. Record `n` says n and has partition key n modulo 13."""

    client: Any
    name: str

    @property
    def arn(self) -> str:
        """What a mapping names."""
        return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{self.name}"

    def make(self, shards: int) -> None:
        """Create it."""
        self.client.create_stream(StreamName=self.name, ShardCount=shards)
        self.until_active()

    def delete(self) -> None:
        """Delete it, and wait until it is gone."""
        self.client.delete_stream(StreamName=self.name)
        until(lambda: self.name not in self.client.list_streams()["StreamNames"])

    def put(self, numbers: Iterable[int]) -> None:
        """Write records in order."""
        entries = [{"Data": str(n).encode(), "PartitionKey": f"key-{n % KEYS}"} for n in numbers]
        for begin in range(0, len(entries), 100):
            answer = self.client.put_records(StreamName=self.name, Records=entries[begin : begin + 100])
            assert answer["FailedRecordCount"] == 0

    def split(self, shard: str) -> None:
        """Divide a shard in the middle of its hash range."""
        keys = self._shard(shard)["HashKeyRange"]
        middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2
        self.client.split_shard(StreamName=self.name, ShardToSplit=shard, NewStartingHashKey=str(middle))
        self.until_active()

    def merge(self, shard: str, adjacent: str) -> None:
        """Make one of two neighbours."""
        self.client.merge_shards(StreamName=self.name, ShardToMerge=shard, AdjacentShardToMerge=adjacent)
        self.until_active()

    def reshard(self, shards: int) -> None:
        """Let the service choose what to split or merge."""
        self.client.update_shard_count(
            StreamName=self.name, TargetShardCount=shards, ScalingType="UNIFORM_SCALING"
        )
        self.until_active()

    def shards(self) -> Sequence[dict[str, Any]]:
        """All shards, as the stream lists them."""
        listed: Sequence[dict[str, Any]] = self.client.list_shards(StreamName=self.name)["Shards"]
        return listed

    @property
    def open_shards(self) -> Sequence[str]:
        """Those that still take records."""
        return [s["ShardId"] for s in self.shards() if "EndingSequenceNumber" not in s["SequenceNumberRange"]]

    @property
    def parents(self) -> dict[str, list[str]]:
        """Of each shard, those it was made of."""
        names = ("ParentShardId", "AdjacentParentShardId")
        return {s["ShardId"]: [s[name] for name in names if name in s] for s in self.shards()}

    def until_active(self) -> None:
        """Wait until a change is done."""

        def active() -> bool:
            summary = self.client.describe_stream_summary(StreamName=self.name)
            return bool(summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")

        until(active)

    def _shard(self, shard: str) -> dict[str, Any]:
        return next(listed for listed in self.shards() if listed["ShardId"] == shard)
