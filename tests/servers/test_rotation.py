"""`poller run` against DynamoDB Local while its shards roll over and its records grow old."""

import signal

from tests.aws.running import Run, stop, until
from tests.servers.dynamodb_local import DynamoDbLocal
from tests.servers.flowing import flowing
from tests.servers.seen import handler, logged, mapping, numbers, until_seen

MINUTES = 1 / 60  # in hours


def test_writes_keep_their_order_over_rollovers(dynamodb_server: DynamoDbLocal, dynamodb_run: Run) -> None:
    """Five generations while writes go on: each write once, in the order of the table."""
    table = dynamodb_server.table()
    dynamodb_run.write_file({"f": handler("keep")}, [mapping(table.arn)])
    process = dynamodb_run.start()
    with flowing(table.put) as flow:
        for _ in range(5):
            flow.go_on()
            dynamodb_server.roll_over()
        flow.go_on()

    until_seen(dynamodb_run, flow.written)
    assert stop(process) == 0

    assert numbers(dynamodb_run) == list(range(flow.written))
    assert len(logged(dynamodb_run, "shard_ended")) == 5


def test_nothing_is_lost_by_rollovers_while_the_poller_is_away(
    dynamodb_server: DynamoDbLocal, dynamodb_run: Run
) -> None:
    """The rest of the shard it was in, one it never saw open, and the open one."""
    table = dynamodb_server.table()
    table.put(range(20))
    dynamodb_run.write_file({"f": handler("keep")}, [mapping(table.arn)])
    process = dynamodb_run.start()
    until_seen(dynamodb_run, 20)
    assert stop(process) == 0

    for begin in (20, 30, 40):
        table.put(range(begin, begin + 10))
        dynamodb_server.roll_over()
    table.put(range(50, 60))
    process = dynamodb_run.start()
    until_seen(dynamodb_run, 60)
    assert stop(process) == 0

    assert numbers(dynamodb_run) == list(range(60))


def test_a_restart_in_mid_lineage_goes_on_at_its_place(
    dynamodb_server: DynamoDbLocal, dynamodb_run: Run
) -> None:
    """Stopped in the first shard and in the second: nothing twice, nothing out of order."""
    table = dynamodb_server.table()
    for begin in (0, 50, 100):
        table.put(range(begin, begin + 50))
        dynamodb_server.roll_over()
    dynamodb_run.write_file({"f": handler("held")}, [mapping(table.arn, BatchSize=5)])
    for stop_at, shard_ends in ((10, 50), (60, 100)):
        dynamodb_run.allow(stop_at)
        process = dynamodb_run.start()
        until_seen(dynamodb_run, stop_at)
        assert dynamodb_run.stop_held(process) == 0
        assert len(numbers(dynamodb_run)) < shard_ends
    process = dynamodb_run.start()
    until_seen(dynamodb_run, 150)
    assert stop(process) == 0

    assert numbers(dynamodb_run) == list(range(150))


def test_latest_passes_over_closed_shards_and_follows_the_open_one(
    dynamodb_server: DynamoDbLocal, dynamodb_run: Run
) -> None:
    """A child born later is read from its first record."""
    table = dynamodb_server.table()
    table.put(range(10))
    dynamodb_server.roll_over()
    table.put(range(10, 20))
    dynamodb_run.write_file({"f": handler("keep")}, [mapping(table.arn, StartingPosition="LATEST")])
    process = dynamodb_run.start()
    table.put(range(20, 30))
    dynamodb_server.roll_over()
    table.put(range(30, 40))

    until(lambda: 39 in numbers(dynamodb_run))
    assert stop(process) == 0

    assert numbers(dynamodb_run) == list(range(20, 40))


def test_latest_misses_nothing_when_killed_before_its_first_record(
    dynamodb_server: DynamoDbLocal, dynamodb_run: Run
) -> None:
    """What was written since it said ready is there after the restart, though it was never read before."""
    table = dynamodb_server.table()
    dynamodb_run.write_file({"f": handler("keep")}, [mapping(table.arn, StartingPosition="LATEST")])
    process = dynamodb_run.start()
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)

    table.put(range(10))
    dynamodb_server.roll_over()
    table.put(range(10, 20))
    process = dynamodb_run.start()
    until(lambda: 19 in numbers(dynamodb_run))
    assert stop(process) == 0

    assert numbers(dynamodb_run) == list(range(20))


def test_expired_iterators_cost_no_record(dynamodb_server: DynamoDbLocal, dynamodb_run: Run) -> None:
    """Three times the iterator in use is twenty minutes old; reading goes on right after the last record."""
    table = dynamodb_server.table()
    dynamodb_run.write_file({"f": handler("keep")}, [mapping(table.arn)])
    process = dynamodb_run.start()
    for begin in (0, 10, 20):
        table.put(range(begin, begin + 10))
        until_seen(dynamodb_run, begin + 10)
        dynamodb_server.age(20 * MINUTES)
    table.put(range(30, 40))

    until_seen(dynamodb_run, 40)
    assert stop(process) == 0

    assert numbers(dynamodb_run) == list(range(40))
    assert logged(dynamodb_run, "records_trimmed") == []


def test_records_trimmed_while_the_poller_is_away_are_reported_and_passed_over(
    dynamodb_server: DynamoDbLocal, dynamodb_run: Run
) -> None:
    """The log names the shard and the place where the gap begins; the mapping goes on with what is left."""
    table = dynamodb_server.table()
    table.put(range(10))
    dynamodb_run.write_file({"f": handler("keep")}, [mapping(table.arn)])
    process = dynamodb_run.start()
    until_seen(dynamodb_run, 10)
    assert stop(process) == 0
    last = dynamodb_run.records()[-1]["dynamodb"]["SequenceNumber"]

    table.put(range(10, 20))
    dynamodb_server.age(25)
    table.put(range(20, 30))
    process = dynamodb_run.start()
    until(lambda: 29 in numbers(dynamodb_run))
    assert stop(process) == 0

    assert numbers(dynamodb_run) == [*range(10), *range(20, 30)]
    (line, *_) = logged(dynamodb_run, "records_trimmed")
    assert line["shard"] == table.shards()[0]["ShardId"]
    assert line["after"] == f"AFTER_SEQUENCE_NUMBER:{last}"


def test_a_new_mapping_passes_over_shards_whose_records_have_all_left(
    dynamodb_server: DynamoDbLocal, dynamodb_run: Run
) -> None:
    """They are still listed, for hours or longer, and refuse to be read even from the horizon."""
    table = dynamodb_server.table()
    table.put(range(10))
    dynamodb_server.age(25)
    table.put(range(10, 20))
    dynamodb_run.write_file({"f": handler("keep")}, [mapping(table.arn)])
    process = dynamodb_run.start(ready=False)

    until(lambda: 19 in numbers(dynamodb_run))
    assert stop(process) == 0

    assert numbers(dynamodb_run) == list(range(10, 20))


def test_a_mapping_that_has_read_everything_goes_on_when_it_has_all_grown_old(
    dynamodb_server: DynamoDbLocal, dynamodb_run: Run
) -> None:
    """While it runs, its shard is closed and trimmed behind it: it finds the child."""
    table = dynamodb_server.table()
    table.put(range(10))
    dynamodb_run.write_file({"f": handler("keep")}, [mapping(table.arn)])
    process = dynamodb_run.start()
    until_seen(dynamodb_run, 10)

    dynamodb_server.age(25)
    table.put(range(10, 20))
    until(lambda: 19 in numbers(dynamodb_run))
    assert stop(process) == 0

    assert numbers(dynamodb_run) == list(range(20))
