"""Runs worlds one after the other, each from a seed of its own, until so many rounds were lived."""

import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.conftest import Moto
from tests.kill.judge import judge_world
from tests.kill.moto_sources import MotoSources, moto_plan
from tests.kill.plan import WorldPlan, draw_plan
from tests.kill.processes import Nursery
from tests.kill.report import Totals, account
from tests.kill.sources import FakeSources
from tests.kill.world import MakeSources, run_world

ROUNDS_PER_WORLD = 20


async def run_rounds(
    rounds: int, seed: int, *, say: Callable[[str], None], moto: Moto | None = None
) -> Totals:
    """Run worlds of the seeds from `seed` on.

    With `moto` they are in its server and not in our own. A world that fails is told by `say` at once, with
    all that is needed to run it again, and its folder stays.
    """
    totals = Totals()
    begun = time.monotonic()
    with Nursery() as nursery:
        while rounds > 0:
            now = min(rounds, ROUNDS_PER_WORLD)
            folder = Path(tempfile.mkdtemp(prefix=f"kill-{seed}-"))
            plan, make_sources = _world(seed, moto)
            world = await run_world(plan, now, folder=folder, nursery=nursery, make_sources=make_sources)
            judgement = judge_world(world)
            totals.add(world, judgement)
            if judgement.violations:
                say(account(world, judgement, folder=folder, rounds=now))
            else:
                shutil.rmtree(folder)
            rounds -= now
            seed += 1
    totals.wall_s = time.monotonic() - begun
    return totals


def _world(seed: int, moto: Moto | None) -> tuple[WorldPlan, MakeSources]:
    if moto is None:
        return draw_plan(seed), FakeSources
    return moto_plan(seed, moto), partial(MotoSources, moto=moto)
