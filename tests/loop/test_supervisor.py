"""What becomes of the others, and of a mapping itself, when its runner or the store fails it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import pytest

from mappings.errors import StoreUnavailable
from mappings.functions import Function as FunctionSettings
from mappings.store import StoredMapping
from mappings.stores.memory import MemoryMappingStore
from poller.errors import StartError
from poller.interfaces import Target
from poller.runner import Runner
from poller.sources.memory import MemoryStream
from tests.loop.control import Control, controlling
from tests.loop.stage import CLOCK, STREAM, Function, eventually, in_virtual_time


@dataclass
class Troubled(Control):
    """A worker that cannot simply make the runner of what invokes `g`."""

    trouble: Callable[[], Awaitable[None]] | None = None

    @asynccontextmanager
    async def runner(
        self, stored: StoredMapping, function: FunctionSettings, on_polling: Callable[[], None]
    ) -> AsyncIterator[Runner]:
        """A runner, after the trouble."""
        if function.name == "g" and self.trouble is not None:
            await self.trouble()
        async with super().runner(stored, function, on_polling) as runner:
            yield runner


class Failing(MemoryMappingStore):
    """A store that takes no results while it is broken."""

    broken = False

    async def report(self, uuid: str, last_processing_result: str) -> None:
        """Keep it, or fail."""
        if self.broken:
            raise StoreUnavailable("the disk is full")
        await super().report(uuid, last_processing_result)


async def _create(control: Control, function: str) -> str:
    request = {"EventSourceArn": STREAM, "FunctionName": function, "StartingPosition": "TRIM_HORIZON"}
    return str((await control.operations.create(request))["UUID"])


@pytest.mark.parametrize("error", [StartError("no handler"), KeyError("what nobody foresaw")])
def test_a_runner_that_cannot_be_made_takes_no_other_mapping_down(error: Exception) -> None:
    """It settles with a reason, and is gone as soon as it is deleted, however long its next try is off."""

    async def fail() -> None:
        raise error

    async def play() -> None:
        stream, function = MemoryStream(CLOCK), Function()
        targets: dict[str, Target] = {"f": function.target, "g": function.target}
        async with controlling(Troubled(lambda _: stream, targets, trouble=fail)) as control:
            sound, broken = await _create(control, "f"), await _create(control, "g")
            await control.until(sound, "Enabled")
            await control.until(broken, "Enabled")
            told = await control.store.get(broken)
            await control.operations.delete(broken)
            await control.until(broken, None, within_s=2)
            stream.put("shard-0", "a")
            await eventually(lambda: function.seen)

        assert told is not None
        assert told.last_processing_result.startswith("PROBLEM: ")

    in_virtual_time(play)


def test_a_mapping_that_is_changed_while_its_runner_is_made_does_not_begin() -> None:
    """Nobody would stop it later."""

    async def play() -> None:
        stream, function = MemoryStream(CLOCK), Function()
        stream.put("shard-0", "a")
        made = anyio.Event()
        control = Troubled(lambda _: stream, {"g": function.target}, trouble=made.wait)
        async with controlling(control):
            uuid = await _create(control, "g")
            await control.until(uuid, "Enabled")  # for want of patience
            await control.operations.delete(uuid)
            await anyio.sleep(5)
            made.set()
            await control.until(uuid, None, within_s=5)

        assert function.seen == []

    in_virtual_time(play)


def test_a_result_that_could_not_be_kept_is_kept_when_the_store_is_back() -> None:
    """It is not taken for kept."""

    async def play() -> None:
        stream, function, made = MemoryStream(CLOCK), Function(), Failing()
        async with controlling(Control(lambda _: stream, {"f": function.target}, made=made)) as control:
            uuid = await _create(control, "f")
            await control.until(uuid, "Enabled")
            made.broken = True
            stream.put("shard-0", "a")
            await anyio.sleep(5)
            made.broken = False
            await anyio.sleep(5)
            kept = await control.store.get(uuid)

        assert kept is not None
        assert kept.last_processing_result == "OK"

    in_virtual_time(play)


def test_a_mapping_that_ends_while_the_store_fails_takes_no_other_down() -> None:
    """Its last result is lost, and nothing else."""

    async def play() -> None:
        stream, function, made = MemoryStream(CLOCK), Function(), Failing()
        targets: dict[str, Target] = {"f": function.target, "g": function.target}
        async with controlling(Control(lambda _: stream, targets, made=made)) as control:
            ending, other = await _create(control, "f"), await _create(control, "g")
            await control.until(ending, "Enabled")
            await control.until(other, "Enabled")
            made.broken = True
            stream.put("shard-0", "a")
            await eventually(lambda: len(function.seen) == 2)
            await control.operations.delete(ending)
            await anyio.sleep(5)
            made.broken = False
            await control.until(ending, None)
            stream.put("shard-0", "b")
            await eventually(lambda: len(function.seen) == 3)

    in_virtual_time(play)
