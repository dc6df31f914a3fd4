"""Requests that are almost right: every operation of the API, with something of it broken at random."""

import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from mappings.auth import ReceivedRequest
from mappings.service_model import CREATE_REQUEST, members
from tests.api.stage import DYNAMODB, FIFO, KINESIS, MAPPINGS, QUEUE

UUID = "5f0e6a6c-0d5b-4c4b-9a53-2f4f3b0f8a11"
ARNS = [QUEUE, FIFO, KINESIS, DYNAMODB, f"{KINESIS}/consumer/c:1", "arn:aws:s3:::bucket", "arn:", "kafka://x"]
NAMES = ["audit", "resize", "$LATEST", "arn:aws:lambda:us-east-1:123456789012:function:audit", UUID]
ENUMS = ["LATEST", "TRIM_HORIZON", "AT_TIMESTAMP", "ReportBatchItemFailures", "EventCount", "INFO"]
PATTERNS = ['{"body":["a"]}', '{"data":{"a":[1]}}', '{"a":' * 40, '{"$or":[{"a":[1]},{"b":[2]}]}', "null"]
ODD = ["", "x" * 300, "é漢🙂", "\x00", "\ud800", "0", "-1", "[]", "../../etc", "a b", "%00", "'; --"]
WORDS = [*ARNS, *NAMES, *ENUMS, *PATTERNS, *ODD]
NUMBERS = [0, 1, -1, 2, 10, 11, 300, 10_000, 10_001, 2**31, 2**63, 2**200, 1.5, -0.0, 1e308, 1_799_999_999]
MEMBERS = [*members(CREATE_REQUEST), "UUID", "Bogus", "batchSize", ""]
RIGHT: dict[str, Any] = {
    "FilterCriteria": {"Filters": [{"Pattern": '{"body":{"a":[1]}}'}]},
    "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:failed"}},
    "ScalingConfig": {"MaximumConcurrency": 5},
    "ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 3},
    "Tags": {"a": "b"},
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
}


class Malformed:
    """An endless source of requests; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.uuids: list[str] = [UUID]
        """Mappings that exist, so that not every request is of one that does not."""

    def request(self) -> ReceivedRequest:
        """The next one."""
        make = self._chance.choice(
            [
                self._create,
                self._create,
                self._update,
                self._get,
                self._list,
                self._delete,
                self._tags,
                self._function,
            ]
        )
        method, target, body = make()
        if self._chance.random() < 0.05:
            method = self._chance.choice(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"])
        return ReceivedRequest(method=method, target=target, headers=(), body=self._broken(body))

    def _create(self) -> tuple[str, str, bytes]:
        source = self._chance.choice([QUEUE, FIFO, KINESIS, DYNAMODB])
        request: dict[str, Any] = {
            "EventSourceArn": source,
            "FunctionName": self._chance.choice(["audit", "resize"]),
        }
        if "sqs" not in source:
            request["StartingPosition"] = "TRIM_HORIZON"
        return "POST", MAPPINGS + self._chance.choice(["", "", "/", "//"]), self._json(request)

    def _update(self) -> tuple[str, str, bytes]:
        return "PUT", f"{MAPPINGS}/{self._uuid()}", self._json({})

    def _get(self) -> tuple[str, str, bytes]:
        return "GET", f"{MAPPINGS}/{self._uuid()}", b""

    def _delete(self) -> tuple[str, str, bytes]:
        return "DELETE", f"{MAPPINGS}/{self._uuid()}", b""

    def _list(self) -> tuple[str, str, bytes]:
        names = ["EventSourceArn", "FunctionName", "Marker", "MaxItems", "Bogus", "", "%zz"]
        parts = [f"{self._chance.choice(names)}={self._encoded()}" for _ in range(self._chance.randint(0, 3))]
        return "GET", f"{MAPPINGS}?{'&'.join(parts)}", b""

    def _tags(self) -> tuple[str, str, bytes]:
        arn = f"arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{self._uuid()}"
        path = f"/2017-03-31/tags/{quote(arn, safe='') if self._chance.random() < 0.7 else self._encoded()}"
        match self._chance.randrange(3):
            case 0:
                return "GET", path, b""
            case 1:
                return "POST", path, self._json({"Tags": {self._word(): self._word()}})
            case _:
                return "DELETE", f"{path}?tagKeys={self._encoded()}", b""

    def _function(self) -> tuple[str, str, bytes]:
        tail = self._chance.choice(["", "/configuration", "/invocations", "/x"])
        query = self._chance.choice(["", f"?Qualifier={self._encoded()}"])
        return "GET", f"/2015-03-31/functions/{self._encoded()}{tail}{query}", b""

    def _json(self, request: dict[str, Any]) -> bytes:
        for _ in range(self._chance.randint(0, 3)):
            member = self._chance.choice(MEMBERS)
            request[member] = (
                RIGHT[member] if member in RIGHT and self._chance.random() < 0.5 else self._value(3)
            )
        if request and self._chance.random() < 0.2:
            del request[self._chance.choice(list(request))]
        return json.dumps(request, ensure_ascii=self._chance.random() < 0.5).encode("utf-8", "surrogatepass")

    def _broken(self, body: bytes) -> bytes:
        if self._chance.random() > 0.05:
            return body
        choices: list[Callable[[], bytes]] = [
            lambda: body[: self._chance.randint(0, len(body))],
            lambda: self._chance.randbytes(self._chance.randint(0, 60)),
            lambda: body + b"}",
            lambda: b"[" * self._chance.randint(1, 3000),
            lambda: json.dumps(self._value(3)).encode(),
            lambda: b'{"BatchSize":' + b"9" * 5000 + b"}",
        ]
        return self._chance.choice(choices)()

    def _value(self, depth: int) -> Any:
        kind = self._chance.randrange(6 if depth else 4)
        match kind:
            case 0:
                return self._word()
            case 1:
                return self._chance.choice(NUMBERS)
            case 2:
                return self._chance.choice([True, False])
            case 3:
                return None
            case 4:
                return [self._value(depth - 1) for _ in range(self._chance.randint(0, 3))]
            case _:
                names = [*MEMBERS, "Filters", "Pattern", "OnFailure", "OnSuccess", "Destination", "Metrics"]
                size = self._chance.randint(0, 3)
                return {self._chance.choice(names): self._value(depth - 1) for _ in range(size)}

    def _word(self) -> str:
        return self._chance.choice(WORDS)

    def _encoded(self) -> str:
        text = self._word().encode("utf-8", "surrogatepass")
        return (
            quote(text, safe="") if self._chance.random() < 0.9 else text.decode("latin-1").replace(" ", "+")
        )

    def _uuid(self) -> str:
        return self._chance.choice(self.uuids) if self._chance.random() < 0.8 else self._encoded()
