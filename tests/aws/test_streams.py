"""Kinesis and DynamoDB Streams, from the stream to the function, in a process of its own against moto."""

import base64
import json
import signal
import sqlite3
import time
from collections import defaultdict
from typing import Any

import pytest

from tests.aws.running import Run, repeated, stop, until
from tests.conftest import Moto


def _mapping(arn: str, **more: Any) -> dict[str, Any]:
    return {"EventSourceArn": arn, "FunctionName": "f", "StartingPosition": "TRIM_HORIZON", **more}


def _handler(name: str, **more: Any) -> dict[str, Any]:
    return {"handler": f"app:{name}", "timeout": 20, "concurrency": 4, **more}


def _put(moto: Moto, stream: str, count: int, *, begin: int = 0) -> None:
    client = moto.client("kinesis")
    for chunk in range(begin, begin + count, 500):
        numbers = range(chunk, min(chunk + 500, begin + count))
        entries = [{"Data": f"{n}".encode(), "PartitionKey": f"key-{n % 97}"} for n in numbers]
        assert client.put_records(StreamName=stream, Records=entries)["FailedRecordCount"] == 0


def _numbers(run: Run) -> list[int]:
    return [int(base64.b64decode(r["kinesis"]["data"])) for r in run.records()]


def _by_shard(run: Run) -> dict[str, list[int]]:
    order: dict[str, list[int]] = defaultdict(list)
    for record in run.records():
        shard, sequence_number = record["eventID"].split(":")
        order[shard].append(int(sequence_number))
    return order


def _checkpoints(run: Run) -> dict[str, str]:
    connection = sqlite3.connect(run.folder / "state.db")
    rows = connection.execute("SELECT shard, checkpoint FROM leases WHERE shard LIKE 'shardId-%'").fetchall()
    connection.close()
    return {shard: checkpoint.partition(":")[2] for shard, checkpoint in rows}


def test_5000_records_over_4_shards_are_each_seen_once_in_order(moto: Moto, run: Run) -> None:
    """Batches of up to 1,000, each of one shard."""
    stream, arn = moto.stream(4)
    _put(moto, stream, 5000)
    run.write_file({"f": _handler("keep")}, [_mapping(arn, BatchSize=1000)])
    process = run.start()

    until(lambda: len(run.records()) >= 5000)
    code = stop(process)

    assert code == 0
    assert sorted(_numbers(run)) == list(range(5000))
    assert len(_by_shard(run)) == 4
    assert all(order == sorted(order) for order in _by_shard(run).values())
    assert all(len({r["eventID"].split(":")[0] for r in batch}) == 1 for batch in run.batches())
    assert max(len(batch) for batch in run.batches()) == 1000


def test_kill_9_in_mid_run_loses_nothing_and_repeats_only_what_was_not_checkpointed(
    moto: Moto, run: Run
) -> None:
    """Each shard goes on right after its checkpoint."""
    stream, arn = moto.stream(2)
    _put(moto, stream, 2000)
    run.write_file({"f": _handler("steady")}, [_mapping(arn, BatchSize=50)])
    process = run.start()
    until(lambda: len(run.batches()) >= 8)

    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    before = {r["eventID"] for r in run.records()}
    checkpoints = _checkpoints(run)
    handled = len(run.batches())
    process = run.start()
    until(lambda: len({r["eventID"] for r in run.records()}) >= 2000)
    stop(process)

    assert sorted(set(_numbers(run))) == list(range(2000))
    again = {r["eventID"] for batch in run.batches()[handled:] for r in batch}
    for event_id in before & again:
        shard, sequence_number = event_id.split(":")
        assert int(sequence_number) > int(checkpoints[shard] or 0)
    assert len(before & again) <= 2 * 50


def test_a_restart_goes_on_where_it_stopped(moto: Moto, run: Run) -> None:
    """After a drain nothing is repeated, whatever StartingPosition says."""
    stream, arn = moto.stream(2)
    _put(moto, stream, 300)
    run.write_file({"f": _handler("keep")}, [_mapping(arn)])
    process = run.start()
    until(lambda: len(run.records()) >= 300)
    assert stop(process) == 0

    _put(moto, stream, 200, begin=300)
    process = run.start()
    until(lambda: len(run.records()) >= 500)
    assert stop(process) == 0

    assert sorted(_numbers(run)) == list(range(500))


def test_sigterm_during_an_invocation_lets_it_finish_and_checkpoints_it(moto: Moto, run: Run) -> None:
    """The batch is not repeated after the restart."""
    stream, arn = moto.stream(1)
    _put(moto, stream, 30)
    run.write_file({"f": _handler("slow")}, [_mapping(arn, BatchSize=10)])
    process = run.start()
    until(lambda: any("begun" in event for event in run.events()))

    assert stop(process) == 0
    handled = len(run.records())
    process = run.start()
    until(lambda: len(run.records()) >= 30)
    stop(process)

    assert handled in (10, 20)
    assert sorted(_numbers(run)) == list(range(30))


def test_a_second_sigterm_ends_at_once(moto: Moto, run: Run) -> None:
    """With exit code 1; the batch that was cut is delivered again."""
    stream, arn = moto.stream(1)
    _put(moto, stream, 1)
    run.write_file({"f": _handler("slow", timeout=60)}, [_mapping(arn)])
    run._environment["SLOW_S"] = "30"
    process = run.start()
    until(lambda: any("begun" in event for event in run.events()))

    process.send_signal(signal.SIGTERM)
    until(lambda: '"draining"' in run.log())
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=10) == 1
    assert time.monotonic() - begun < 10
    assert _checkpoints(run) == {"shardId-000000000000": ""}


def test_a_failing_batch_is_tried_again_unchanged_and_holds_its_shard(moto: Moto, run: Run) -> None:
    """Nothing behind it is delivered, and it keeps its request id."""
    stream, arn = moto.stream(1)
    _put(moto, stream, 20)
    run.write_file({"f": _handler("fail")}, [_mapping(arn, BatchSize=10)])
    process = run.start()

    until(lambda: len(run.batches()) >= 3)
    stop(process)

    assert {tuple(r["eventID"] for r in batch) for batch in run.batches()} == {
        tuple(r["eventID"] for r in run.batches()[0])
    }
    assert len({event["id"] for event in run.events()}) == 1
    assert _checkpoints(run) == {"shardId-000000000000": ""}


def test_latest_skips_what_was_there_and_misses_nothing_after_ready(moto: Moto, run: Run) -> None:
    """Also when the process is killed before the first record and started again."""
    stream, arn = moto.stream(2)
    _put(moto, stream, 50)
    time.sleep(1.1)  # the pin is a whole second of the server's clock: what is older must be so by it
    run.write_file({"f": _handler("keep")}, [_mapping(arn, StartingPosition="LATEST")])
    process = run.start()
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)

    _put(moto, stream, 40, begin=50)
    process = run.start()
    _put(moto, stream, 10, begin=90)
    until(lambda: len(run.records()) >= 50)
    stop(process)

    assert sorted(_numbers(run)) == list(range(50, 100))


def test_kinesis_records_have_the_event_lambda_makes_of_them(moto: Moto, run: Run) -> None:
    """Members, order and types of semantics 3.13."""
    stream, arn = moto.stream(1)
    moto.client("kinesis").put_record(StreamName=stream, Data=b"\x00\xff raw", PartitionKey="p\u00e9")
    run.write_file({"f": _handler("keep")}, [_mapping(arn)])
    process = run.start()

    until(run.records)
    stop(process)

    (record,) = run.records()
    kinesis = record["kinesis"]
    assert list(record) == [
        "kinesis", "eventSource", "eventVersion", "eventID", "eventName", "invokeIdentityArn", "awsRegion",
        "eventSourceARN",
    ]  # fmt: skip
    assert list(kinesis)[:5] == [
        "kinesisSchemaVersion", "partitionKey", "sequenceNumber", "data", "approximateArrivalTimestamp",
    ]  # fmt: skip
    assert base64.b64decode(kinesis["data"]) == b"\x00\xff raw"
    assert kinesis["partitionKey"] == "p\u00e9"
    assert isinstance(kinesis["approximateArrivalTimestamp"], float)
    assert record["eventID"] == f"shardId-000000000000:{kinesis['sequenceNumber']}"
    assert (record["eventSource"], record["eventName"], record["eventVersion"]) == (
        "aws:kinesis", "aws:kinesis:record", "1.0",
    )  # fmt: skip
    assert record["eventSourceARN"] == arn


def test_changes_of_a_table_arrive_in_order_with_lambdas_event(moto: Moto, run: Run) -> None:
    """INSERT, MODIFY and REMOVE with typed images; binary as base64; times as numbers."""
    table, arn = moto.table()
    client = moto.client("dynamodb")
    key = {"id": {"S": "1"}}
    client.put_item(TableName=table, Item={**key, "b": {"B": b"\x00\x01"}, "n": {"N": "1.50"}})
    client.put_item(TableName=table, Item={**key, "s": {"BS": [b"\x02"]}, "m": {"M": {}}})
    client.delete_item(TableName=table, Key=key)
    run.write_file({"f": _handler("keep")}, [_mapping(arn)])
    process = run.start()

    until(lambda: len(run.records()) >= 3)
    stop(process)

    insert, modify, remove = run.records()
    assert [r["eventName"] for r in run.records()] == ["INSERT", "MODIFY", "REMOVE"]
    assert list(insert) == [
        "eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb", "eventSourceARN",
    ]  # fmt: skip
    assert insert["dynamodb"]["Keys"] == key
    assert insert["dynamodb"]["NewImage"]["b"] == {"B": "AAE="}
    assert modify["dynamodb"]["NewImage"]["s"] == {"BS": ["Ag=="]}
    assert modify["dynamodb"]["OldImage"]["n"] in ({"N": "1.50"}, {"N": "1.5"})
    assert "NewImage" not in remove["dynamodb"]
    assert isinstance(insert["dynamodb"]["ApproximateCreationDateTime"], float)
    assert insert["dynamodb"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert (insert["eventVersion"], insert["eventSource"], insert["eventSourceARN"]) == (
        "1.1", "aws:dynamodb", arn,
    )  # fmt: skip


def test_checkpoints_of_two_mappings_on_one_stream_are_their_own(moto: Moto, run: Run) -> None:
    """Each mapping sees everything."""
    stream, arn = moto.stream(1)
    _put(moto, stream, 40)
    run.write_file(
        {"f": _handler("keep"), "g": _handler("keep")},
        [_mapping(arn), {**_mapping(arn), "FunctionName": "g"}],
    )
    process = run.start()

    until(lambda: len(run.records()) >= 80)
    stop(process)

    assert set(repeated([str(n) for n in _numbers(run)]).values()) == {2}


@pytest.mark.parametrize("bisect", [False, True])
def test_a_batch_is_discarded_after_its_attempts_and_said_so(moto: Moto, run: Run, *, bisect: bool) -> None:
    """MaximumRetryAttempts and BisectBatchOnFunctionError: the lane goes on, the log names the range."""
    (run.folder / "poison.py").write_text(
        "import app, base64\n"
        "def handler(event, context):\n"
        "    app.keep(event, context)\n"
        "    if any(base64.b64decode(r['kinesis']['data']) == b'3' for r in event['Records']):\n"
        "        raise ValueError('poison')\n"
    )
    stream, arn = moto.stream(1)
    _put(moto, stream, 6)
    run.write_file(
        {"f": {"handler": "poison:handler", "timeout": 20}},
        [_mapping(arn, MaximumRetryAttempts=0, BisectBatchOnFunctionError=bisect)],
    )
    process = run.start()

    until(lambda: "batch_discarded" in run.log())
    _put(moto, stream, 1, begin=6)
    until(lambda: 6 in _numbers(run))
    stop(process)

    (line,) = [json.loads(line) for line in run.log().splitlines() if "batch_discarded" in line]
    assert line["condition"] == "RetryAttemptsExhausted"
    assert line["size"] == (1 if bisect else 6)
    assert set(_numbers(run)) == set(range(7))
