"""Reading the lease table of a KCL application."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from poller.core.kcl import KclRow, KclUnusable, has_moved, leases_from_kcl, owners, row_of
from poller.core.lineage import KnownShard, plan
from poller.core.records import Position, Shard, Topology

TOPOLOGY = Topology(
    incarnation="2024",
    shards=(
        Shard(id="shardId-000000000000"),
        Shard(id="shardId-000000000001", parents=("shardId-000000000000",)),
    ),
)


def item(number: int, checkpoint: str, **more: object) -> dict[str, object]:
    """An item as KCL writes it."""
    return {
        "leaseKey": f"shardId-{number:012}",
        "checkpoint": checkpoint,
        "checkpointSubSequenceNumber": 0,
        "ownerSwitchesSinceCheckpoint": 3,
        "leaseOwner": "worker-1",
        "leaseCounter": 17,
        **more,
    }


def taken(*rows: KclRow | None) -> dict[str, tuple[Position, tuple[str, ...]]]:
    """What becomes of rows."""
    return taken_from(TOPOLOGY, *rows)


def taken_from(topology: Topology, *rows: KclRow | None) -> dict[str, tuple[Position, tuple[str, ...]]]:
    """What becomes of rows of a stream that is listed so."""
    leases, _ = leases_from_kcl(
        [row for row in rows if row is not None], topology, mapping="m", stream="clicks", now=99.0
    )
    assert all(lease.incarnation == "2024" and lease.owner is None for lease in leases)
    return {lease.shard: (lease.checkpoint, lease.parents) for lease in leases}


@pytest.mark.parametrize(
    ("checkpoint", "position"),
    [
        (
            "49590338271490256608559692538361571095921575989136588898",
            Position.after("49590338271490256608559692538361571095921575989136588898"),
        ),
        ("TRIM_HORIZON", Position.trim_horizon()),
        ("SHARD_END", Position.shard_end()),
        ("LATEST", Position.at_timestamp(99.0)),
    ],
)
def test_each_checkpoint_is_a_position(checkpoint: str, position: Position) -> None:
    """Sequence numbers and sentinels."""
    assert taken(row_of(item(0, checkpoint))) == {"shardId-000000000000": (position, ())}


def test_parents_come_from_the_row_or_from_the_stream() -> None:
    """KCL 2 writes them, KCL 1 does not always."""
    with_parents = row_of(item(1, "5", parentShardId={"shardId-000000000009"}))

    assert taken(with_parents) == {"shardId-000000000001": (Position.after("5"), ("shardId-000000000009",))}
    assert taken(row_of(item(1, "5")))["shardId-000000000001"] == (
        Position.after("5"),
        ("shardId-000000000000",),
    )


def test_what_is_no_lease_is_passed_over() -> None:
    """KCL 3 keeps the state of its coordinator beside the leases."""
    assert row_of({"leaseKey": "Migration3.0", "cs": "CLIENT_VERSION_3X"}) is None


def test_leases_of_other_streams_are_passed_over() -> None:
    """An application may read several; its keys then name the stream."""
    ours = row_of({**item(0, "5"), "leaseKey": "123456789012:clicks:2:shardId-000000000000"})
    other = row_of({**item(1, "7"), "leaseKey": "123456789012:orders:2:shardId-000000000001"})

    assert list(taken(ours, other)) == ["shardId-000000000000"]


def test_leases_of_an_earlier_stream_of_the_name_are_passed_over() -> None:
    """The key holds when the stream was made; its sequence numbers are none of the later one's."""
    earlier = row_of({**item(0, "5"), "leaseKey": "123456789012:clicks:1:shardId-000000000000"})
    ours = row_of({**item(0, "7"), "leaseKey": "123456789012:clicks:2:shardId-000000000000"})

    assert taken(earlier, ours) == {"shardId-000000000000": (Position.after("7"), ())}
    with pytest.raises(KclUnusable, match="no lease is of stream clicks as it is now"):
        taken(earlier)


def test_a_checkpoint_without_a_place_is_refused() -> None:
    """AT_TIMESTAMP stands for a time that only the application's configuration knows."""
    with pytest.raises(KclUnusable, match="AT_TIMESTAMP"):
        taken(row_of(item(0, "AT_TIMESTAMP")))


def test_a_table_of_another_stream_is_refused() -> None:
    """Its positions mean nothing here."""
    with pytest.raises(KclUnusable, match="none of its 1 leases"):
        taken(row_of(item(7, "5")))
    with pytest.raises(KclUnusable, match="no lease"):
        taken()


def test_a_position_inside_an_aggregated_record_is_told() -> None:
    """The rest of that record, if there is any, is not read again."""
    row = row_of(item(0, "5", checkpointSubSequenceNumber=3))
    assert row is not None
    _, notes = leases_from_kcl([row], TOPOLOGY, mapping="m", stream="clicks", now=99.0)

    assert notes == [
        (
            "1 shards were checkpointed inside an aggregated record, which is taken as finished: "
            "shardId-000000000000"
        )
    ]


def test_an_application_that_runs_is_noticed() -> None:
    """It renews its leases, takes others, checkpoints, adds and removes some."""
    row = KclRow(key="s", checkpoint="5", counter=1, owner="w1")
    moved = [
        [KclRow(key="s", checkpoint="5", counter=2, owner="w1")],
        [KclRow(key="s", checkpoint="5", counter=1, owner="w2")],
        [KclRow(key="s", checkpoint="6", counter=1, owner="w1")],
        [row, KclRow(key="t", checkpoint="5")],
        [],
    ]

    assert [has_moved([row], after) for after in moved] == [True] * 5
    assert not has_moved([row], [row])


def test_owners_are_named_once() -> None:
    """Also those that KCL 3 lets finish before it hands a lease over."""
    rows = [
        row_of(item(0, "5", leaseOwner="b")),
        row_of(item(1, "5", leaseOwner="a")),
        row_of(item(2, "5", leaseOwner="b")),
        row_of(item(3, "5", leaseOwner=None, checkpointOwner="c")),
        row_of(item(4, "5", leaseOwner=None)),
    ]

    assert owners([row for row in rows if row is not None]) == ["a", "b", "c"]


# ----- lineage


def shard(number: int, *parents: int, closed: bool = False) -> Shard:
    """A shard of a stream."""
    return Shard(id=name(number), parents=tuple(map(name, parents)), closed=closed)


def name(number: int) -> str:
    """Of a shard."""
    return f"shardId-{number:012}"


def ended(*rows: KclRow | None, shards: tuple[Shard, ...]) -> set[str]:
    """Which shards are taken as finished."""
    found = taken_from(Topology(incarnation="2024", shards=shards), *rows)
    return {shard for shard, (position, _) in found.items() if position.ended}


def test_listed_ancestors_without_a_lease_are_finished() -> None:
    """KCL removes the leases of finished parents; of a merge both, and of these their parents too."""
    shards = (
        shard(0, closed=True),
        shard(1, closed=True),
        shard(2, 0, closed=True),
        shard(3, 0, closed=True),
        shard(4, 2, 3),
        shard(5, 1),
    )

    assert ended(row_of(item(4, "77")), row_of(item(5, "78")), shards=shards) == {
        name(number) for number in (0, 1, 2, 3)
    }


def test_ancestors_with_a_lease_stay_where_it_says() -> None:
    """A parent that is being read is not finished, whatever its child."""
    shards = (shard(0, closed=True), shard(1, 0))
    rows = [row_of(item(0, "5")), row_of(item(1, "TRIM_HORIZON"))]

    assert ended(*rows, shards=shards) == set()


def test_ancestors_that_are_not_listed_need_no_lease() -> None:
    """Nobody will ask for them: they have left the stream."""
    rows = [row_of(item(2, "5", parentShardId={name(1)}))]

    assert set(taken_from(Topology(incarnation="2024", shards=(shard(2),)), *rows)) == {name(2)}


def test_shards_that_descend_from_no_lease_are_read_from_their_horizon() -> None:
    """KCL had not heard of them: children of what it read last, and they have no position."""
    shards = (shard(0, closed=True), shard(1, 0), shard(2, 0))

    assert set(taken_from(Topology(incarnation="2024", shards=shards), row_of(item(0, "5")))) == {name(0)}


# ----- what a real application left (KCL 3.1.3)

RECORDED: Mapping[str, Any] = json.loads(Path(__file__).with_name("kcl_tables.json").read_text())["tables"]


def recorded(moment: str) -> tuple[Topology, list[KclRow]]:
    """The stream as it was listed, and the lease table as it was read."""
    listed = RECORDED[moment]["shards"]
    names = ("ParentShardId", "AdjacentParentShardId")
    topology = Topology(
        incarnation="2024",
        shards=tuple(
            Shard(
                id=each["ShardId"],
                parents=tuple(each[parent] for parent in names if parent in each),
                closed="EndingSequenceNumber" in each["SequenceNumberRange"],
            )
            for each in listed
        ),
    )
    plain = TypeDeserializer().deserialize
    items = [{key: plain(value) for key, value in row.items()} for row in RECORDED[moment]["items"]]
    return topology, [row for row in map(row_of, items) if row is not None]


@pytest.mark.parametrize("moment", ["merged", "cleaned", "ended"])
def test_a_real_application_is_taken_over_at_any_moment_after_a_reshard(moment: str) -> None:
    """Finished shards stay finished, whether or not their leases are there; only the open ones are read."""
    topology, rows = recorded(moment)
    leases, notes = leases_from_kcl(rows, topology, mapping="m", stream="s", now=99.0)
    known = [
        KnownShard(
            id=lease.shard, parents=lease.parents, checkpoint=lease.checkpoint, incarnation=lease.incarnation
        )
        for lease in leases
    ]

    found = plan(topology, known, Position.trim_horizon())

    assert list(found.create) == []
    assert list(found.readable) == [name(1), name(4)]
    assert found.ended == 3
    assert notes == []


def test_the_table_of_a_real_application_lacks_finished_parents() -> None:
    """Which is why they are taken from the listing."""
    topology, rows = recorded("ended")

    assert {row.shard for row in rows} == {name(1), name(4)}
    assert {each.id for each in topology.shards} == {name(number) for number in range(5)}
    assert owners(rows) == ["worker-1"]
