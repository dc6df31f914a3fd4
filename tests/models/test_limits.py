"""Every limit and enum that is written down here is held against botocore's model of the locked version."""

import pytest

from mappings.function_options import MAXIMUM_TIMEOUT_S, MINIMUM_TIMEOUT_S
from mappings.limits import LIMITS, MINIMUM_POLLERS, MINIMUM_RECORD_AGE_S, NEUTRAL, NOT_YET, SourceType
from mappings.model import StartingPosition
from mappings.service_model import CREATE_REQUEST, UPDATE_REQUEST, members, shape
from mappings.wire import CreateRequest

# What other event sources have: refused by name.
FOREIGN = {
    "AmazonManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "LoggingConfig",
    "Queues",
    "SelfManagedEventSource",
    "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations",
    "Topics",
}
# The source and where reading begins are for ever.
NOT_UPDATED = {"EventSourceArn", "StartingPosition", "StartingPositionTimestamp", "Tags", "Topics", "Queues"}
NOT_UPDATED |= {"SelfManagedEventSource"}


def test_a_request_has_the_members_of_the_model() -> None:
    """A member that comes in a newer model fails here: it is obeyed, or refused by name."""
    known = set(CreateRequest.__annotations__)

    assert known | FOREIGN == set(members(CREATE_REQUEST))
    assert set(members(UPDATE_REQUEST)) == (known | FOREIGN) - NOT_UPDATED | {"UUID"}
    assert frozenset().union(*(limits.fields for limits in LIMITS.values())) == known
    assert known >= set(NOT_YET) >= set(NEUTRAL)


@pytest.mark.parametrize("source", SourceType)
def test_the_limits_of_a_source_are_within_the_model(source: SourceType) -> None:
    """And the greatest of them is the model's."""
    limits = LIMITS[source]
    batch, window = shape("BatchSize"), shape("MaximumBatchingWindowInSeconds")

    assert batch["min"] <= limits.batch_size <= limits.maximum_batch_size <= batch["max"]
    assert limits.maximum_batching_window in {0, window["max"]}
    assert max(each.maximum_batch_size for each in LIMITS.values()) == batch["max"]


def test_enums_are_those_of_the_model() -> None:
    """A value that comes in a newer model fails here."""
    assert {each.value for each in StartingPosition} == set(shape("EventSourcePosition")["enum"])
    assert shape("FunctionResponseType")["enum"] == ["ReportBatchItemFailures"]
    assert set(shape("EventSourceMappingMetric")["enum"]) == {"EventCount", "ErrorCount", "KafkaMetrics"}


def test_numbers_are_those_of_the_model() -> None:
    """Where a number stands here because AWS's text says less than the model, it lies within it."""
    timeout, age = shape("Timeout"), shape("MaximumRecordAgeInSeconds")
    pollers, tumbling = shape("MinimumNumberOfPollers"), shape("TumblingWindowInSeconds")

    assert (timeout["min"], timeout["max"]) == (MINIMUM_TIMEOUT_S, MAXIMUM_TIMEOUT_S)
    assert age["min"] == -1 < MINIMUM_RECORD_AGE_S < age["max"]
    assert pollers["min"] <= MINIMUM_POLLERS <= pollers["max"]
    assert (tumbling["min"], tumbling["max"]) == (0, 900)
