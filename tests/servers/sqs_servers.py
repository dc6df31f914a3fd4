"""Servers that stand in for SQS: ministack, which is installed here, and a LocalStack that runs already."""

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

from tests.aws.running import until
from tests.conftest import ACCOUNT, REGION, unique
from tests.servers.installing import HERE, made, run

PINS = HERE / "ministack.txt"
STOP_LIMIT_S = 30.0


def _installed() -> Path:
    def install(folder: Path) -> None:
        run(sys.executable, "-m", "venv", "venv", folder=folder)
        run(
            *("venv/bin/python", "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--require-hashes", "--requirement", str(PINS)),
            folder=folder,
        )

    return made("ministack", [PINS], install)


@dataclass(frozen=True)
class SqsServer:
    """A server at an address."""

    name: str
    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What points a process at this server."""
        return {
            "AWS_ENDPOINT_URL_SQS": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
        }

    @property
    def client(self) -> Any:
        """A client that is not ours."""
        return boto3.client(
            "sqs",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def queue(self, *, fifo: bool = False, visibility_s: int, max_receives: int) -> "ServedQueue":
        """Make a queue with a dead-letter queue of its own."""
        client, end = self.client, ".fifo" if fifo else ""
        kind = {"FifoQueue": "true"} if fifo else {}
        dead_name, name = unique("dead") + end, unique("orders") + end
        dead = client.create_queue(QueueName=dead_name, Attributes=kind)["QueueUrl"]
        redrive = f'{{"deadLetterTargetArn":"{_arn(dead_name)}","maxReceiveCount":"{max_receives}"}}'
        attributes = {"VisibilityTimeout": str(visibility_s), "RedrivePolicy": redrive, **kind}
        url = client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return ServedQueue(client=client, url=url, dead_url=dead, arn=_arn(name))


@dataclass(frozen=True)
class ServedQueue:
    """One queue and its dead-letter queue."""

    client: Any
    url: str
    dead_url: str
    arn: str

    def send(self, *bodies: str, group: str | None = None) -> None:
        """Send messages one after the other."""
        for body in bodies:
            named = {"MessageGroupId": group, "MessageDeduplicationId": unique("message")}
            more = {} if group is None else named
            self.client.send_message(QueueUrl=self.url, MessageBody=body, **more)

    def left(self) -> int:
        """Messages that are not deleted."""
        return self._count(self.url)

    def dead(self) -> int:
        """Messages of the dead-letter queue."""
        return self._count(self.dead_url)

    def _count(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def receives(self) -> list[int]:
        """The receive counts of what is left, this look not included."""
        names = ["ApproximateReceiveCount"]
        counts: list[int] = []
        for _ in range(5):  # one receive may look at some of the messages only
            answer = self.client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=60,
                AttributeNames=names,
                MessageSystemAttributeNames=names,
            )
            messages = answer.get("Messages", ())
            counts += [int(message["Attributes"]["ApproximateReceiveCount"]) - 1 for message in messages]
        return counts


class Ministack:
    """The server, in a process of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", server: SqsServer) -> None:
        self.server = server
        self._process = process

    @classmethod
    def start(cls) -> Self:
        """Install it if need be, start it, and wait until it answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen(
            [str(_installed() / "venv/bin/python"), "-m", "ministack"],
            env={
                "PATH": os.environ["PATH"],
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(port),
                "LOG_LEVEL": "ERROR",
                "MINISTACK_ACCOUNT_ID": ACCOUNT,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def listens() -> bool:
            assert process.poll() is None, "ministack has ended"
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(listens)
        return cls(process, SqsServer(name="ministack", endpoint=f"http://127.0.0.1:{port}"))

    def end(self) -> None:
        """Kill it and wait."""
        self._process.kill()
        self._process.wait(STOP_LIMIT_S)


def _arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
