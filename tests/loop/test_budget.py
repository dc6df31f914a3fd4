"""The byte budget: who waits for room gets it in turn, and nobody is woken for nothing."""

import anyio

from poller.budget import ByteBudget
from poller.core.pacing import next_page_bytes
from poller.core.records import Page
from poller.waiting import Drain
from tests.core.records import record
from tests.loop.stage import in_virtual_time


def test_room_is_given_in_the_order_it_was_asked_for() -> None:
    """A large page is not kept waiting by small ones that would still fit."""

    async def play() -> None:
        budget = ByteBudget(100, Drain())
        got: list[str] = []

        async def ask(name: str, size: int) -> None:
            if await budget.reserve(size, stopping=lambda: False):
                got.append(name)

        budget.take(60)
        async with anyio.create_task_group() as group:
            for name, size in (("large", 80), ("small", 10), ("other", 10)):
                group.start_soon(ask, name, size)
                await anyio.sleep(1)
            assert got == []
            budget.take(-60)
            await anyio.sleep(1)
            assert got == ["large", "small", "other"]

    in_virtual_time(play)


def test_only_whose_turn_it_is_looks_at_what_was_given_back() -> None:
    """A thousand idle shards would otherwise look a thousand times for each page."""

    async def play() -> None:
        budget = ByteBudget(100, Drain())
        looks = 0

        def stopping() -> bool:
            nonlocal looks
            looks += 1
            return False

        async def ask() -> None:
            await budget.reserve(90, stopping=stopping)

        budget.take(95)
        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(ask)
            await anyio.sleep(1)
            before = looks
            budget.take(-1)
            await anyio.sleep(1)
            assert looks - before == 1
            group.cancel_scope.cancel()

    in_virtual_time(play)


def test_who_gives_up_lets_the_next_one_in() -> None:
    """Stopped or cancelled, what was waited for is not kept."""

    async def play() -> None:
        budget = ByteBudget(100, Drain())
        stopped = False
        got: list[str] = []

        async def ask(name: str, size: int) -> None:
            if await budget.reserve(size, stopping=lambda: stopped and name == "stops"):
                got.append(name)

        budget.take(50)
        async with anyio.create_task_group() as group:
            cancelled = anyio.CancelScope()

            async def ask_and_be_cancelled() -> None:
                with cancelled:
                    await ask("cancelled", 90)

            group.start_soon(ask, "stops", 90)
            group.start_soon(ask_and_be_cancelled)
            group.start_soon(ask, "fits", 40)
            await anyio.sleep(1)
            stopped = True
            budget.wake()
            cancelled.cancel()
            await anyio.sleep(1)

        assert got == ["fits"]
        assert budget.used_bytes == 90

    in_virtual_time(play)


def test_an_idle_shard_keeps_room_for_a_page_such_as_it_had() -> None:
    """Not for the largest there is; twice what came last, within bounds."""
    largest = 80_000

    assert next_page_bytes(Page(), largest) == 10_000
    assert next_page_bytes(Page(records=[record(n) for n in range(1_000)]), largest) == 20_000
    assert next_page_bytes(Page(records=[record(n) for n in range(40_000)]), largest) == largest
    assert next_page_bytes(Page(), 0) == 0
