"""Makes the records of a page without keeping the event loop from everything else."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import anyio.lowlevel

from poller.core.records import Record

# A page may hold 10,000 records: so many are made in less than a millisecond.
TURN = 250

Item = TypeVar("Item")


async def in_turns(items: Sequence[Item], make: Callable[[Sequence[Item]], list[Record]]) -> list[Record]:
    """Make a record of each item, in order, and let others have their turn now and then.

    Shielded from cancellation: a page that was read is not dropped half way.
    """
    if len(items) <= TURN:
        return make(items)
    made: list[Record] = []
    for first in range(0, len(items), TURN):
        made += make(items[first : first + TURN])
        await anyio.lowlevel.cancel_shielded_checkpoint()
    return made
