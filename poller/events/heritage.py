"""Events that no living worker has: left by workers that are gone, or passed on as not runnable.

A worker takes over only what it can bring further: workers may run with different mapping files, as they do
while one version replaces another. Two may look at once; each event goes to one of them.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

from mappings.stores.dynamodb_table import ConditionFailed, Item
from poller.events.dynamodb import MOVED_AT_ONCE, PASSED_ON, DynamoDbEvents
from poller.events.queue import Serves
from poller.fleet import Fleet

# Every look reads all there is: where nothing of it was wanted, the next look can wait.
LOOK_AGAIN_S = 15.0


class Heritage:
    """What one worker of a fleet may take over."""

    def __init__(self, store: DynamoDbEvents, fleet: Fleet) -> None:
        self._store = store
        self._fleet = fleet
        self._looks: Counter[str] = Counter()
        """How often an owner that is no more was found listed."""
        self._rest_until: dict[str, float] = {}

    async def owners(self, me: str, now: float) -> Sequence[str]:
        """Whose events may be looked at; `now` is a reading of the event clock."""
        listed = [owner for owner in await self._store.owners() if owner != me]
        self._looks = Counter({owner: self._looks[owner] for owner in listed})
        self._rest_until = {owner: self._rest_until.get(owner, now) for owner in listed}
        return [owner for owner in listed if self._may_look(owner, me) and self._rest_until[owner] <= now]

    def _may_look(self, owner: str, me: str) -> bool:
        """The first heir at once, each other one look later than the one before it."""
        if owner == PASSED_ON:
            return self._fleet.may_act(me)
        place = self._fleet.succession(owner)
        if place is None:
            return False
        self._looks[owner] += 1
        return self._looks[owner] > place

    async def take(
        self, owner: str, me: str, opening: str, wanted: Callable[[Item], bool], now: float
    ) -> AsyncIterator[Item]:
        """Move what is wanted of an owner's events to a worker that is listed, and yield it.

        Args:
            owner: Whose they are.
            me: The worker.
            opening: How it is listed. Raises ConditionFailed where it is that no more.
            wanted: Which of them it takes.
            now: By its event clock.
        """
        closed = await self._store.close(owner)
        if closed is None:
            return  # another has finished with it
        moved = left = 0
        async for page in self._store.pages(owner):
            items = [item for item in page if wanted(item)]
            left += len(page) - len(items)
            for begin in range(0, len(items), MOVED_AT_ONCE):
                some = items[begin : begin + MOVED_AT_ONCE]
                taken = await self._move(some, owner, me, opening)
                for item in taken:
                    yield item
                moved += len(taken)
                left += len(some) - len(taken)
        if not left and owner != PASSED_ON:
            await self._store.forget(owner, closed)
        if left and not moved:
            self._rest_until[owner] = now + LOOK_AGAIN_S

    async def _move(self, items: Sequence[Item], owner: str, me: str, opening: str) -> Sequence[Item]:
        """Take events over; those that nobody else has taken or written of meanwhile."""
        try:
            await self._store.move(items, giver=owner, taker=me, opening=opening)
        except ConditionFailed:
            if len(items) > 1:
                return [each for item in items for each in await self._move([item], owner, me, opening)]
            if not await self._store.is_open(me, opening):
                raise
            return ()
        return items


def is_wanted(item: Item, *, serves: Serves, now_ms: float | None) -> bool:
    """Whether a worker can bring an event further: run it, send its end, or end it for its age.

    Args:
        item: The event.
        serves: Whether the worker can run a function.
        now_ms: By the store's clock; None where that is not known.
    """
    needs = str(item.get("needs", item["line"]))
    if not needs or serves(needs):
        return True
    return now_ms is not None and bool(item.get("by_store")) and int(item["expires_at"]) <= now_ms
