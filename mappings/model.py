"""What an event source mapping is: its fields, under the API's own names, and their neutral values."""

from dataclasses import dataclass
from enum import StrEnum

from mappings.arns import Arn, EventSource, FunctionName


class StartingPosition(StrEnum):
    TRIM_HORIZON = "TRIM_HORIZON"
    LATEST = "LATEST"
    AT_TIMESTAMP = "AT_TIMESTAMP"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSourceMapping:
    """A validated mapping; `mappings.validation` makes it.

    Each default is the neutral value: it asks for nothing. A field that the event source does not know keeps
    it (the parallelization_factor of a queue is 1), so that readers need not ask which kind of source they
    serve; the wire form leaves it out.
    """

    uuid: str
    event_source: EventSource
    function_name: str  # as written
    function_arn: (
        str  # completed with what the name leaves out; names the function to AWS and the mapping to us
    )
    batch_size: int
    enabled: bool = True
    maximum_batching_window_in_seconds: int = 0
    filter_patterns: tuple[str, ...] = ()
    function_response_types: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    kms_key_arn: str | None = None

    # Streams.
    starting_position: StartingPosition | None = None
    starting_position_timestamp: float | None = None  # epoch seconds
    parallelization_factor: int = 1
    maximum_retry_attempts: int = -1  # without end
    maximum_record_age_in_seconds: int = -1  # without end
    bisect_batch_on_function_error: bool = False
    tumbling_window_in_seconds: int = 0  # off
    on_failure_destination: str | None = None

    # Queues.
    maximum_concurrency: int | None = None
    minimum_pollers: int | None = None
    maximum_pollers: int | None = None

    @property
    def link(self) -> tuple[str, str]:
        """Source and qualified function: between the two there is one mapping at most."""
        return self.event_source.arn, self.function_arn

    @property
    def report_batch_item_failures(self) -> bool:
        return "ReportBatchItemFailures" in self.function_response_types

    @property
    def event_source_mapping_arn(self) -> str:
        """A mapping lives where its function lives; its queue or stream may belong to another account."""
        function = Arn.parse(self.function_arn)
        return str(
            Arn(
                partition=function.partition,
                service="lambda",
                region=function.region,
                account=function.account,
                resource=f"event-source-mapping:{self.uuid}",
            )
        )

    @property
    def label(self) -> str:
        """Short text for people, such as `orders -> audit`; not unique."""
        return f"{self.event_source.name} -> {FunctionName.parse(self.function_name).qualified_name}"
