"""`python -m tests.simulation.crowd 100000`: one queue, very many messages, every kind of trouble."""

import argparse
import sys
import time
from dataclasses import replace

from mappings.arns import SourceKind
from poller.rules import Tempo
from tests.fakes.faults import Fault, FaultKind
from tests.fakes.history import Died, Struck
from tests.simulation.generator import generate
from tests.simulation.oracle import judge
from tests.simulation.scenario import End, Life, Scenario
from tests.simulation.stages import queue_plan
from tests.simulation.world import run

MESSAGES_PER_S = 200
LIFE_S = 40.0
TROUBLE = (
    (FaultKind.FUNCTION_THROTTLED, 0.3),
    (FaultKind.FUNCTION_ERROR, 0.1),
    (FaultKind.FUNCTION_LOST_REPLY, 0.05),
    (FaultKind.RECEIVE_DUPLICATE, 0.1),
    (FaultKind.RECEIVE_LOST, 0.05),
    (FaultKind.DELETE_FAILED, 0.1),
    (FaultKind.DELETE_LOST, 0.1),
    (FaultKind.SOURCE_THROTTLED, 0.1),
)


def crowd(messages: int, *, seed: int) -> Scenario:
    """Messages at a steady rate, trouble all the while, and a crash or a drain every so often."""
    lasts_s = messages / MESSAGES_PER_S
    plan = queue_plan(*(n / MESSAGES_PER_S for n in range(messages)))
    ends = (End.KILL, End.DRAIN, End.KILL, End.DRAIN_KILL) * max(round(lasts_s / LIFE_S / 4), 1)
    return replace(
        generate(seed),
        mappings=(replace(plan, mapping=replace(plan.mapping, batch_size=10), duration_s=0.5),),
        faults=tuple(Fault(kind=kind, place=plan.name, chance=chance) for kind, chance in TROUBLE),
        lives=tuple(
            Life(until=lasts_s / (len(ends) + 2), end=end, kill_after=1.0, downtime=2.0) for end in ends
        ),
        start_at=0.0,
        heal_at=lasts_s,
        tempo=Tempo(),
        byte_budget=64 * 1024 * 1024,
        drain_timeout_s=90.0,
    )


def main() -> int:
    """Run it; exit code 1 on a violation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=int, nargs="?", default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    scenario = crowd(options.messages, seed=options.seed)
    assert scenario.mappings[0].kind is SourceKind.SQS
    result = run(scenario)
    violations = list(judge(scenario, result.history))
    sys.stdout.write("".join(f"{violation}\n" for violation in violations[:20]))
    struck = sum(isinstance(event, Struck) for event in result.history.events)
    died = sum(isinstance(event, Died) for event in result.history.events)
    sys.stdout.write(
        f"{options.messages} messages, {struck} faults, {died} kills, {time.monotonic() - began:.0f} s, "
        f"{len(violations)} violations\n"
    )
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
