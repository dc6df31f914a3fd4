"""The environment of the demo: the only place of this program that writes os.environ.

Variables are how the poller, its SDK and hosted functions are told of an endpoint anywhere else. So it is
here: what is shown is what a user gets. Nothing outside this process and its children is affected.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from poller.demo.seen import SEEN_FOLDER_VARIABLE

REGION = "us-east-1"


@contextmanager
def demo_environment(*, endpoint_url: str, seen_folder: Path) -> Iterator[None]:
    """Point every AWS client made inside the block, here or in a child, to `endpoint_url`."""
    before = dict(os.environ)
    _replace(neutral_environment() | _variables(endpoint_url, seen_folder))
    try:
        yield
    finally:
        _replace(before)


def neutral_environment() -> dict[str, str]:
    """The environment without what a user has set for AWS: profile, endpoints of services, retries."""
    return {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}


def _replace(environ: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ |= environ


def _variables(endpoint_url: str, seen_folder: Path) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        # The server takes any; real ones must not be read, let alone sent.
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # Where a proxy is set, it is not for loopback.
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        SEEN_FOLDER_VARIABLE: str(seen_folder),
    }
