"""Goes through every way in which a few mishaps can meet a small world, and then lets it heal."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.leases.world import FAULTS, WRITES, Broken, Hit, World, turn

STEP_S = 20.0  # between turns: a third of a lease
HEALING = 26  # rounds without a mishap until everything must be as it should


@dataclass(slots=True)
class Report:
    """What was gone through."""

    worlds: int = 0
    """Different states a mishap could meet."""
    healed: int = 0
    """Different states a world left alone went through."""
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is gone through."""

    rates: tuple[float, ...] = (1.0, 1.0, 1.0)
    shards: int = 2
    mishaps: int = 1
    rounds: int = 8
    """In which a mishap may happen."""
    hits: frozenset[Hit] = frozenset(Hit) - {Hit.NOTHING}


def explore(plan: Plan) -> Report:
    """Every choice of mishaps, at every step of every worker."""
    return _Explorer(plan).run()


class _Explorer:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._report = Report()
        self._met: set[object] = set()
        self._healed: dict[object, int] = {}
        """Rounds from there until the world is at rest."""

    def run(self) -> Report:
        todo = [_Place(World(self._plan.rates, self._plan.shards), 0, 0, self._plan.mishaps, ())]
        while todo and len(self._report.problems) < 5:
            place = todo.pop()
            try:
                todo += self._from(place)
            except Broken as error:
                self._report.problems.append(f"{error}: {'; '.join(place.told)}")
        return self._report

    def _from(self, place: "_Place") -> Iterator["_Place"]:
        """Go on from a place to the next ones: one for each thing that may befall the worker."""
        world, index = place.world, place.index
        if not place.left:
            self._heal(place)
            return
        if index == len(world.workers):
            if place.round < self._plan.rounds:
                world.tick(STEP_S)
                yield _Place(world, place.round + 1, 0, place.left, place.told, place.clean)
            return
        key = (world.key(), place.round, index, place.left, place.clean)
        if key in self._met:
            return
        self._met.add(key)
        self._report.worlds += 1
        worker = world.workers[index]
        step = world.next_step(worker)
        if step is None or not worker.up or worker.asleep:
            if step is None:
                worker.step = 0
            yield _Place(world, place.round, index + 1, place.left, place.told, place.clean)
            return
        for hit in self._hits(step in WRITES):
            other = world.clone()
            other.advance(other.workers[index], hit)
            mark = f"round {place.round}: {worker.id} {hit.value} before {step.__name__}"
            yield _Place(
                other,
                place.round,
                index,
                place.left - 1,
                (*place.told, mark),
                hit not in FAULTS and place.clean,
            )
        world.advance(worker, Hit.NOTHING)
        ended = world.workers[index] is not worker
        yield _Place(world, place.round, index + ended, place.left, place.told, place.clean)

    def _hits(self, is_write: bool) -> Iterator[Hit]:  # noqa: FBT001
        for hit in sorted(self._plan.hits, key=lambda hit: hit.name):
            if is_write or hit not in (Hit.LOST_REPLY, Hit.LOST_REQUEST):
                yield hit

    def _heal(self, place: "_Place") -> None:
        """Without further mishaps every shard is soon read again, by even shares, and stays where it is."""
        world = place.world
        for index in range(place.index, len(world.workers)):
            turn(world, index)
        way: list[object] = []
        while True:
            key = world.key()
            if place.clean and any(count > 1 for count in world.delivered.values()):
                raise Broken("a record was delivered twice without a fault")
            left = self._healed.get(key)
            if left is not None or way[-1:] == [key]:
                break
            if len(way) > HEALING:
                raise Broken("it does not come to rest")
            way.append(key)
            self._go_on(world)
        if left is None:
            self._judge(world)
        if len(way) + (left or 0) > HEALING:
            raise Broken("it does not come to rest in time")
        self._report.healed += len(way)
        for distance, key in enumerate(reversed(way)):
            self._healed[key] = distance + (left or 0)

    def _judge(self, world: World) -> None:
        """At rest: the same round comes again and again."""
        shares = [len(worker.held) for worker in world.workers]
        if max(shares) - min(shares) > 1:
            raise Broken(f"shares are uneven: {shares}")
        reached = [world.number(shard) for shard in world.leases]
        self._go_on(world)
        for shard, before in zip(world.leases, reached, strict=True):
            if world.number(shard) <= before:
                raise Broken(f"{shard} is not read")

    def _go_on(self, world: World) -> None:
        world.tick(STEP_S)
        for index in range(len(world.workers)):
            turn(world, index)


@dataclass(slots=True)
class _Place:
    world: World
    round: int
    index: int
    """Whose turn it is."""
    left: int
    """Mishaps that may still happen."""
    told: tuple[str, ...]
    clean: bool = True
    """Whether nothing has gone wrong: to be asked to end is no fault."""
