"""A mapping of a file keeps its position when its function changes, over restarts of the poller."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog

from mappings.directory import FunctionDirectory
from mappings.errors import InvalidFile
from mappings.files import MappingSet
from mappings.states import State
from mappings.store import StoredMapping
from mappings.stores.layered import LayeredStore
from mappings.stores.memory import MemoryMappingStore
from mappings.validation import mapping_from_request
from poller.aws import Aws
from poller.core.leasing import Lease
from poller.core.records import Position
from poller.definitions import Definitions
from poller.file_book import FileBook, known_uuid
from poller.fleet import Alone
from poller.functions.hosted import HostedFunctions
from poller.leases.memory import MemoryLeaseStore, Rows

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"


def file_with(*functions: str, **fields: Any) -> MappingSet:
    """A file with mappings of one stream to functions of AWS Lambda."""
    mappings = tuple(
        mapping_from_request(
            {
                "EventSourceArn": STREAM,
                "FunctionName": f"arn:aws:lambda:us-east-1:000000000000:function:{name}",
                "StartingPosition": "LATEST",
                **fields,
            },
            now=2_000_000_000.0,
        )
        for name in functions
    )
    return MappingSet(functions={}, mappings=mappings, file_of={m.uuid: "m.yaml" for m in mappings})


class Poller:
    """One life of a poller: what its files define over the leases of the lives before."""

    def __init__(self, aws: Aws, rows: Rows, me: str) -> None:
        self.leases = MemoryLeaseStore(rows)
        self.files = MemoryMappingStore()
        self.definitions = Definitions(
            directory=FunctionDirectory(),
            hosted=HostedFunctions({}),
            aws=aws,
            files=self.files,
            store=LayeredStore(files=self.files, api=MemoryMappingStore()),
            book=FileBook(leases=self.leases, fleet=Alone(me)),
            changed=lambda: None,
            wall=lambda: 0.0,
            metrics=True,
            allow_removal=False,
        )

    async def take_up(self, found: MappingSet) -> list[StoredMapping]:
        """Take up a file; the mappings there are then."""
        await self.definitions.take_up(found)
        return list(await self.files.list())

    async def read(self, uuid: str, position: Position, *, owner: str | None = None) -> None:
        """Leave a lease behind, as reading does."""
        await self.leases.create(
            [Lease(mapping=uuid, shard="shard-0", incarnation="1", checkpoint=position, owner=owner)]
        )


@asynccontextmanager
async def lives(*names: str) -> AsyncIterator[list[Poller]]:
    """Pollers that come after each other."""
    rows: Rows = {}
    async with Aws() as aws:
        yield [Poller(aws, rows, name) for name in names]


async def test_a_function_that_changes_while_the_poller_runs_is_an_update() -> None:
    """Also where it is the only mapping: it is not removed."""
    async with lives("one") as (poller,):
        (before,) = await poller.take_up(file_with("audit"))
        (after,) = await poller.take_up(file_with("audit:live"))

    assert after.uuid == before.uuid
    assert after.mapping.function_arn.endswith(":audit:live")
    assert after.state is State.CREATING


async def test_a_function_that_changes_while_the_poller_is_stopped_keeps_its_position() -> None:
    """And in every life after that."""
    async with lives("one", "two", "three") as (one, two, three):
        (first,) = await one.take_up(file_with("audit"))
        (second,) = await two.take_up(file_with("repaired"))
        (third,) = await three.take_up(file_with("repaired"))

    assert first.uuid == second.uuid == third.uuid


async def test_a_state_without_entries_is_opened_by_source_and_function() -> None:
    """Its checkpoint is found under the UUID of the two."""
    async with lives("one") as (poller,):
        expected = file_with("audit").mappings[0].uuid
        await poller.read(expected, Position.after("7"))
        (stored,) = await poller.take_up(file_with("audit"))
        kept = await poller.leases.list(stored.uuid)

    assert [lease.checkpoint for lease in kept] == [Position.after("7")]


async def test_an_ambiguous_change_leaves_everything_as_it_is() -> None:
    """Mappings and what is known of them."""
    async with lives("one") as (poller,):
        before = await poller.take_up(file_with("a", "b"))
        rows = dict(poller.leases.rows)
        with pytest.raises(InvalidFile, match="a becomes c, b becomes d; or a becomes d, b becomes c"):
            await poller.take_up(file_with("c", "d"))

        assert list(await poller.files.list()) == before
        assert poller.leases.rows == rows


async def test_workers_with_two_versions_of_a_file_share_the_position() -> None:
    """Whoever has the shard decides which function runs."""
    async with lives("old", "new", "old again") as (old, new, again):
        found = [
            await old.take_up(file_with("audit")),
            await new.take_up(file_with("repaired")),
            await again.take_up(file_with("audit")),
        ]

    assert len({stored.uuid for (stored,) in found}) == 1


async def outcome_of(position: Position | None, *, owner: str | None = None) -> tuple[list[str], int]:
    """What is said of another StartingPosition at the next start, and how many leases are left."""
    async with lives("one", "two", "three") as (one, two, three):
        (stored,) = await one.take_up(file_with("audit"))
        if position is not None:
            await one.read(stored.uuid, position, owner=owner)
        with structlog.testing.capture_logs() as logs:
            await two.take_up(file_with("audit", StartingPosition="TRIM_HORIZON"))
            await three.take_up(file_with("audit", StartingPosition="TRIM_HORIZON"))
        left = await three.leases.list(stored.uuid)
    return [log["outcome"] for log in logs if log["event"] == "starting_position_changed"], len(left)


async def test_another_starting_position_is_obeyed_before_the_first_record() -> None:
    """Where LATEST was pinned is forgotten, though the poller before held the shard."""
    outcomes, left = await outcome_of(Position.at_timestamp(5.0), owner="one")

    assert (len(outcomes), left) == (1, 0)
    assert outcomes[0].startswith("obeyed")


async def test_another_starting_position_is_answered_once_where_a_checkpoint_stands() -> None:
    """The checkpoint stays."""
    outcomes, left = await outcome_of(Position.after("7"))

    assert (len(outcomes), left) == (1, 1)
    assert "checkpoints stand" in outcomes[0]


async def test_another_starting_position_of_shards_that_are_being_read_is_put_off() -> None:
    """And obeyed at the next start."""
    async with lives("one", "two") as (one, two):
        (stored,) = await one.take_up(file_with("audit"))
        await one.read(stored.uuid, Position.at_timestamp(5.0), owner="one")
        with structlog.testing.capture_logs() as logs:
            await one.take_up(file_with("audit", StartingPosition="TRIM_HORIZON"))
            kept = await one.leases.list(stored.uuid)
            await two.take_up(file_with("audit", StartingPosition="TRIM_HORIZON"))
            left = await two.leases.list(stored.uuid)

    outcomes = [log["outcome"] for log in logs if log["event"] == "starting_position_changed"]
    assert [text.partition(":")[0] for text in outcomes] == ["its shards are being read", "obeyed"]
    assert (len(kept), len(left)) == (1, 0)


async def test_positions_taken_in_for_a_file_go_where_its_mapping_keeps_them() -> None:
    """Under the UUID of its first function (`state import-kcl`)."""
    async with lives("one") as (poller,):
        (first,) = await poller.take_up(file_with("audit"))
        await poller.take_up(file_with("repaired"))

        assert await known_uuid(poller.leases, file_with("repaired").mappings[0]) == first.uuid
