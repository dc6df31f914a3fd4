"""What the functions saw of a stream, and the two promises it is held against."""

import base64
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tests.aws.running import Run, until


def mapping(arn: str, **more: Any) -> dict[str, Any]:
    """A mapping from the horizon."""
    return {"EventSourceArn": arn, "FunctionName": "f", "StartingPosition": "TRIM_HORIZON", **more}


def handler(name: str) -> dict[str, Any]:
    """A function of `running.HANDLERS`."""
    return {"handler": f"app:{name}", "timeout": 20, "concurrency": 8}


def number(record: Mapping[str, Any]) -> int:
    """The number a record was written with."""
    if "kinesis" in record:
        return int(base64.b64decode(record["kinesis"]["data"]))
    return int(record["dynamodb"]["NewImage"]["n"]["N"])


def numbers(run: Run) -> list[int]:
    """All numbers in the order they were seen."""
    return [number(record) for record in run.records()]


def until_seen(run: Run, count: int) -> None:
    """Wait until so many records were seen."""
    until(lambda: len(run.records()) >= count)


def logged(run: Run, event: str) -> list[dict[str, Any]]:
    """The log lines of one event."""
    return run.logged(event)


def assert_keys_in_order(records: Sequence[Mapping[str, Any]]) -> None:
    """Of each partition key, numbers only grow: also from a shard to its children."""
    by_key: dict[str, list[int]] = defaultdict(list)
    for record in records:
        by_key[record["kinesis"]["partitionKey"]].append(number(record))
    assert all(seen == sorted(seen) for seen in by_key.values()), by_key


def assert_parents_first(records: Sequence[Mapping[str, Any]], parents: Mapping[str, Sequence[str]]) -> None:
    """No record of a shard is seen before the last one of each of its parents."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for place, record in enumerate(records):
        shard = record["eventID"].partition(":")[0]
        first.setdefault(shard, place)
        last[shard] = place
    read = {child: [p for p in of if p in last] for child, of in parents.items() if child in first}
    late = {child: of for child, of in read.items() if any(last[p] > first[child] for p in of)}
    assert late == {}
