"""The virtual loop itself: time, order, refusals."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.lowlevel
import pytest

from tests.simulation.loop import Deadlock, HotLoop, VirtualLoop

T = TypeVar("T")


def run(main: Callable[[], Awaitable[T]], seed: int = 0) -> T:
    return anyio.run(main, backend_options={"loop_factory": lambda: VirtualLoop(seed)})


def order_of(seed: int) -> list[int]:
    """In which order tasks that sleep equally long wake."""
    woken: list[int] = []

    async def sleeper(number: int) -> None:
        await anyio.sleep(1)
        woken.append(number)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(sleeper, number)

    run(main, seed)
    return woken


def test_time_jumps() -> None:
    """A day passes at once, and exactly."""

    async def main() -> float:
        await anyio.sleep(86_400)
        return anyio.current_time()

    assert run(main) == 86_400


def test_a_seed_is_an_order() -> None:
    """The same seed repeats an interleaving; seeds differ among each other."""
    assert order_of(3) == order_of(3)
    assert len({tuple(order_of(seed)) for seed in range(20)}) > 10


def test_a_deadlock_is_reported() -> None:
    """Waiting for what nobody will do ends at once, with the virtual time."""

    async def main() -> None:
        await anyio.sleep(5)
        await anyio.Event().wait()

    with pytest.raises(Deadlock, match=r"t=5\.0|t=5"):
        run(main)


def test_a_hot_loop_is_reported() -> None:
    """Steps without time passing end."""

    async def main() -> None:
        while True:
            await anyio.lowlevel.checkpoint()

    with pytest.raises(HotLoop):
        run(main)


def test_threads_are_refused() -> None:
    """Nothing may leave the loop."""

    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, order_of, 1)

    with pytest.raises(AssertionError, match="thread"):
        run(main)


def test_an_alarm_meets_a_step() -> None:
    """What is to happen at the n-th step happens there."""
    seen: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.alarms[loop.steps + 5] = lambda: seen.append(loop.steps)
        for _ in range(20):
            await anyio.sleep(0.1)

    run(main)

    assert len(seen) == 1
