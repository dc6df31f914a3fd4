"""What one world consists of, drawn from its seed: mappings, functions, traffic, faults."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from mappings.arns import SourceKind
from tests.conftest import ACCOUNT, REGION
from tests.fakes.faults import Fault, FaultKind

QUEUE, STREAM, TABLE = "queue", "stream", "table"
FUNCTION_TIMEOUT_S = 4  # below every visibility timeout, as AWS wants it


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePlan:
    """One source, its mapping and its function, all of one name."""

    place: str
    kind: SourceKind
    arn: str
    options: Mapping[str, Any]
    """Options of the mapping, in AWS spelling."""
    shards: int = 1
    handler: bool = False
    """Whether its function is a hosted handler; else it is reached by its URL."""

    @property
    def batch_size(self) -> int:
        return int(self.options["BatchSize"])

    @property
    def lanes(self) -> int:
        return int(self.options.get("ParallelizationFactor", 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldPlan:
    """One world."""

    seed: int
    sources: tuple[SourcePlan, ...]
    duration_s: float
    """A function runs for up to this long."""
    burst: int
    """Most records that are written at once."""
    pause_s: float
    """Longest pause between two writes."""
    reshard: float
    """Chance that a write is a resharding."""
    faults: tuple[Fault, ...] = ()
    deletions_told: bool = True
    """Whether the queue tells of each deletion when it happens."""

    @property
    def handlers(self) -> bool:
        return any(source.handler for source in self.sources)


def draw_plan(seed: int) -> WorldPlan:
    """The world of a seed."""
    chance = random.Random(f"{seed}/plan")
    handlers = chance.random() < 0.2
    sources = (
        SourcePlan(
            place=QUEUE,
            kind=SourceKind.SQS,
            arn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}",
            options=_queue_options(chance),
            handler=handlers and chance.random() < 0.5,
        ),
        SourcePlan(
            place=STREAM,
            kind=SourceKind.KINESIS,
            arn=f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{STREAM}",
            options=_stream_options(chance),
            shards=chance.randint(2, 3),
            handler=handlers,
        ),
        SourcePlan(
            place=TABLE,
            kind=SourceKind.DYNAMODB,
            arn=f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}/stream/2024-01-01T00:00:00.000",
            options=_stream_options(chance),
            shards=chance.randint(1, 2),
            handler=handlers and chance.random() < 0.3,
        ),
    )
    return WorldPlan(
        seed=seed,
        sources=sources,
        duration_s=chance.choice((0.002, 0.02, 0.08)),
        burst=chance.choice((3, 10, 30)),
        pause_s=chance.choice((0.01, 0.05)),
        reshard=chance.choice((0.0, 0.02, 0.05)),
        faults=_faults(chance),
    )


def mapping_file(plan: WorldPlan, functions_url: str) -> str:
    """The mapping file of a life, whose functions are reached below a URL of its own."""
    functions = {
        source.place: {
            "timeout": FUNCTION_TIMEOUT_S,
            **(
                {"handler": f"app:{source.place}", "concurrency": 2}
                if source.handler
                else {"url": f"{functions_url}/{source.place}"}
            ),
        }
        for source in plan.sources
    }
    mappings = [{"EventSourceArn": s.arn, "FunctionName": s.place, **s.options} for s in plan.sources]
    return str(yaml.safe_dump({"functions": functions, "mappings": mappings}))


def _queue_options(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.15:
        return {"BatchSize": chance.randint(11, 30), "MaximumBatchingWindowInSeconds": 1}
    return {"BatchSize": chance.randint(1, 10)}


def _stream_options(chance: random.Random) -> dict[str, Any]:
    options: dict[str, Any] = {
        "BatchSize": chance.choice((1, 3, 10, 30)),
        "StartingPosition": "TRIM_HORIZON",
        "ParallelizationFactor": chance.choice((1, 1, 1, 2, 4)),
    }
    if chance.random() < 0.15:
        options["MaximumBatchingWindowInSeconds"] = 1
    if chance.random() < 0.3:
        options["FunctionResponseTypes"] = ["ReportBatchItemFailures"]
    return options


def _faults(chance: random.Random) -> tuple[Fault, ...]:
    """Half of the worlds have faults beside the kills, so that retries and failed deletes meet them too."""
    if chance.random() < 0.5:
        return ()
    faults = [Fault(kind=FaultKind.DELETE_FAILED, place=QUEUE, chance=0.1)]
    for place in (QUEUE, STREAM, TABLE):
        faults.append(Fault(kind=FaultKind.FUNCTION_ERROR, place=place, chance=0.05))
        faults.append(Fault(kind=FaultKind.FUNCTION_PARTIAL, place=place, chance=0.05))
    return tuple(faults)
