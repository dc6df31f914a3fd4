"""`poller run` against kinesis-mock while its streams are split and merged."""

import time

from tests.aws.running import Run, stop
from tests.servers.flowing import flowing
from tests.servers.kinesis_mock import KinesisMock, KinesisStream
from tests.servers.seen import (
    assert_keys_in_order,
    assert_parents_first,
    handler,
    logged,
    mapping,
    numbers,
    until_seen,
)


def _assert_all_once_in_order(run: Run, stream: KinesisStream, count: int) -> None:
    assert sorted(numbers(run)) == list(range(count))
    assert_keys_in_order(run.records())
    assert_parents_first(run.records(), stream.parents)


def test_a_shard_that_is_split_is_finished_before_its_children_begin(
    kinesis_server: KinesisMock, kinesis_run: Run
) -> None:
    """The parent has a backlog when it is split; each key keeps its order from parent to child."""
    stream = kinesis_server.stream(1)
    stream.put(range(300))
    kinesis_run.write_file({"f": handler("held")}, [mapping(stream.arn, BatchSize=10)])
    kinesis_run.allow(50)
    process = kinesis_run.start()
    until_seen(kinesis_run, 50)
    stream.split(stream.open_shards[0])
    assert len(numbers(kinesis_run)) < 300
    stream.put(range(300, 500))
    kinesis_run.allow()

    until_seen(kinesis_run, 500)
    assert stop(process) == 0

    _assert_all_once_in_order(kinesis_run, stream, 500)


def test_the_child_of_a_merge_waits_for_both_parents(kinesis_server: KinesisMock, kinesis_run: Run) -> None:
    """Also if one of them is long finished when the other has a backlog."""
    stream = kinesis_server.stream(2)
    stream.put(n for n in range(400) if n % 13 == 1)
    stream.put(n for n in range(400) if n % 13 != 1)
    kinesis_run.write_file({"f": handler("held")}, [mapping(stream.arn, BatchSize=10)])
    # More than the short one of the two holds.
    kinesis_run.allow(100)
    process = kinesis_run.start()
    until_seen(kinesis_run, 100)
    stream.merge(*stream.open_shards)
    assert len(numbers(kinesis_run)) < 400
    stream.put(range(400, 600))
    kinesis_run.allow()

    until_seen(kinesis_run, 600)
    assert stop(process) == 0

    _assert_all_once_in_order(kinesis_run, stream, 600)


def test_nothing_is_lost_by_splits_and_merges_while_the_poller_is_away(
    kinesis_server: KinesisMock, kinesis_run: Run
) -> None:
    """Three generations are born meanwhile; each is read from its first record."""
    stream = kinesis_server.stream(1)
    stream.put(range(50))
    kinesis_run.write_file({"f": handler("keep")}, [mapping(stream.arn)])
    process = kinesis_run.start()
    until_seen(kinesis_run, 50)
    assert stop(process) == 0

    stream.put(range(50, 80))
    stream.split(stream.open_shards[0])
    stream.put(range(80, 160))
    stream.split(stream.open_shards[0])
    stream.put(range(160, 240))
    stream.merge(*stream.open_shards[1:])
    stream.put(range(240, 300))
    process = kinesis_run.start()
    until_seen(kinesis_run, 300)
    assert stop(process) == 0

    _assert_all_once_in_order(kinesis_run, stream, 300)


def test_a_restart_in_mid_lineage_goes_on_at_each_shards_place(
    kinesis_server: KinesisMock, kinesis_run: Run
) -> None:
    """Stopped first in the parent, then in the children: nothing twice, nothing out of order."""
    stream = kinesis_server.stream(1)
    stream.put(range(200))
    stream.split(stream.open_shards[0])
    stream.put(range(200, 400))
    kinesis_run.write_file({"f": handler("held")}, [mapping(stream.arn, BatchSize=10)])
    for stop_at, generation_ends in ((50, 200), (250, 400)):
        kinesis_run.allow(stop_at)
        process = kinesis_run.start()
        until_seen(kinesis_run, stop_at)
        assert kinesis_run.stop_held(process) == 0
        assert len(numbers(kinesis_run)) < generation_ends
    process = kinesis_run.start()
    until_seen(kinesis_run, 400)
    assert stop(process) == 0

    _assert_all_once_in_order(kinesis_run, stream, 400)


def test_the_shard_count_goes_up_and_down_while_records_flow(
    kinesis_server: KinesisMock, kinesis_run: Run
) -> None:
    """From 2 to 4 to 2: each generation is found and followed without a restart."""
    stream = kinesis_server.stream(2)
    kinesis_run.write_file({"f": handler("keep")}, [mapping(stream.arn, BatchSize=50)])
    process = kinesis_run.start()
    with flowing(stream.put) as flow:
        for shards in (4, 2):
            flow.go_on()
            stream.reshard(shards)
        flow.go_on()

    until_seen(kinesis_run, flow.written)
    assert stop(process) == 0

    _assert_all_once_in_order(kinesis_run, stream, flow.written)
    assert len(stream.open_shards) == 2
    assert len(logged(kinesis_run, "shard_ended")) == 6


def test_latest_begins_in_the_open_shards_and_follows_their_children(
    kinesis_server: KinesisMock, kinesis_run: Run
) -> None:
    """Closed shards are passed over; a child born later is read from its first record."""
    stream = kinesis_server.stream(1)
    stream.put(range(20))
    stream.split(stream.open_shards[0])
    stream.put(range(20, 40))
    kinesis_run.write_file({"f": handler("keep")}, [mapping(stream.arn, StartingPosition="LATEST")])
    process = kinesis_run.start()
    stream.put(range(40, 80))
    stream.split(stream.open_shards[0])
    stream.put(range(80, 120))

    until_seen(kinesis_run, 80)
    assert stop(process) == 0

    assert sorted(numbers(kinesis_run)) == list(range(40, 120))
    assert_parents_first(kinesis_run.records(), stream.parents)


def test_a_timestamp_is_found_on_both_sides_of_a_split(kinesis_server: KinesisMock, kinesis_run: Run) -> None:
    """The rest of the parent first, then all of the children."""
    stream = kinesis_server.stream(1)
    stream.put(range(20))
    time.sleep(0.05)  # arrival times are milliseconds: what is older must also be so by the clock
    begin = time.time()
    stream.put(range(20, 40))
    stream.split(stream.open_shards[0])
    stream.put(range(40, 80))
    position = {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": begin}
    kinesis_run.write_file({"f": handler("keep")}, [mapping(stream.arn, **position)])
    process = kinesis_run.start()

    until_seen(kinesis_run, 60)
    assert stop(process) == 0

    assert sorted(numbers(kinesis_run)) == list(range(20, 80))
    assert_keys_in_order(kinesis_run.records())
    assert_parents_first(kinesis_run.records(), stream.parents)
