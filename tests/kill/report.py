"""Adds worlds up, and says what was found: one summary for a long run, one account of a world that failed."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.history import Died, Invoked, Produced
from tests.kill.ending import KILL, TERM
from tests.kill.judge import Judgement
from tests.kill.phases import PHASES
from tests.kill.world import Outcomes

TAIL = 40
# How the oracle calls what the summary counts; everything else stands under its own name.
_NAMED = {
    "unfinished": "lost",
    "lost": "lost",
    "duplicated": "duplicates unexplained",
    "handled and not settled": "duplicates unexplained",
    "reordered": "reordered",
    "child before parent": "reordered",
    "early-acked": "early-acked",
}


@dataclass(slots=True)
class Totals:
    """What happened in all worlds."""

    counts: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    wall_s: float = 0.0

    def add(self, world: Outcomes, judgement: Judgement) -> None:
        """Add a world."""
        events = world.history.events
        self.counts["worlds"] += 1
        self.counts["lives"] += len(world.lives)
        self.counts["cold"] += sum(life.cold for life in world.lives)
        self.counts["kills"] += sum(life.code == -KILL for life in world.lives)
        self.counts["terms"] += sum(TERM in life.sent for life in world.lives)
        self.counts["records"] += sum(isinstance(event, Produced) for event in events)
        self.counts["invocations"] += sum(isinstance(event, Invoked) for event in events)
        self.counts["repeated"] += judgement.repeated
        self.counts["most repeated"] = max(self.counts["most repeated"], judgement.most_repeated)
        self.codes.update(str(life.code) for life in world.lives)
        self.violations.update(_NAMED.get(kind, kind) for kind, _ in judgement.violations)
        for end in judgement.ends:
            if isinstance(end.event, Died):
                self.phases.update(end.phases)

    def summary(self) -> str:
        """The figures, for people."""
        counts = self.counts
        rounds = counts["lives"]
        explained = max(counts["repeated"] - self.violations["duplicates unexplained"], 0)
        lines = [
            f"rounds {rounds}, {counts['cold']} cold, {self.wall_s:.0f} s, {rounds / self.wall_s:.2f} per s",
            f"kills {counts['kills']}, terms {counts['terms']}, exit codes "
            + ", ".join(f"{code}: {number}" for code, number in sorted(self.codes.items())),
            f"records {counts['records']}, invocations {counts['invocations']}",
            f"duplicates explained {explained}, most of one shard at one kill {counts['most repeated']}",
            "kills by phase: " + ", ".join(f"{phase} {self.phases[phase]}" for phase in PHASES),
        ]
        kinds = sorted({*_NAMED.values(), *self.violations})
        return "\n".join([*lines, *(f"{kind}: {self.violations[kind]}" for kind in kinds)])


def account(world: Outcomes, judgement: Judgement, *, folder: Path, rounds: int) -> str:
    """What is known of a world that failed, and how to run it again."""
    seed = world.plan.seed
    lines = [f"seed {seed}: {len(judgement.violations)} violations; its folder is {folder}"]
    lines += [f"  {kind}: {text}" for kind, text in judgement.violations[:TAIL]]
    lines += [f"  round {number}: {life}" for number, life in enumerate(world.lives, 1)]
    lines += ["  the history ends with", *(f"    {event}" for event in world.history.events[-TAIL:])]
    lines.append(f"again: python -m tests.kill {rounds} --seed {seed}")
    (folder / "history.txt").write_text("\n".join(map(repr, world.history.events)))
    return "\n".join(lines)
