"""`python -m tests.kill ROUNDS [--seed N]`: kill the poller that often, and judge what came of it."""

import argparse
import logging
import random
import sys

import anyio

from tests.conftest import Moto
from tests.kill.report import Totals
from tests.kill.runs import run_rounds


def main() -> None:
    """Run; the exit code is 1 where anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    parser.add_argument("rounds", type=int, metavar="ROUNDS", help="lives of the poller that are ended")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--moto", type=Moto, metavar="URL", help="use this server of moto's, not our own")
    arguments = parser.parse_args()
    # A poller that is killed leaves its requests unanswered; that is no news here.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    _say(f"seed {arguments.seed}")
    totals = anyio.run(_run, arguments.rounds, arguments.seed, arguments.moto)
    _say(totals.summary())
    sys.exit(1 if totals.violations else 0)


async def _run(rounds: int, seed: int, moto: Moto | None) -> Totals:
    return await run_rounds(rounds, seed, say=_say, moto=moto)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
