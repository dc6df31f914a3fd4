"""Every small world of the retry rules: size x failing records x bisect x report x retries x age."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import pytest

from poller.core.batching import Batch, Trigger
from poller.core.discards import Condition
from poller.core.outcomes import FunctionError, Outcome, Succeeded
from poller.core.retrying import Now, StreamRetry
from tests.core.records import numbers, record

LARGEST = 6
RETRIES = (0, 1, 2)
LIMIT_S = 60.0
WALL = 1000.0


@dataclass(frozen=True)
class World:
    """One case. Records are 0 to size-1; `old` of them, from the front, are over their age."""

    size: int
    failing: frozenset[int]
    bisect: bool
    report: bool
    retries: int
    old: int

    @property
    def policy(self) -> StreamRetry:
        return StreamRetry(
            bisect=self.bisect,
            report_batch_item_failures=self.report,
            maximum_retry_attempts=self.retries,
            maximum_record_age_s=LIMIT_S,
        )

    @property
    def batch(self) -> Batch:
        ages = [WALL - LIMIT_S - 1 if n < self.old else WALL for n in range(self.size)]
        records = tuple(record(n, arrived_at=at) for n, at in enumerate(ages))
        return Batch(records=records, trigger=Trigger.SIZE, id="b")

    def answer(self, batch: Batch) -> Outcome:
        """Reports exactly the failing records where it may, raises where it may not."""
        failing = [n for n in numbers(batch.records) if n in self.failing]
        if not failing:
            return Succeeded(payload=b"")
        if not self.report:
            return FunctionError(error_type="ValueError")
        entries = ",".join(f'{{"itemIdentifier":"{n}"}}' for n in reversed(failing))
        return Succeeded(payload=f'{{"batchItemFailures":[{entries}]}}'.encode())


@dataclass
class Story:
    """What came of a world."""

    resolved: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    discarded: list[list[int]] = field(default_factory=list)
    expired: list[int] = field(default_factory=list)
    delivered: list[tuple[int, ...]] = field(default_factory=list)


def worlds() -> Iterator[World]:
    for size in range(1, LARGEST + 1):
        subsets = [frozenset(n for n in range(size) if mask >> n & 1) for mask in range(2**size)]
        for failing, bisect, report, retries, old in product(
            subsets, (False, True), (False, True), RETRIES, range(size + 1)
        ):
            yield World(size, failing, bisect, report, retries, old)


def play(world: World) -> Story:
    """The lane, without time: deliver, judge, put retries in front, to the end."""
    story = Story()
    policy = world.policy
    now = Now(monotonic=0.0, wall=WALL)
    work = [world.batch]
    while work:
        assert len(story.delivered) < 200, f"no end: {world}"
        admission = policy.admit(work.pop(0), now)
        if admission.discard:
            assert admission.discard.condition is Condition.RECORD_AGE_EXCEEDED
            story.expired += numbers(admission.discard.records)
            story.resolved += numbers(admission.discard.records)
        if admission.deliver is None:
            continue
        batch = admission.deliver
        story.delivered.append(tuple(numbers(batch.records)))
        verdict = policy.judge(batch, world.answer(batch), now)
        story.done += numbers(verdict.done)
        story.resolved += numbers(verdict.done)
        if verdict.discard:
            story.discarded.append(numbers(verdict.discard.records))
            story.resolved += numbers(verdict.discard.records)
        work = [*verdict.retry, *work]
    return story


@pytest.fixture(scope="module")
def stories() -> list[tuple[World, Story]]:
    return [(world, play(world)) for world in worlds()]


Stories = list[tuple[World, Story]]


def test_there_are_thousands_of_worlds(stories: Stories) -> None:
    """All of them, not a sample."""
    assert len(stories) == sum(2**n * 2 * 2 * len(RETRIES) * (n + 1) for n in range(1, LARGEST + 1))


def test_every_record_is_resolved_once_and_in_order(stories: Stories) -> None:
    """Nothing is lost, nothing is resolved twice, nothing overtakes."""
    for world, story in stories:
        assert story.resolved == list(range(world.size)), world


def test_a_failing_record_is_never_done_and_an_old_one_never_delivered(stories: Stories) -> None:
    """It is discarded, alone or with its batch; age is a cut off the front."""
    for world, story in stories:
        assert world.failing.isdisjoint(story.done), world
        assert story.expired == list(range(world.old)), world
        assert all(n >= world.old for batch in story.delivered for n in batch), world


def test_with_bisect_or_a_report_only_failing_records_are_discarded(stories: Stories) -> None:
    """Bisect isolates each; a report protects at least everything before the first."""
    for world, story in stories:
        young_failing = {n for n in world.failing if n >= world.old}
        discarded = [n for batch in story.discarded for n in batch]
        if world.bisect:
            assert set(discarded) == young_failing, world
            assert all(len(batch) == 1 for batch in story.discarded), world
        elif world.report and young_failing:
            assert story.discarded[0][0] == min(young_failing), world
            assert story.discarded[0][-1] == world.size - 1, world
        elif young_failing:
            assert discarded == list(range(world.old, world.size)), world


def test_a_discarded_batch_was_delivered_once_more_than_it_was_retried(stories: Stories) -> None:
    """N retries are N+1 deliveries of what is given up in the end; cutting and splitting come on top."""
    for world, story in stories:
        deliveries = Counter(story.delivered)
        for batch in story.discarded:
            expected = world.retries + 1
            # The whole batch is first delivered as itself; a part may be what was left of a cut at its front.
            assert deliveries[tuple(batch)] == expected, (world, story)


def test_how_often_a_record_is_delivered_is_bounded_by_its_company(
    stories: Stories,
) -> None:
    """Bounded by the splits above it and the retries of the batches it shares."""
    for world, story in stories:
        counts = Counter(n for batch in story.delivered for n in batch)
        splits = 4 if world.bisect else 1  # log2(6) halvings and the first delivery
        bound = (splits + world.size) * (world.retries + 1)
        assert all(count <= bound for count in counts.values()), (world, counts)
