"""A seed is a history, in this process and in any other."""

import os
import subprocess
import sys

import pytest

from tests.simulation.generator import generate
from tests.simulation.world import run

SEEDS = range(12)
PROGRAM = """
import sys
from tests.simulation.generator import generate
from tests.simulation.world import run
for seed in map(int, sys.argv[1:]):
    print(run(generate(seed)).history.digest())
"""


def _digests(hash_seed: str) -> list[str]:
    """Of the seeds, in a fresh process."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM, *map(str, SEEDS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_seed_is_a_history(hash_seed: str) -> None:
    """The same happens whatever the hashes of texts and the addresses of objects are."""
    here = [run(generate(seed)).history.digest() for seed in SEEDS]

    assert _digests(hash_seed) == here
    assert len(set(here)) == len(here)
