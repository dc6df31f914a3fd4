"""A table in memory, whose calls interleave as chance has it, are refused, or lose their answers."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence

import anyio.lowlevel

from mappings.errors import StoreUnavailable
from mappings.stores.dynamodb_table import SORT, Condition, ConditionFailed, Item, Put, Table, Value

PAGE = 3
"""Items of one page."""


class MemoryTable(Table):
    """As DynamoDB has it: single writes and transactions are atomic, a listing is read page by page."""

    def __init__(self, chance: random.Random, *, trouble: float) -> None:
        """Make an empty one; `trouble` is how often a call is refused, and how often its answer is lost."""
        super().__init__(None, "memory", "test")
        self.rows: dict[tuple[str, str], Item] = {}
        self.trouble = trouble
        self._chance = chance

    async def get(self, partition: str, sort: str) -> Item | None:
        await self._begin()
        found = self._row(partition, sort)
        await self._end()
        return found

    async def pages(self, partition: str) -> AsyncIterator[Sequence[Item]]:
        after = ""
        while True:
            await self._begin()
            sorts = sorted(s for p, s in self.rows if p == partition and s > after)[:PAGE]
            page = [{**self.rows[partition, sort], SORT: sort} for sort in sorts]
            await self._end()
            yield page
            if len(page) < PAGE:
                return
            after = sorts[-1]

    async def put(self, partition: str, sort: str, item: Item, *, when: Condition | None = None) -> None:
        await self._begin()
        self._check(partition, sort, when)
        self.rows[partition, sort] = item
        await self._end()

    async def update(
        self,
        partition: str,
        sort: str,
        *,
        when: Condition,
        change: Mapping[str, Value | None],
        add: Mapping[str, int] | None = None,
    ) -> Item:
        await self._begin()
        self._check(partition, sort, when)
        changed = {**self.rows.get((partition, sort), {}), **change}
        for name, number in (add or {}).items():
            changed[name] = int(changed.get(name) or 0) + number
        item = {name: value for name, value in changed.items() if value is not None}
        self.rows[partition, sort] = item
        await self._end()
        return item

    async def delete(self, partition: str, sort: str, *, when: Condition | None = None) -> None:
        await self._begin()
        self._check(partition, sort, when)
        self.rows.pop((partition, sort), None)
        await self._end()

    async def transact(self, puts: Sequence[Put]) -> None:
        await self._begin()
        for put in puts:
            self._check(put.partition, put.sort, put.when)
        for put in puts:
            self.rows.pop((put.partition, put.sort), None)
            if put.item is not None:
                self.rows[put.partition, put.sort] = put.item
        await self._end()

    def _row(self, partition: str, sort: str) -> Item | None:
        item = self.rows.get((partition, sort))
        return None if item is None else {**item, SORT: sort}

    def _check(self, partition: str, sort: str, when: Condition | None) -> None:
        item = self._row(partition, sort)
        match when:
            case None:
                holds = True
            case Condition(text="attribute_not_exists(#pk)"):
                holds = item is None
            case Condition(text="attribute_exists(#pk)"):
                holds = item is not None
            case Condition(text=text, values=values):
                assert text == " AND ".join(f"#{name} = :{name}" for name in values)
                holds = item is not None and all(item.get(name) == values[name] for name in values)
        if not holds:
            raise ConditionFailed(item)

    async def _begin(self) -> None:
        await self._wait()
        if self._chance.random() < self.trouble:
            raise StoreUnavailable("refused")

    async def _end(self) -> None:
        await self._wait()
        if self._chance.random() < self.trouble:
            raise StoreUnavailable("no answer")

    async def _wait(self) -> None:
        for _ in range(self._chance.randrange(4)):
            await anyio.lowlevel.checkpoint()
