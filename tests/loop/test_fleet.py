"""Workers of one fleet over a state in memory: who reads what, and what trouble does to it."""

import anyio
import pytest

from poller.core.records import Position
from poller.fleet import SharedFleet
from poller.sources.memory import MemoryQueue, MemoryStream
from tests.loop.fleet_stage import TENURE, team
from tests.loop.stage import CLOCK, Function, eventually, in_virtual_time, queue_mapping, stream_mapping


def stream_of(shards: int) -> MemoryStream:
    """A stream with one record in each shard."""
    stream = MemoryStream(CLOCK, shards=shards)
    for number in range(shards):
        stream.put(f"shard-{number}", str(number))
    return stream


def test_a_worker_that_comes_gets_its_share_and_nothing_is_delivered_twice() -> None:
    """Within three intervals; the others finish and checkpoint first."""

    async def play() -> None:
        stream, function = stream_of(6), Function(takes_s=0.5)
        async with team(stream_mapping()) as fleet:
            await fleet.join("a", stream, function.target)
            await eventually(lambda: fleet.shares() == {"a0": 6})
            await fleet.join("b", stream, function.target)
            await eventually(lambda: fleet.shares() == {"a0": 3, "b0": 3}, within_s=4 * TENURE.beat_s)
            for number in range(6):
                stream.put(f"shard-{number}", f"more-{number}")
            await eventually(lambda: len(function.seen) == 12)
            await anyio.sleep(60)

            assert fleet.shares() == {"a0": 3, "b0": 3}
            assert len(set(function.seen)) == len(function.seen) == 12

    in_virtual_time(play)


def test_who_drains_hands_everything_over_at_once() -> None:
    """Its shards are read by others within two seconds, and its row says that it is gone."""

    async def play() -> None:
        stream, function = stream_of(4), Function()
        async with team(stream_mapping()) as fleet:
            await fleet.join("a", stream, function.target)
            leaving = await fleet.join("b", stream, function.target)
            await eventually(lambda: fleet.shares() == {"a0": 2, "b0": 2})
            leaving.drain.request()
            await eventually(lambda: fleet.shares() == {"a0": 4}, within_s=2.0)
            await leaving.ended.wait()

            assert fleet.members.rows["b0"].dead
            assert len(function.seen) == 4

    in_virtual_time(play)


def test_who_is_cut_off_delivers_nothing_once_others_may_take_over() -> None:
    """After two thirds of a lease it waits; the others take its shards; it comes back under another name."""

    async def play() -> None:
        stream = stream_of(2)
        here, there = Function(), Function()
        async with team(stream_mapping()) as fleet:
            cut = await fleet.join("a", stream, here.target)
            await fleet.join("b", stream, there.target)
            await eventually(lambda: fleet.shares() == {"a0": 1, "b0": 1})
            cut.members.cut = True
            await anyio.sleep(TENURE.fence_s + 0.1)
            for shard in range(2):
                stream.put(f"shard-{shard}", f"late-{shard}")
            await eventually(lambda: fleet.shares() == {"b0": 2}, within_s=1.5 * TENURE.lease_s)
            await eventually(lambda: {"late-0", "late-1"} <= set(there.seen))
            assert not [seen for seen in here.seen if seen.startswith("late")]

            cut.members.cut = False
            await eventually(lambda: fleet.shares() == {"a1": 1, "b0": 1})

    in_virtual_time(play)


def test_who_is_heard_again_in_time_keeps_its_shards() -> None:
    """A short trouble of the store moves nothing."""

    async def play() -> None:
        stream, function = stream_of(2), Function()
        async with team(stream_mapping()) as fleet:
            cut = await fleet.join("a", stream, function.target)
            await fleet.join("b", stream, function.target)
            await eventually(lambda: fleet.shares() == {"a0": 1, "b0": 1})
            epochs = [lease.epoch for lease in fleet.leases.rows.values()]
            cut.members.cut = True
            await anyio.sleep(TENURE.fence_s + 1.0)
            stream.put("shard-0", "x")
            stream.put("shard-1", "y")
            await anyio.sleep(1.0)
            cut.members.cut = False
            await eventually(lambda: {"x", "y"} <= set(function.seen))

            assert [lease.epoch for lease in fleet.leases.rows.values()] == epochs
            assert len(function.seen) == 4

    in_virtual_time(play)


def test_a_table_that_refuses_half_of_all_calls_costs_no_lease() -> None:
    """For as long as it likes: a heartbeat that was refused is sent again at once."""

    async def play() -> None:
        stream, function = stream_of(4), Function()
        async with team(stream_mapping()) as fleet:
            for name in "ab":
                await fleet.join(name, stream, function.target)
            await eventually(lambda: fleet.shares() == {"a0": 2, "b0": 2})
            epochs = [lease.epoch for lease in fleet.leases.rows.values()]
            for colleague in fleet.colleagues.values():
                colleague.members.throttled = True
            await anyio.sleep(60)

            assert fleet.shares() == {"a0": 2, "b0": 2}
            assert [lease.epoch for lease in fleet.leases.rows.values()] == epochs

    in_virtual_time(play)


def test_a_running_invocation_is_left_to_end_when_the_shard_is_lost() -> None:
    """What it made is not checkpointed, and it is delivered again by the next owner: once."""

    async def play() -> None:
        stream = stream_of(1)
        slow, fast = Function(takes_s=60.0), Function()
        async with team(stream_mapping()) as fleet:
            first = await fleet.join("a", stream, slow.target)
            await eventually(lambda: slow.running == 1)
            first.members.cut = True
            await fleet.join("b", stream, fast.target)
            await eventually(lambda: fast.seen == ["0"])
            assert slow.running == 1
            await anyio.sleep(120)

            assert slow.seen == ["0"]
            assert slow.running == 0
            assert fleet.leases.rows[fleet.mapping.uuid, "shard-0"].epoch == 2

    in_virtual_time(play)


def test_a_child_waits_for_parents_that_another_worker_reads() -> None:
    """The leases say how far they are, whoever reads them."""

    async def play() -> None:
        stream = MemoryStream(CLOCK, shards=2)
        functions = {name: Function(takes_s=5.0) for name in "ab"}
        async with team(stream_mapping(BatchSize=1)) as fleet:
            for name in "ab":
                await fleet.join(name, stream, functions[name].target)
            await eventually(lambda: fleet.shares() == {"a0": 1, "b0": 1})
            for number in range(4):
                stream.put("shard-0", f"parent-{number}")
            stream.split("shard-0", "child-0", "child-1")
            stream.put("child-0", "left")
            stream.put("child-1", "right")

            def everything() -> list[str]:
                pairs = [pair for f in functions.values() for pair in zip(f.times, f.seen, strict=True)]
                return [seen for _, seen in sorted(pairs)]

            await eventually(lambda: len(everything()) == 6)

            assert everything()[:4] == [f"parent-{number}" for number in range(4)]
            await eventually(lambda: sum(fleet.shares().values()) == 3)

    in_virtual_time(play)


@pytest.mark.parametrize("starting", ["TRIM_HORIZON", "LATEST"])
def test_a_lease_that_somebody_removes_is_written_again_by_who_holds_it(starting: str) -> None:
    """Its position is known there and nowhere else; LATEST is not looked up a second time."""

    async def play() -> None:
        stream, function = MemoryStream(CLOCK, shards=2), Function()
        async with team(stream_mapping(StartingPosition=starting)) as fleet:
            for name in "ab":
                await fleet.join(name, stream, function.target)
            await eventually(lambda: fleet.shares() == {"a0": 1, "b0": 1})
            for shard in range(2):
                stream.put(f"shard-{shard}", f"before-{shard}")
            await eventually(lambda: len(function.seen) == 2)
            fleet.leases.rows.clear()
            await eventually(lambda: len(fleet.leases.rows) == 2)
            for shard in range(2):
                stream.put(f"shard-{shard}", f"after-{shard}")
            await eventually(lambda: {"after-0", "after-1"} <= set(function.seen))
            ends = {lease.checkpoint.kind for lease in fleet.leases.rows.values()}
            await eventually(lambda: sum(fleet.shares().values()) == 2)

            assert ends <= {Position.after("1").kind, Position.trim_horizon().kind}

    in_virtual_time(play)


def test_a_maximum_concurrency_is_kept_by_the_whole_fleet() -> None:
    """Also while a worker comes; when it goes the others use what it had."""

    async def play() -> None:
        queue = MemoryQueue(CLOCK)
        for number in range(2000):
            queue.send(str(number))
        function = Function(takes_s=1.0)
        mapping = queue_mapping(BatchSize=1, ScalingConfig={"MaximumConcurrency": 6})
        async with team(mapping) as fleet:
            await fleet.join("a", queue, function.target)
            await anyio.sleep(20)
            assert function.most_at_once == 6
            leaving = await fleet.join("b", queue, function.target)
            await anyio.sleep(20)
            assert function.most_at_once == 6
            leaving.drain.request()
            await leaving.ended.wait()
            function.most_at_once = 0
            await anyio.sleep(20)

            assert function.most_at_once == 6

    in_virtual_time(play)


def test_with_more_workers_than_concurrency_some_do_not_poll() -> None:
    """They are ready all the same: there is nothing for them to open."""

    async def play() -> None:
        queue, function = MemoryQueue(CLOCK), Function(takes_s=1.0)
        mapping = queue_mapping(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
        async with team(mapping) as fleet:
            for name in "abc":
                await fleet.join(name, queue, function.target)
            await eventually(lambda: all(c.runner.polling for c in fleet.colleagues.values()))
            for number in range(200):
                queue.send(str(number))
            await eventually(lambda: not queue.messages)

            assert function.most_at_once == 2

    in_virtual_time(play)


def test_what_a_worker_leaves_is_inherited_by_one() -> None:
    """Once it is no more, never before; who is not heard inherits nothing, who ends leaves it to others."""

    async def play() -> None:
        stream, function = stream_of(2), Function()
        async with team(stream_mapping()) as fleet:
            for name in "abc":
                await fleet.join(name, stream, function.target)
            fleets = {c.name: SharedFleet(c.membership, CLOCK) for c in fleet.colleagues.values()}

            def heirs(owner: str) -> list[str]:
                return [name for name, each in fleets.items() if each.succession(owner) == 0]

            await anyio.sleep(1)
            assert heirs("a0") == []
            fleet.colleagues["a"].members.cut = True
            await anyio.sleep(TENURE.fence_s + 0.1)
            assert heirs("a0") == []
            await eventually(lambda: heirs("a0"), within_s=1.5 * TENURE.lease_s)
            await anyio.sleep(1)
            assert len(heirs("a0")) == 1
            leaving = fleet.colleagues[heirs("a0")[0]]
            del fleets[leaving.name]
            leaving.drain.request()
            await leaving.ended.wait()
            await anyio.sleep(1)
            assert len(heirs("a0")) == 1
            assert heirs(leaving.name + "0") == heirs("a0")

    in_virtual_time(play)
