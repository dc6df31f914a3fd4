"""`python -m tests.simulation.events_check --seeds 1000`: plays worlds of events, judges them."""

import argparse
import logging
import sys
from collections.abc import Sequence

import anyio
import structlog

from tests.simulation.events_oracle import judge
from tests.simulation.events_world import play
from tests.simulation.loop import Deadlock, HotLoop, VirtualLoop


def problems(seed: int) -> Sequence[str]:
    """What broke the rules in the world of a seed."""
    try:
        world = anyio.run(play, seed, backend_options={"loop_factory": lambda: VirtualLoop(seed)})
    except (Deadlock, HotLoop) as error:
        return [f"{type(error).__name__}: {error}"]
    return judge(world)


def main() -> int:
    """Play the worlds; exit code 1 where a rule was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    failed = 0
    for seed in range(options.first, options.first + options.seeds):
        found = problems(seed)
        failed += bool(found)
        if found:
            sys.stdout.write(f"seed {seed}: {'; '.join(found)}\n")
    sys.stdout.write(f"{options.seeds} worlds of events, {failed} broke a rule\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
