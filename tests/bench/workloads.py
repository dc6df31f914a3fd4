"""What is measured: the sources, their records, the batches, and how long the function takes."""

from dataclasses import dataclass
from typing import Any, Literal

ACCOUNT = "123456789012"
REGION = "eu-west-1"
QUEUE = "orders"
STREAM = "clicks"
TABLE = "carts"
LABEL = "2026-01-01T00:00:00.000"
FUNCTION = "bench"
# MaximumConcurrency of a queue, tasks and threads of the other candidates.
CONCURRENCY = 10
RECORD_BYTES = 1024
FUNCTION_PATH = f"/2015-03-31/functions/{FUNCTION}/invocations"

Kind = Literal["sqs", "kinesis", "dynamodb"]

ARNS: dict[Kind, str] = {
    "sqs": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}",
    "kinesis": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{STREAM}",
    "dynamodb": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}/stream/{LABEL}",
}
QUEUE_URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{QUEUE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One thing to measure."""

    kind: Kind
    batch: int
    window_s: int = 0
    function_s: float = 0.0
    shards: int = 1
    page: int = 10
    """Records of one read."""
    record_bytes: int = RECORD_BYTES
    supply: bool = True
    """Whether there is anything to read."""

    @property
    def name(self) -> str:
        """As the table shows it."""
        window = f", window {self.window_s} s" if self.window_s else ""
        function = f", {self.function_s * 1000:.0f} ms" if self.function_s else ", instant"
        return f"{self.kind} {self.batch}{window}{function}"

    @property
    def records_of_an_event(self) -> int:
        """Most records of one event: its 6 MB hold about that many."""
        encoded = self.record_bytes * 4 // 3 if self.kind == "kinesis" else self.record_bytes
        return min(self.batch, 6_200_000 // (encoded + 700))

    def mapping(self) -> dict[str, Any]:
        """The mapping file of the service."""
        mapping: dict[str, Any] = {
            "EventSourceArn": ARNS[self.kind],
            "FunctionName": FUNCTION,
            "BatchSize": self.batch,
            "MaximumBatchingWindowInSeconds": self.window_s,
        }
        if self.kind == "sqs":
            mapping["ScalingConfig"] = {"MaximumConcurrency": CONCURRENCY}
        else:
            mapping["StartingPosition"] = "TRIM_HORIZON"
        return {"mappings": [mapping]}


def _both(**fields: Any) -> list[Workload]:
    return [Workload(**fields), Workload(**fields, function_s=0.05)]


# 5 MB of Kinesis data; a page of a table's stream ends at 1,000 records or 1 MB.
WORKLOADS: tuple[Workload, ...] = (
    *_both(kind="sqs", batch=10),
    *_both(kind="sqs", batch=10_000, window_s=1),
    *_both(kind="kinesis", batch=100, shards=4, page=5_000),
    *_both(kind="kinesis", batch=1_000, shards=4, page=5_000),
    *_both(kind="kinesis", batch=10_000, shards=4, page=5_000),
    *_both(kind="dynamodb", batch=1_000, shards=4, page=1_000, record_bytes=600),
)
IDLE = Workload(kind="kinesis", batch=100, shards=1_000, page=5_000, supply=False)
