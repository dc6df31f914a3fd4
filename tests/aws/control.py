"""The API of a running poller, through clients that are not ours: boto3 and the AWS CLI."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.aws.running import Run, until
from tests.conftest import REGION

KEYS = {
    "aws_access_key_id": "AKIDTEST",
    "aws_secret_access_key": "a-secret-that-is-long-enough-to-be-used-0123",
}


def endpoint(run: Run) -> str:
    """Where the API of the last process listens, as it says itself."""
    until(lambda: run.logged("api_listening"))
    return f"http://{run.logged('api_listening')[-1]['address']}"


def lambda_client(url: str, **keys: str) -> Any:
    """A boto3 client of the poller."""
    return boto3.client(
        "lambda",
        endpoint_url=url,
        region_name=REGION,
        config=Config(retries={"total_max_attempts": 1}),
        **(keys or KEYS),
    )


def until_state(client: Any, uuid: str, state: str | None) -> None:
    """Wait until a mapping is in a State; None is gone."""

    def reached() -> bool:
        try:
            return bool(client.get_event_source_mapping(UUID=uuid)["State"] == state)
        except client.exceptions.ResourceNotFoundException:
            return state is None

    until(reached)


class Cli:
    """The AWS CLI, pointed at the poller."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_LAMBDA": url,
            "AWS_CONFIG_FILE": str(folder / "no-config"),
            "AWS_MAX_ATTEMPTS": "1",
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `aws lambda ...` to its end."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("aws")), "lambda", *arguments, "--output", "json"],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def answer(self, *arguments: str) -> Any:
        """What it printed; the command must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None
