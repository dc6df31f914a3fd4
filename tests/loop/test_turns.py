"""Turns, for who has much to do at once."""

import asyncio

import anyio

from poller.waiting import Turns


async def test_others_are_served_between_two_turns() -> None:
    """However many come at once, whatever else the loop has to do is done before the next one goes on."""
    turns = Turns()
    done: list[str] = []

    async def much(name: str) -> None:
        await turns.take()
        done.append(name)
        asyncio.get_running_loop().call_soon(done.append, "other")

    async with anyio.create_task_group() as group:
        for name in ("a", "b", "c"):
            group.start_soon(much, name)

    assert done == ["a", "other", "b", "other", "c", "other"]


async def test_who_gives_up_waiting_keeps_nobody_waiting() -> None:
    """A turn that nobody takes is the next one's."""
    turns = Turns()
    with anyio.CancelScope() as scope:
        await turns.take()
        scope.cancel()
        await turns.take()

    with anyio.fail_after(5):
        await turns.take()
