"""Asynchronous events through a fleet whose workers are killed at random moments; judged like one poller's.

`python -m tests.fleet.killing_events 1000 --kills 30 --seed 7`
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import unique
from tests.invoking.killing import Campaign, campaign
from tests.servers.dynamodb_local import REGION, DynamoDbLocal


def fleet_campaign(
    folder: Path,
    server: DynamoDbLocal,
    *,
    events: int,
    kills: int,
    seed: int,
    workers: int = 2,
    lease_s: float = 2.0,
) -> Campaign:
    """Run a campaign with a table of its own."""
    state = f"dynamodb://{unique('fleet')}?region={REGION}"
    subprocess.run(
        [sys.executable, "-m", "poller", "state", "init", "--state", state],
        env={**os.environ, **server.environment},
        check=True,
        capture_output=True,
    )
    return campaign(
        folder,
        events=events,
        kills=kills,
        seed=seed,
        workers=workers,
        environment=server.environment,
        settings=("--state", state, "--lease", str(lease_s)),
    )


def main() -> int:
    """Run one campaign and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=int)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    begun, server = time.monotonic(), DynamoDbLocal.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            made = fleet_campaign(
                Path(folder),
                server,
                events=given.events,
                kills=given.kills,
                seed=given.seed,
                workers=given.workers,
            )
            problems = made.judge()
            facts = f"{made.facts()}, problems {len(problems)}, {time.monotonic() - begun:.0f} s"
    finally:
        server.child.end()
    sys.stdout.write("\n".join([facts, *problems[:20], ""]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
