"""Judges what became of asynchronous events."""

from poller.core.async_events import Condition
from tests.simulation.events_world import LIVES_S, RETRIES, Life, World

BEGUN_WITHIN_S = 15.0
"""With a place free, also while a destination hangs."""


def judge(world: World) -> list[str]:
    """Return what broke the rules in a world."""
    problems = list(world.problems)
    for request_id, life in world.lives.items():
        if request_id not in world.mute:
            problems += [f"{request_id} of {life.function}: {problem}" for problem in _of(world, life)]
    problems += [] if world.crashes or world.trouble else _of_counts(world)
    return problems


def _of(world: World, life: Life) -> list[str]:
    return [*_of_end(world, life), *_of_age(world, life), *_of_records(world, life), *_of_waits(world, life)]


def _of_end(world: World, life: Life) -> list[str]:
    if not life.conditions:
        return ["it never ended"]
    if len(life.conditions) > 1 and not world.crashed:
        return [f"it ended as {sorted(life.conditions)}"]
    tries = len(life.tries)
    if life.conditions == {Condition.RETRIES_EXHAUSTED} and tries <= RETRIES:
        return [f"its retries were exhausted after {tries} tries"]
    return []


def _of_age(world: World, life: Life) -> list[str]:
    if Condition.EVENT_AGE_EXCEEDED not in life.conditions:
        return []
    if life.ended_at - life.accepted_at < LIVES_S - 3 and (world.dated or life.tried_by != life.ended_by):
        return [f"too old after {life.ended_at - life.accepted_at:.0f} s, {len(life.tries)} tries"]
    return [] if life.tries else ["too old without a try, though a worker could run it"]


def _of_records(world: World, life: Life) -> list[str]:
    if not life.conditions:
        return []
    problems = []
    for notice in life.notices:
        told, dropped = life.told[notice.arn], life.dropped[notice.arn]
        if not told + dropped:
            problems.append(f"{notice.role}: neither told nor dropped")
        elif told + dropped > 1 and not world.crashed and not world.trouble:
            problems.append(f"{notice.role}: told {told} times, dropped {dropped} times")
    return problems


def _of_waits(world: World, life: Life) -> list[str]:
    if not life.tries or world.crashes or world.trouble or life.accepted_by != "w000":
        return []
    waited_s = life.tries[0] - life.accepted_at
    return [f"it waited {waited_s:.0f} s for a place"] if waited_s > BEGUN_WITHIN_S else []


def _of_counts(world: World) -> list[str]:
    """Each end that is no success is counted once, by its reason."""
    ended = sum(life.conditions != {Condition.SUCCESS} for life in world.lives.values())
    counted = sum(sum(c.dropped.values()) for meter in world.counted for c in meter.counts.values())
    return [] if ended == counted else [f"{ended} events were given up, {counted} counted"]
