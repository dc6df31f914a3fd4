"""Reading the lease table of a KCL application."""

import pytest

from poller.core.kcl import KclRow, KclUnusable, has_moved, leases_from_kcl, row_of
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
    leases, _ = leases_from_kcl(
        [row for row in rows if row is not None], TOPOLOGY, mapping="m", stream="clicks", now=99.0
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
    assert taken(row_of(item(1, "5"))) == {
        "shardId-000000000001": (Position.after("5"), ("shardId-000000000000",))
    }


def test_what_is_no_lease_is_passed_over() -> None:
    """KCL 3 keeps the state of its coordinator beside the leases."""
    assert row_of({"leaseKey": "Migration3.0", "cs": "CLIENT_VERSION_3X"}) is None


def test_leases_of_other_streams_are_passed_over() -> None:
    """An application may read several; its keys then name the stream."""
    ours = row_of({**item(0, "5"), "leaseKey": "123456789012:clicks:1700000000:shardId-000000000000"})
    other = row_of({**item(1, "7"), "leaseKey": "123456789012:orders:1700000000:shardId-000000000001"})

    assert list(taken(ours, other)) == ["shardId-000000000000"]


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
    """It renews its leases."""
    before = [KclRow(key="s", checkpoint="5", counter=1)]

    assert has_moved(before, [KclRow(key="s", checkpoint="5", counter=2)])
    assert not has_moved(before, before)
