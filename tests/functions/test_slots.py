"""The reserved concurrency of a function: who runs, who waits, and who is told that there are too many."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from poller.functions.slots import Line, Slots
from tests.loop.stage import in_virtual_time


class Crowd:
    """Runs invocations through slots and keeps what came of each."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.ran: list[str] = []
        self.refused: list[str] = []
        self.running = 0
        self.most_at_once = 0

    async def invoke(self, name: str, line: Line, takes_s: float = 1.0) -> bool:
        """One invocation."""
        if not await self.slots.take(line, line.patience_s):
            self.refused.append(name)
            return False
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        self.ran.append(name)
        await anyio.sleep(takes_s)
        self.running -= 1
        self.slots.free(line)
        return True

    @asynccontextmanager
    async def saturated(self, lanes: int, takes_s: float) -> AsyncIterator[None]:
        """Deliveries that ask again as soon as they are done."""

        async def deliver() -> None:
            while True:
                await self.invoke("delivery", Line.DELIVERIES, takes_s)

        async with anyio.create_task_group() as group:
            for _ in range(lanes):
                group.start_soon(deliver)
            await anyio.sleep(0.01)
            yield
            group.cancel_scope.cancel()


def test_callers_beyond_the_limit_are_refused_at_once() -> None:
    """Where only callers run, nobody waits, as at AWS."""

    async def scenario() -> None:
        crowd = Crowd(Slots(2))
        async with anyio.create_task_group() as group:
            for name in "abc":
                group.start_soon(crowd.invoke, name, Line.CALLERS)
                await anyio.sleep(0.001)
            assert (crowd.ran, crowd.refused) == (["a", "b"], ["c"])
        assert crowd.most_at_once == 2

    in_virtual_time(scenario)


def test_deliveries_wait_in_their_order_and_are_refused_in_the_end() -> None:
    """A batch is kept here for a while, and then goes back to its own retry rules."""

    async def scenario() -> None:
        crowd = Crowd(Slots(1))
        async with anyio.create_task_group() as group:
            for name in "abcd":
                group.start_soon(crowd.invoke, name, Line.DELIVERIES, 4.0)
                await anyio.sleep(0.001)
        assert crowd.ran == ["a", "b", "c"]
        assert crowd.refused == ["d"]

    in_virtual_time(scenario)


def test_a_limit_of_zero_refuses_everybody_at_once() -> None:
    """There is nothing to wait for."""

    async def scenario() -> None:
        crowd = Crowd(Slots(0))
        for line in (Line.CALLERS, Line.EVENTS, Line.DELIVERIES, Line.of_mapping("m")):
            assert not await crowd.invoke(line.name, line)
        assert anyio.current_time() < 0.001

    in_virtual_time(scenario)


def test_callers_are_not_starved_by_deliveries() -> None:
    """However many lanes ask again at once: a caller has the next turn."""

    async def scenario() -> None:
        crowd = Crowd(Slots(1))
        async with crowd.saturated(lanes=8, takes_s=0.5):
            for number in range(20):
                assert await crowd.invoke(f"caller-{number}", Line.CALLERS, 0.5)

    in_virtual_time(scenario)


def test_deliveries_are_not_starved_by_callers() -> None:
    """However many callers wait: every second turn is a delivery's."""

    async def scenario() -> None:
        crowd = Crowd(Slots(1))

        async def call() -> None:
            while True:
                await crowd.invoke("caller", Line.CALLERS, 0.1)

        async with crowd.saturated(lanes=1, takes_s=0.1), anyio.create_task_group() as callers:
            for _ in range(8):
                callers.start_soon(call)
            await anyio.sleep(20)
            callers.cancel_scope.cancel()
        assert crowd.ran.count("delivery") >= 90
        assert crowd.ran.count("caller") >= 90

    in_virtual_time(scenario)


def test_who_gives_up_waiting_costs_no_slot() -> None:
    """Cancelled while waiting, or in the moment it was its turn."""

    async def scenario() -> None:
        slots = Slots(1)
        assert await slots.take(Line.DELIVERIES, 0)

        async def wait() -> None:
            if await slots.take(Line.DELIVERIES, 5.0):
                slots.free(Line.DELIVERIES)

        for turn_comes in (False, True):
            async with anyio.create_task_group() as group:
                group.start_soon(wait)
                await anyio.sleep(1)
                if turn_comes:
                    slots.free(Line.DELIVERIES)
                group.cancel_scope.cancel()
        assert await slots.take(Line.CALLERS, 0)
        assert not await slots.take(Line.CALLERS, 0)

    in_virtual_time(scenario)


def test_mappings_callers_and_events_take_turns() -> None:
    """Whatever the backlog of the others: of two mappings and events, each gets a third of the runs."""

    async def scenario() -> None:
        crowd = Crowd(Slots(1))

        async def claim(name: str, line: Line) -> None:
            while True:
                await crowd.invoke(name, line, 0.5)

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(claim, "busy", Line.of_mapping("busy"))
            group.start_soon(claim, "quiet", Line.of_mapping("quiet"))
            group.start_soon(claim, "event", Line.EVENTS)
            await anyio.sleep(60)
            group.cancel_scope.cancel()
        assert all(crowd.ran.count(name) >= 38 for name in ("busy", "quiet", "event"))
        assert set(crowd.refused) <= {"busy"}

    in_virtual_time(scenario)


def test_a_caller_has_the_next_turn_however_many_lines_wait() -> None:
    """A client that asks now and then waits for one run, not for one of each mapping."""

    async def scenario() -> None:
        crowd = Crowd(Slots(1))

        async def deliver(mapping: str) -> None:
            while True:
                await crowd.invoke(mapping, Line.of_mapping(mapping), 0.5)

        async with anyio.create_task_group() as group:
            for number in range(9):
                group.start_soon(deliver, f"m{number}")
            for number in range(10):
                await anyio.sleep(7.1)
                assert await crowd.invoke(f"caller-{number}", Line.CALLERS, 0.1)
            group.cancel_scope.cancel()

    in_virtual_time(scenario)


def test_events_wait_longer_than_a_batch_may() -> None:
    """A refusal would postpone them for longer each time, until they are too old."""

    async def scenario() -> None:
        crowd = Crowd(Slots(1))
        async with crowd.saturated(lanes=4, takes_s=60):
            for number in range(5):
                assert await crowd.invoke(f"event-{number}", Line.EVENTS, 1)

    in_virtual_time(scenario)
