"""What the API asks for reaches the pollers: States, batch boundaries and positions, in virtual time."""

from dataclasses import replace
from typing import Any

import anyio
import pytest

from mappings.functions import UrlFunction
from mappings.states import State
from mappings.store import StoredMapping
from poller.core.outcomes import FunctionError, Succeeded, Unreachable
from poller.interfaces import Target
from poller.sources.memory import MemoryQueue, MemoryStream
from tests.loop.control import Control, controlling
from tests.loop.stage import CLOCK, QUEUE, STREAM, Function, eventually, in_virtual_time, stream_mapping

STREAM_REQUEST = {"EventSourceArn": STREAM, "FunctionName": "f", "StartingPosition": "TRIM_HORIZON"}
QUEUE_REQUEST = {"EventSourceArn": QUEUE, "FunctionName": "f"}


def _stream(count: int) -> MemoryStream:
    stream = MemoryStream(CLOCK)
    for number in range(count):
        stream.put("shard-0", str(number))
    return stream


async def _create(control: Control, request: dict[str, Any], **members: Any) -> str:
    return str((await control.operations.create({**request, **members}))["UUID"])


def test_a_mapping_is_creating_until_it_polls() -> None:
    """Then it is Enabled, and what it reads is delivered."""

    async def play() -> None:
        stream, function = _stream(3), Function()
        async with controlling(Control(lambda _: stream, {"f": function.target})) as control:
            uuid = await _create(control, STREAM_REQUEST)
            created = await control.state(uuid)
            await control.until(uuid, "Enabled")
            await eventually(lambda: len(function.seen) == 3)

        assert created == "Creating"

    in_virtual_time(play)


def test_ready_is_said_once_when_all_that_was_wanted_at_the_start_polls() -> None:
    """With their number; nothing is wanted of an empty store."""

    async def play() -> None:
        function = Function()
        control = Control(lambda _: _stream(0), {"f": function.target})
        async with controlling(control):
            await eventually(lambda: control.ready)
            await _create(control, STREAM_REQUEST)
            await anyio.sleep(10)

        assert control.ready == [0]

        again = Control(lambda _: _stream(0), {"f": function.target}, made=control.made)
        async with controlling(again):
            await eventually(lambda: again.ready)
        assert again.ready == [1]

    in_virtual_time(play)


def test_disabling_lasts_until_the_last_invocation_has_ended() -> None:
    """What runs is finished and checkpointed; after Disabled nothing is invoked any more."""

    async def play() -> None:
        stream, function = _stream(30), Function(takes_s=20.0)
        async with controlling(Control(lambda _: stream, {"f": function.target})) as control:
            uuid = await _create(control, STREAM_REQUEST, BatchSize=10)
            await eventually(lambda: function.running)
            answer = await control.operations.update(uuid, {"Enabled": False})
            await anyio.sleep(10)
            while_running = await control.state(uuid)
            await control.until(uuid, "Disabled")
            done, ended_at = len(function.seen), anyio.current_time()
            await anyio.sleep(100)

            assert (answer["State"], while_running) == ("Disabling", "Disabling")
            assert function.running == 0
            assert (done, len(function.seen)) == (10, 10)
            assert ended_at >= function.times[-1] + 20.0

            await control.operations.update(uuid, {"Enabled": True})
            await eventually(lambda: len(function.seen) == 30)
            assert function.seen == [str(n) for n in range(30)]

    in_virtual_time(play)


@pytest.mark.parametrize(
    "members", [{"BatchSize": 3}, {"Enabled": False}, None], ids=["update", "disable", "delete"]
)
def test_a_change_of_a_queue_costs_no_message_a_receive(members: dict[str, Any] | None) -> None:
    """What was received is delivered before the pollers end: nothing is given back or comes twice."""

    async def play() -> None:
        queue, function = MemoryQueue(CLOCK), Function(takes_s=5.0)
        for number in range(400):
            queue.send(str(number))
        async with controlling(Control(lambda _: queue, {"f": function.target})) as control:
            uuid = await _create(control, QUEUE_REQUEST, MaximumBatchingWindowInSeconds=7)
            await control.until(uuid, "Enabled")
            await anyio.sleep(12)
            if members is None:
                await control.operations.delete(uuid)
                await control.until(uuid, None)
            else:
                await control.operations.update(uuid, members)
                await control.until(uuid, "Enabled" if "BatchSize" in members else "Disabled")

        left = [message.receives for message in queue.messages.values()]
        assert len(function.seen) == len(set(function.seen)) == 400 - len(left)
        assert function.seen
        assert set(left) <= {0}

    in_virtual_time(play)


def test_a_queue_whose_function_refuses_ends_long_before_its_messages_come_back() -> None:
    """What it holds is given back: whoever mends or deletes the mapping does not wait for twelve hours."""

    async def play() -> None:
        queue = MemoryQueue(CLOCK, visibility_timeout_s=43_200.0)
        down, up = Function(lambda _: Unreachable(reason="down")), Function()
        async with controlling(Control(lambda _: queue, {"f": down.target, "g": up.target})) as control:
            uuid = await _create(control, QUEUE_REQUEST)
            await control.until(uuid, "Enabled")
            queue.send("a")
            await anyio.sleep(120)
            await control.operations.update(uuid, {"FunctionName": "g"})
            await control.until(uuid, "Enabled", within_s=90)
            await eventually(lambda: up.seen == ["a"])

    in_virtual_time(play)


def test_an_update_takes_effect_at_a_batch_boundary_and_keeps_the_position() -> None:
    """The running batch ends as it began; the next one obeys; nothing is repeated."""

    async def play() -> None:
        stream, function = _stream(100), Function(takes_s=5.0)
        async with controlling(Control(lambda _: stream, {"f": function.target})) as control:
            uuid = await _create(control, STREAM_REQUEST, BatchSize=10)
            await eventually(lambda: len(function.batches) == 2)
            await control.operations.update(uuid, {"BatchSize": 25})
            await eventually(lambda: len(function.seen) == 100)
            state = await control.state(uuid)

        assert state == "Enabled"
        assert function.seen == [str(n) for n in range(100)]
        sizes = [len(batch) for batch in function.batches]
        assert (sizes[:2], max(sizes)) == ([10, 10], 25)

    in_virtual_time(play)


def test_another_function_is_invoked_from_the_next_batch_on() -> None:
    """Each record by one of the two."""

    async def play() -> None:
        stream, first, second = _stream(60), Function(takes_s=5.0), Function()
        targets: dict[str, Target] = {"f": first.target, "g": second.target}
        async with controlling(Control(lambda _: stream, targets)) as control:
            uuid = await _create(control, STREAM_REQUEST, BatchSize=10)
            await eventually(lambda: len(first.batches) == 2)
            await control.operations.update(uuid, {"FunctionName": "g"})
            await eventually(lambda: len(first.seen) + len(second.seen) == 60)

        assert first.seen + second.seen == [str(n) for n in range(60)]
        assert second.seen

    in_virtual_time(play)


def test_a_deleted_mapping_leaves_no_position_behind() -> None:
    """Gone after its last invocation; made again it starts at StartingPosition."""

    async def play() -> None:
        stream, function = _stream(10), Function(takes_s=5.0)
        async with controlling(Control(lambda _: stream, {"f": function.target})) as control:
            uuid = await _create(control, STREAM_REQUEST)
            await eventually(lambda: function.running)
            await control.operations.delete(uuid)
            deleting = await control.state(uuid)
            await control.until(uuid, None)

            assert deleting == "Deleting"
            assert function.running == 0
            assert list(await control.leases.list(uuid)) == []

            await _create(control, STREAM_REQUEST)
            await eventually(lambda: len(function.seen) == 20)

    in_virtual_time(play)


def test_a_mapping_that_left_its_file_keeps_its_positions() -> None:
    """It may come back there, and goes on where it was."""

    async def play() -> None:
        stream, function = _stream(10), Function()
        in_file = StoredMapping(
            mapping=stream_mapping(), state=State.CREATING, created_at=0.0, last_modified=0.0, file="a.yaml"
        )
        async with controlling(Control(lambda _: stream, {"f": function.target})) as control:
            await control.files.add(in_file)
            control.supervisor.changed()
            await control.until(in_file.uuid, "Enabled")
            await eventually(lambda: len(function.seen) == 10)
            stored = await control.files.get(in_file.uuid)
            assert stored is not None
            await control.files.replace(replace(stored, state=State.DELETING))
            control.supervisor.changed()
            await control.until(in_file.uuid, None)
            stream.put("shard-0", "later")
            await control.files.add(in_file)
            control.supervisor.changed()
            await eventually(lambda: len(function.seen) == 11)
            await anyio.sleep(10)

        assert function.seen == [*(str(n) for n in range(10)), "later"]

    in_virtual_time(play)


def test_a_function_that_is_not_there_settles_with_a_reason() -> None:
    """After a minute it is Enabled, says why nothing is delivered, and can be deleted."""

    async def play() -> None:
        stream, function = _stream(1), Function()

        class Absent:
            """A function that does not answer."""

            invoke = function.target.invoke
            close = function.target.close

            async def ready(self) -> bool:
                return False

        async with controlling(Control(lambda _: stream, {"f": Absent()})) as control:
            uuid = await _create(control, STREAM_REQUEST)
            await anyio.sleep(30)
            waiting = await control.state(uuid)
            await control.until(uuid, "Enabled")
            shown = await control.operations.get(uuid)
            await control.operations.delete(uuid)
            await control.until(uuid, None)

        assert waiting == "Creating"
        assert shown["LastProcessingResult"] == "PROBLEM: the function is not ready"

    in_virtual_time(play)


def test_what_came_of_the_last_batch_is_shown() -> None:
    """OK after a success, the problem after a failure; kept when the mapping is disabled."""

    async def play() -> None:
        stream, fail = _stream(1), [False]
        failed, succeeded = FunctionError(error_type="ValueError"), Succeeded(payload=b"null")
        function = Function(lambda _: failed if fail[0] else succeeded, takes_s=1.0)
        async with controlling(Control(lambda _: stream, {"f": function.target})) as control:
            uuid = await _create(control, STREAM_REQUEST)
            before = (await control.operations.get(uuid))["LastProcessingResult"]
            await eventually(lambda: len(function.seen) == 1)
            await anyio.sleep(3)
            good = (await control.operations.get(uuid))["LastProcessingResult"]
            fail[0] = True
            stream.put("shard-0", "x")
            await eventually(lambda: len(function.seen) == 3)
            await control.operations.update(uuid, {"Enabled": False})
            await control.until(uuid, "Disabled")
            bad = (await control.operations.get(uuid))["LastProcessingResult"]

        assert (before, good, bad) == ("No records processed", "OK", "PROBLEM: Function call failed")

    in_virtual_time(play)


def test_a_function_that_is_listed_no_more_stops_its_mappings() -> None:
    """They stay, say why, and go on when it is back."""

    async def play() -> None:
        stream, function = _stream(1), Function()
        async with controlling(Control(lambda _: stream, {"f": function.target})) as control:
            uuid = await _create(control, STREAM_REQUEST)
            await eventually(lambda: len(function.seen) == 1)
            listed, control.directory.listed = control.directory.listed, {}
            control.supervisor.changed()
            await anyio.sleep(30)
            stream.put("shard-0", "later")
            await anyio.sleep(30)
            shown = await control.operations.get(uuid)

            assert (shown["State"], shown["LastProcessingResult"]) == (
                "Enabled", "PROBLEM: Function does not exist",
            )  # fmt: skip
            assert len(function.seen) == 1

            control.directory.listed = listed
            control.supervisor.changed()
            await eventually(lambda: len(function.seen) == 2)
            await anyio.sleep(2)
            assert (await control.operations.get(uuid))["LastProcessingResult"] == "OK"

    in_virtual_time(play)


def test_a_function_that_is_back_is_missed_no_more() -> None:
    """Also where no batch tells so."""

    async def play() -> None:
        stream, function = _stream(0), Function()
        async with controlling(Control(lambda _: stream, {"f": function.target})) as control:
            uuid = await _create(control, STREAM_REQUEST)
            await control.until(uuid, "Enabled")
            listed, control.directory.listed = control.directory.listed, {}
            control.supervisor.changed()
            await anyio.sleep(30)
            missed = (await control.operations.get(uuid))["LastProcessingResult"]
            control.directory.listed = listed
            control.supervisor.changed()
            await anyio.sleep(30)
            back = (await control.operations.get(uuid))["LastProcessingResult"]

        assert (missed, back) == ("PROBLEM: Function does not exist", "No records processed")

    in_virtual_time(play)


def test_a_function_that_is_defined_anew_is_invoked_from_the_next_batch_on() -> None:
    """A changed file has this effect, though no mapping changes."""

    async def play() -> None:
        stream, first, second = _stream(20), Function(takes_s=5.0), Function()
        control = Control(lambda _: stream, {"f": first.target, "other": second.target})
        async with controlling(control):
            await _create(control, STREAM_REQUEST, BatchSize=10)
            await eventually(lambda: first.running)
            control.directory.listed = {"f": UrlFunction(name="other", url="http://other/")}
            control.supervisor.changed()
            await eventually(lambda: len(first.seen) + len(second.seen) == 20)

        assert (len(first.seen), len(second.seen)) == (10, 10)

    in_virtual_time(play)


def test_the_heir_of_a_deleted_mapping_goes_on_at_its_checkpoint() -> None:
    """An entry of a file that waited for it; whatever checkpoint the entry had before."""

    async def test() -> None:
        stream, function = _stream(30), Function()
        async with controlling(Control(lambda _: stream, {"f": function.target})) as control:
            uuid = await _create(control, STREAM_REQUEST)
            await eventually(lambda: len(function.seen) == 30)
            control.supervisor.heir = lambda stored: "heir" if stored.uuid == uuid else None
            await anyio.sleep(60)
            held = await control.leases.list(uuid)
            await control.operations.delete(uuid)
            await control.until(uuid, None)

            (lease,) = await control.leases.list("heir")

        assert [each.checkpoint for each in held] == [lease.checkpoint]
        assert lease.owner is None
        assert await control.leases.list(uuid) == []

    in_virtual_time(test)
