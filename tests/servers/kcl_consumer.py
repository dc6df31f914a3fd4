"""A record processor of the Kinesis Client Library, as its MultiLangDaemon runs one: a line of JSON each way.

It checkpoints all it is given, ends its shards, and writes what it was given to the file it is named.
"""

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer until the daemon closes our input."""
    seen = Path(sys.argv[1])
    for message in _messages():
        match message["action"]:
            case "processRecords":
                records = message["records"]
                with seen.open("a", encoding="utf-8") as out:
                    out.writelines(base64.b64decode(each["data"]).decode() + "\n" for each in records)
                if records:
                    last = records[-1]
                    _checkpoint(last["sequenceNumber"], last["subSequenceNumber"])
            case "shardEnded" | "shutdownRequested":
                _checkpoint(None, None)
            case _:
                pass
        _say({"action": "status", "responseFor": message["action"]})


def _messages() -> Iterator[dict[str, Any]]:
    while line := sys.stdin.readline():
        if line.strip():
            yield json.loads(line)


def _checkpoint(sequence_number: str | None, sub_sequence_number: int | None) -> None:
    _say(
        {
            "action": "checkpoint",
            "sequenceNumber": sequence_number,
            "subSequenceNumber": sub_sequence_number,
        }
    )
    next(_messages())


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(f"\n{json.dumps(message)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
