"""What a mapping says of itself."""

import pytest

from mappings.arns import EventSource
from mappings.model import EventSourceMapping

ORDERS = EventSource.parse("arn:aws:sqs:eu-west-1:111111111111:orders")


def mapping(function_arn: str, response_types: tuple[str, ...] = ()) -> EventSourceMapping:
    return EventSourceMapping(
        uuid="5f0e6a6c-0d5b-4c4b-9a53-2f4f3b0f8a11",
        event_source=ORDERS,
        function_name=function_arn,
        function_arn=function_arn,
        batch_size=10,
        function_response_types=response_types,
    )


@pytest.mark.parametrize(
    ("suffix", "label"), [("audit", "orders -> audit"), ("audit:live", "orders -> audit:live")]
)
def test_the_label_names_source_and_function(suffix: str, label: str) -> None:
    """People know a mapping by its queue and its function, with the alias."""
    assert mapping(f"arn:aws:lambda:eu-west-1:222222222222:function:{suffix}").label == label


def test_a_mapping_belongs_to_the_account_of_its_function() -> None:
    """A queue of another account does not move the mapping there."""
    made = mapping("arn:aws:lambda:eu-west-1:222222222222:function:audit")

    expected = f"arn:aws:lambda:eu-west-1:222222222222:event-source-mapping:{made.uuid}"
    assert made.event_source_mapping_arn == expected


@pytest.mark.parametrize(("types", "reports"), [((), False), (("ReportBatchItemFailures",), True)])
def test_batch_item_failures_count_when_asked_for(types: tuple[str, ...], *, reports: bool) -> None:
    """The property says what FunctionResponseTypes holds."""
    assert mapping("arn:aws:lambda:eu-west-1:1:function:a", types).report_batch_item_failures == reports
