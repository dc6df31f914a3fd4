"""Small scenarios, each built around one thing that can happen."""

from mappings.arns import EventSource
from mappings.model import EventSourceMapping, StartingPosition
from poller.core.backoff import Backoff
from poller.core.pacing import Pace
from poller.rules import Tempo
from tests.simulation.scenario import MappingPlan, Write

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"
KINESIS = "arn:aws:kinesis:eu-west-1:123456789012:stream/s"
DYNAMODB = "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2024"
TEMPO = Tempo(
    long_poll_s=5.0,
    kinesis=Pace(busy_s=0.2, idle_s=1.0),
    dynamodb=Pace(busy_s=0.1, idle_s=1.0),
    discovery_s=5.0,
    failure_backoff=Backoff(0.5, 1.0),
)


def writes(*times: float, keys: int) -> tuple[Write, ...]:
    """Records at these times, their keys in turn."""
    return tuple(Write(at, f"m0-{number}", f"k{number % keys}") for number, at in enumerate(times))


def queue_plan(*times: float, fifo: bool = False) -> MappingPlan:
    """A queue whose function reports one message as failed until it is cured."""
    mapping = EventSourceMapping(
        uuid="m0",
        event_source=EventSource.parse(f"arn:aws:sqs:eu-west-1:123456789012:q{'.fifo' * fifo}"),
        function_name="f",
        function_arn=FUNCTION,
        batch_size=2,
        function_response_types=("ReportBatchItemFailures",),
    )
    return MappingPlan(
        mapping=mapping,
        writes=writes(*times, keys=2),
        poison=("m0-1",),
        visibility_timeout_s=10.0,
        timeout_s=5.0,
        duration_s=0.3,
    )


def stream_plan(arn: str, *times: float, lanes: int = 1, maximum_age_s: int = -1) -> MappingPlan:
    """A stream whose function fails on one record, which is bisected out, tried again and discarded."""
    mapping = EventSourceMapping(
        uuid="m0",
        event_source=EventSource.parse(arn),
        function_name="f",
        function_arn=FUNCTION,
        batch_size=3,
        starting_position=StartingPosition.TRIM_HORIZON,
        parallelization_factor=lanes,
        maximum_retry_attempts=1,
        maximum_record_age_in_seconds=maximum_age_s,
        bisect_batch_on_function_error=True,
    )
    return MappingPlan(mapping=mapping, writes=writes(*times, keys=3), poison=("m0-1",), duration_s=0.3)
