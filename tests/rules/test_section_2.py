"""Every numbered rule of semantics section 2 (SQS) and the tests that hold it."""

import pytest

from tests.rules.finding import check_named_tests

RULES: dict[str, list[str]] = {
    "2.1.1 long poll, ten messages, all attributes": [
        "contract/test_sqs_source.py::test_a_receive_is_a_long_poll_for_ten_with_all_attributes",
    ],
    "2.1.2 larger batches from several receives": [
        "loop/test_queues.py::test_a_window_gathers_from_several_receives",
        "aws/test_queues.py::test_a_window_gathers_messages_into_one_batch",
        "loop/test_queue_trouble.py::test_thirty_messages_in_batches_of_twenty_make_two_batches",
    ],
    "2.1.3 size, window or 6 MB closes a batch": [
        "core/test_batching.py::test_a_full_batch_goes_before_its_window_ends",
        "core/test_batching.py::test_a_window_closes_at_its_end_and_not_before",
        "core/test_batching.py::test_a_batch_closes_before_the_payload_passes_its_limit",
        "core/test_payload.py::test_a_payload_of_exactly_the_limit_fits",
    ],
    "2.1.4 window 0 delivers what a receive returned": [
        "core/test_batching.py::test_without_a_window_whatever_is_there_goes_at_once",
    ],
    "2.1.5 the window restarts when the invocation completes": [
        "core/test_batching.py::test_the_window_starts_again_when_the_previous_invocation_completes",
    ],
    "2.1.6 a batch is of one queue": [
        "aws/test_queues.py::test_every_message_is_handled_once_and_deleted",
    ],
    "2.1.7 what does not fit opens the next batch": [
        "core/test_batching.py::test_every_record_leaves_once_in_order_within_the_limits",
        "core/test_batching.py::test_a_batch_closes_before_the_payload_passes_its_limit",
    ],
    "2.2.1 the queue's visibility timeout governs": [
        "contract/test_sqs_source.py::test_a_receive_is_a_long_poll_for_ten_with_all_attributes",
    ],
    "2.2.2 effective visibility with a window": [
        "core/test_visibility.py::test_only_a_window_that_does_not_fit_asks_for_more",
        "contract/test_sqs_source.py::test_a_window_that_does_not_fit_asks_for_more_visibility",
    ],
    "2.2.4 visibility at least the function timeout": [
        "core/test_visibility.py::test_a_queue_shorter_than_the_function_is_refused_in_aws_words",
        "contract/test_sqs_source.py::test_a_queue_shorter_than_the_function_is_refused",
        "loop/test_queue_trouble.py::test_a_queue_that_does_not_suit_its_function_is_not_polled",
    ],
    "2.2.5 a failure does not shorten visibility": [
        "loop/test_queues.py::test_a_failed_batch_comes_back_after_its_visibility_timeout",
        "aws/test_queues.py::test_a_failing_handler_leaves_messages_to_their_visibility_timeout",
    ],
    "2.2.6 deleting what is already deleted is harmless": [
        "contract/test_sources.py::test_deleting_twice_is_harmless",
        "loop/test_queue_trouble.py::test_a_purged_queue_troubles_nobody",
    ],
    "2.3.1 success deletes everything": [
        "core/test_retrying_queue.py::test_success_is_deleted_whatever_the_function_returns",
        "contract/test_sources.py::test_a_deleted_message_does_not_come_back",
    ],
    "2.3.2 a function error deletes nothing": [
        "core/test_retrying_queue.py::test_a_failure_leaves_every_message_to_its_visibility_timeout",
        "aws/test_queues.py::test_a_failing_handler_leaves_messages_to_their_visibility_timeout",
    ],
    "2.3.3 a throttle keeps the batch, which costs no receive (a departure)": [
        "core/test_retrying_queue.py::test_a_refusal_keeps_the_batch_and_tries_it_again",
        "loop/test_queues.py::test_a_refused_batch_is_kept_and_renewed",
    ],
    "2.3.4 other pre-invoke errors as throttles": [
        "core/test_retrying_queue.py::test_a_refusal_keeps_the_batch_and_tries_it_again",
        "contract/test_targets.py::test_an_invoke_error_is_told_from_a_function_error_and_never_repeated",
    ],
    "2.3.5 function errors reduce concurrency": [
        "core/test_scaling.py::test_failures_bring_it_down_gradually_and_keep_it_from_growing",
        "core/test_scaling.py::test_throttles_bring_it_down_faster_than_failures",
    ],
    "2.3.6 a delete that failed means redelivery": [
        "contract/test_sqs_source.py::test_entries_that_failed_are_given_back_unless_the_sender_is_to_blame",
        "loop/test_queues.py::test_a_delete_that_failed_in_part_is_repeated_for_that_part",
    ],
    "2.3.7 dead-lettering is the queue's": [
        "aws/test_queues.py::test_a_message_that_always_fails_reaches_the_dead_letter_queue",
        "mappings/test_rules.py::test_a_broken_rule_is_told_alone_with_its_field",
    ],
    "2.4.1 the response counts only where asked for": [
        "core/test_retrying_queue.py::test_success_is_deleted_whatever_the_function_returns",
    ],
    "2.4.2 listed stays, unlisted goes": [
        "core/test_retrying_queue.py::test_reported_items_are_left_and_the_others_deleted",
        "aws/test_queues.py::test_reported_items_stay_in_the_queue_and_the_others_go",
    ],
    "2.4.3 outcome table": [
        "core/test_responses.py::test_complete_success",
        "core/test_responses.py::test_invalid_responses_fail_the_whole_batch",
        "core/test_retrying_queue.py::test_a_failure_leaves_every_message_to_its_visibility_timeout",
    ],
    "2.4.4 one bad entry poisons the response": [
        "core/test_responses.py::test_invalid_responses_fail_the_whole_batch",
        "core/test_retrying_queue.py::test_an_invalid_report_leaves_everything",
    ],
    "2.4.5 duplicate ids are harmless": ["core/test_responses.py::test_partial_failure"],
    "2.5.1 one batch in flight per group": [
        "loop/test_fifo.py::test_groups_run_side_by_side_and_each_in_order",
        "loop/test_fifo.py::test_a_function_that_outlasts_the_visibility_timeout_never_meets_its_own_group",
    ],
    "2.5.2 a batch may mix groups and keeps their order": [
        "loop/test_fifo.py::test_groups_run_side_by_side_and_each_in_order",
    ],
    "2.5.3 retries come before later messages of the group": [
        "loop/test_fifo.py::test_fifo_retries_a_failed_group_from_its_failed_message",
        "loop/test_fifo.py::test_one_failing_group_leaves_the_others_at_full_speed",
    ],
    "2.5.4 unlisted messages go, also behind a failed one": [
        "core/test_retrying_queue.py::test_reported_items_are_left_and_the_others_deleted",
    ],
    "2.5.5 no window, at most ten": [
        "mappings/test_rules.py::test_a_broken_rule_is_told_alone_with_its_field"
    ],
    "2.6.1 five at first, 300 more a minute, 1,250 at most": [
        "core/test_scaling.py::test_it_starts_with_five",
        "core/test_scaling.py::test_a_lasting_backlog_raises_it_by_300_a_minute_up_to_1250",
        "loop/test_queue_trouble.py::test_a_backlog_is_worked_off_by_more_and_more_pollers",
    ],
    "2.6.2 back to five, two in quiet times": [
        "core/test_scaling.py::test_when_the_backlog_ends_it_comes_back_to_five_and_to_two_after_long",
        "core/test_scaling.py::test_with_a_maximum_it_does_not_come_down_to_two_in_quiet_times",
    ],
    "2.6.3 MaximumConcurrency caps invocations in flight": [
        "core/test_scaling.py::test_maximum_concurrency_is_never_passed",
        "loop/test_queue_trouble.py::test_maximum_concurrency_is_exact",
        "loop/test_queues.py::test_no_more_is_received_than_can_be_delivered",
    ],
    "2.6.4 FIFO has no ramp": ["core/test_scaling.py::test_a_fifo_queue_has_no_ramp"],
    "2.6.5 provisioned mode": [
        "core/test_scaling.py::test_provisioned_pollers_are_always_on_and_grow_faster",
    ],
    "2.6.6 a function that always throttles": [
        "loop/test_queues.py::test_a_refused_batch_is_kept_and_renewed",
    ],
    "2.7.1 what does not match is deleted, the rest delivered": [
        "loop/test_queue_filters.py::test_what_does_not_match_is_deleted_without_an_invocation",
    ],
    "2.7.2 the delivered body is the original": [
        "loop/test_queue_filters.py::test_what_matches_is_delivered_to_the_byte",
        "aws/test_queues.py::test_the_handler_receives_the_body_that_was_sent_to_the_byte",
    ],
    "2.7.3 body and pattern formats": ["core/test_filtering.py::test_messages"],
    "2.7.4 plain string patterns": ["core/test_filtering.py::test_messages"],
    "2.7.5 what can be filtered": ["core/test_filtering.py::test_messages"],
    "2.7.6 opaque bodies": ["core/test_filtering.py::test_messages"],
    "2.8.1 members and their order": ["contract/test_sqs_source.py::test_the_reference_event_comes_out"],
    "2.8.2 attributes are strings": [
        "aws/test_queues.py::test_the_handler_receives_the_body_that_was_sent_to_the_byte",
        "contract/test_sqs_source.py::test_a_record_carries_what_the_loop_needs",
    ],
    "2.8.3 message attributes": ["contract/test_sqs_source.py::test_the_reference_event_comes_out"],
    "2.8.4 digest of no attributes": [
        "contract/test_sqs_source.py::test_without_attributes_their_digest_is_absent_or_null",
    ],
    "2.8.5 digest of the body": ["contract/test_sqs_source.py::test_the_reference_event_comes_out"],
    "2.8.6 the body is a string": [
        "aws/test_queues.py::test_the_handler_receives_the_body_that_was_sent_to_the_byte",
    ],
    "2.8.7 the region is the queue's": ["contract/test_sqs_source.py::test_the_reference_event_comes_out"],
    "2.8.8 only Records": ["core/test_payload.py::test_encoded_size_is_the_length_of_the_payload"],
    "2.10.3 a lapsed message is not sent late": [
        "loop/test_receipts.py::test_a_message_that_may_be_somebody_elses_is_not_run",
        "loop/test_receipts.py::test_where_renewals_are_denied_a_message_starts_while_it_is_hidden",
    ],
}
NOT_TESTED = {
    "2.2.3": "a recommendation",
    "2.5.6": "says what is not needed",
    "2.9.1": "rights of a role on AWS; nothing here checks them",
    "2.10.1": "the event of 2.8",
    "2.10.2": "the other rules, condensed",
}


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_has_the_tests_it_names(rule: str) -> None:
    """The table names tests that exist."""
    check_named_tests(RULES[rule])
