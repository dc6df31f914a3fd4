"""Every numbered rule of semantics section 4 (DynamoDB Streams) and the tests that hold it."""

import pytest

from tests.rules.finding import check_named_tests, within

SOURCE = "servers/test_dynamodb_source.py::"
ROTATION = "servers/test_rotation.py::"
FILTER = "core/test_filtering.py::test_changes_of_a_table"
EVENT = "contract/test_stream_sources.py::test_the_dynamodb_reference_event_comes_out"

RULES: dict[str, list[str]] = {
    "4.1 TRIM_HORIZON or LATEST": ["mappings/test_rules.py::test_a_broken_rule_is_told_alone_with_its_field"],
    "4.2 a stream is its label": [
        "contract/test_stream_sources.py::test_dynamodb_shards_are_listed_page_by_page"
    ],
    "4.3 trimmed at 24 h": [
        SOURCE + "test_records_older_than_a_day_are_trimmed",
        ROTATION + "test_records_trimmed_while_the_poller_is_away_are_reported_and_passed_over",
    ],
    "4.4 pages and base rate": [
        "contract/test_sources.py::test_a_stream_gives_everything_in_order",
        "core/test_waits.py::test_a_busy_shard_is_read_at_the_busy_pace",
    ],
    "4.5 iterators expire": [
        SOURCE + "test_an_iterator_that_was_not_used_for_twenty_minutes_has_expired",
        ROTATION + "test_expired_iterators_cost_no_record",
    ],
    "4.6 readers are throttled": [
        "loop/test_streams.py::test_throttled_reads_back_off_and_are_no_failure_of_a_batch"
    ],
    "4.7 listings are paginated": [
        "contract/test_stream_sources.py::test_dynamodb_shards_are_listed_page_by_page",
        SOURCE + "test_a_listing_of_many_shards_is_complete",
    ],
    "4.8 shards are rolled, parents first": [
        ROTATION + "test_writes_keep_their_order_over_rollovers",
        ROTATION + "test_nothing_is_lost_by_rollovers_while_the_poller_is_away",
        "core/test_lineage.py::test_thirty_days_of_rotation_leave_a_bounded_number_of_leases",
        "loop/test_rotation.py::test_thirty_days_of_rotation_leave_nothing_behind_and_lose_nothing",
    ],
    "4.9 order of an item": [ROTATION + "test_writes_keep_their_order_over_rollovers"],
    "4.10 the event": [
        EVENT,
        "aws/test_streams.py::test_changes_of_a_table_arrive_in_order_with_lambdas_event",
    ],
    "4.11 images": ["aws/test_streams.py::test_changes_of_a_table_arrive_in_order_with_lambdas_event"],
    "4.12 binary is base64": [EVENT],
    "4.13 userIdentity": [EVENT],
    "4.14 batch item failures": [
        within(
            "core/test_retrying_stream.py::",
            "test_a_partial_failure_keeps_everything_before_the_lowest_reported_record",
        )
    ],
    "4.15 order key": ["contract/test_stream_sources.py::test_the_order_key_of_a_change_is_its_items_key"],
    "4.16 metadata can be filtered": [FILTER],
    "4.17 values are typed": [FILTER],
    "4.18 numbers are texts": [FILTER],
    "4.19 times are numbers": [FILTER],
    "4.20 exists looks at leaves": [FILTER],
    "4.21 dynamodb is an object": ["mappings/test_rules.py::test_a_broken_rule_is_told_alone_with_its_field"],
    "4.22 LATEST": [
        ROTATION + "test_latest_misses_nothing_when_killed_before_its_first_record",
        SOURCE + "test_a_pinned_latest_misses_nothing_written_after_it",
    ],
    "4.24 the rest is as on Kinesis": [
        "core/test_stream_worlds.py::test_every_record_is_resolved_once_and_in_order"
    ],
    "4.25 the reference event": [EVENT],
    "4.26 the failure document": [
        "core/test_documents.py::test_a_dynamodb_document_has_its_own_batch_member_and_whole_seconds"
    ],
}
NOT_TESTED = {"4.23": "rights of a role on AWS; nothing here checks them"}


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_has_the_tests_it_names(rule: str) -> None:
    """The table names tests that exist."""
    check_named_tests(RULES[rule])
