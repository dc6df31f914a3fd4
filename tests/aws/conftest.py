"""A folder and processes of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.running import Run
from tests.conftest import Moto


@pytest.fixture
def run(tmp_path: Path, moto: Moto) -> Iterator[Run]:
    """A place to run the poller in, pointed at moto."""
    made = Run(tmp_path, moto.environment)
    yield made
    made.close()
