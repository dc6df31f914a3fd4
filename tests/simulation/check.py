"""Runs seeds and judges them: one, many, or many in several processes; shrinks the plan of one that fails."""

import gc
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TypeVar

from tests.simulation.generator import generate
from tests.simulation.judging import Violation
from tests.simulation.loop import Deadlock, HotLoop
from tests.simulation.oracle import judge
from tests.simulation.reach import Reach, reached
from tests.simulation.scenario import Scenario
from tests.simulation.world import run

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Report:
    """What came of one or more runs."""

    runs: int = 0
    virtual_s: float = 0.0
    steps: int = 0
    reach: Reach = field(default_factory=Counter)
    failures: dict[int, Sequence[Violation]] = field(default_factory=dict)
    """By seed."""

    def add(self, other: "Report") -> None:
        """Sum up."""
        self.runs += other.runs
        self.virtual_s += other.virtual_s
        self.steps += other.steps
        self.reach.update(other.reach)
        self.failures.update(other.failures)


def check(scenario: Scenario) -> Report:
    """Run a scenario and judge it."""
    try:
        result = run(scenario)
    except (Deadlock, HotLoop) as error:
        return Report(runs=1, failures={scenario.seed: [Violation(type(error).__name__, 0.0, str(error))]})
    violations = judge(scenario, result.history)
    return Report(
        runs=1,
        virtual_s=result.virtual_s,
        steps=result.steps,
        reach=reached(result.history.events),
        failures={scenario.seed: violations} if violations else {},
    )


def check_seed(seed: int) -> Report:
    """Run what a seed means."""
    return check(generate(seed))


def check_seeds(
    seeds: Iterable[int], *, jobs: int = 1, generator: Callable[[int], Scenario] = generate
) -> Iterator[Report]:
    """Run seeds, one after the other or in several processes; reports come as they are ready."""
    block = partial(check_block, generator=generator)
    if jobs == 1:
        yield from map(block, _blocks(seeds, 20))
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(block, _blocks(seeds, 20))


def check_block(seeds: Iterable[int], generator: Callable[[int], Scenario] = generate) -> Report:
    """Run some seeds without collecting garbage in between: a run is short, and its garbage is one heap."""
    total = Report()
    gc.disable()
    try:
        for seed in seeds:
            total.add(check(generator(seed)))
    finally:
        gc.enable()
    return total


def _blocks(seeds: Iterable[int], size: int) -> Iterator[Sequence[int]]:
    remaining = iter(seeds)
    return iter(lambda: list(islice(remaining, size)), [])


def shrink(scenario: Scenario, fails: Callable[[Scenario], bool]) -> Scenario:
    """Leave out faults, lives and mappings as long as it still fails."""
    smaller = next((s for s in _smaller(scenario) if fails(s)), None)
    while smaller is not None:
        scenario = smaller
        smaller = next((s for s in _smaller(scenario) if fails(s)), None)
    return scenario


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    for index in range(len(scenario.mappings)):
        if len(scenario.mappings) > 1:
            gone = scenario.mappings[index].name
            left = tuple(fault for fault in scenario.faults if fault.place != gone)
            yield replace(scenario, mappings=_without(scenario.mappings, index), faults=left)
    for index in range(len(scenario.faults)):
        yield replace(scenario, faults=_without(scenario.faults, index))
    for index in range(len(scenario.lives)):
        yield replace(scenario, lives=_without(scenario.lives, index))
    for index, place in enumerate(scenario.fleet):
        for life in range(len(place.lives)):
            calmer = replace(place, lives=_without(place.lives, life))
            yield replace(scenario, fleet=(*scenario.fleet[:index], calmer, *scenario.fleet[index + 1 :]))
    if len(scenario.fleet) > 1:
        yield replace(scenario, fleet=scenario.fleet[:-1])


def _without(items: tuple[T, ...], index: int) -> tuple[T, ...]:
    return (*items[:index], *items[index + 1 :])
