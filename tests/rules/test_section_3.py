"""Every numbered rule of semantics section 3 (Kinesis, and both streams) and the tests that hold it."""

import pytest

from tests.rules.finding import check_named_tests, within

RETRY = "core/test_retrying_stream.py::"
WORLDS = "core/test_stream_worlds.py::"
LINEAGE = "core/test_lineage.py::"
LOOP = "loop/test_streams.py::"
DISCARDS = "loop/test_discards.py::"
WINDOWS = "core/test_windows.py::"
WHOLE = "core/test_windows_whole.py::"
WINDOW_LOOP = "loop/test_windows.py::"
WIRE = "contract/test_stream_sources.py::"
DOCUMENTS = "core/test_documents.py::"
RESHARDING = "servers/test_resharding.py::"

RULES: dict[str, list[str]] = {
    "3.1.1 a lane and a batch are of one shard": [
        LOOP + "test_shards_are_delivered_side_by_side",
        "aws/test_streams.py::test_5000_records_over_4_shards_are_each_seen_once_in_order",
    ],
    "3.1.2 parents before children, both of a merge": [
        LINEAGE + "test_a_child_waits_for_both_parents_of_a_merge",
        LOOP + "test_children_are_read_after_their_parent_is_finished",
        RESHARDING + "test_a_shard_that_is_split_is_finished_before_its_children_begin",
        RESHARDING + "test_the_child_of_a_merge_waits_for_both_parents",
    ],
    "3.1.3 a child starts at its horizon": [
        LINEAGE + "test_a_shard_found_later_starts_at_the_horizon",
        LOOP + "test_a_split_while_running_under_latest_loses_nothing",
    ],
    "3.1.4 shards present at the start": [
        LINEAGE + "test_shards_of_the_first_listing_start_at_the_starting_position",
        LINEAGE + "test_under_latest_closed_shards_are_finished_from_the_start",
        RESHARDING + "test_a_timestamp_is_found_on_both_sides_of_a_split",
    ],
    "3.1.5 discovery is paginated": [
        WIRE + "test_kinesis_shards_are_listed_page_by_page_with_both_parents",
        WIRE + "test_a_page_that_fails_discards_the_listing",
        "servers/test_kinesis_source.py::test_a_listing_of_many_shards_is_complete",
    ],
    "3.1.6 a shard trimmed whole is passed over": [
        LOOP + "test_a_closed_shard_that_was_trimmed_whole_is_passed_over_for_its_children",
        "servers/test_rotation.py::test_a_new_mapping_passes_over_shards_whose_records_have_all_left",
    ],
    "3.1.7 a closed shard still gets its retries": [
        LOOP + "test_children_are_read_after_their_parent_is_finished",
    ],
    "3.2.1 starting positions": [
        WIRE + "test_kinesis_iterators_are_asked_for_at_the_position",
        "contract/test_sources.py::test_a_timestamp_starts_at_the_first_record_of_its_time",
    ],
    "3.2.2 LATEST": [
        "aws/test_streams.py::test_latest_skips_what_was_there_and_misses_nothing_after_ready",
        LOOP + "test_an_iterator_that_expires_before_the_first_record_goes_back_to_the_pinned_time",
    ],
    "3.2.3 the checkpoint outweighs the starting position": [
        "aws/test_streams.py::test_a_restart_goes_on_where_it_stopped",
    ],
    "3.2.4 the checkpoint is the last finished record": [
        "core/test_frontier.py::test_the_checkpoint_is_the_end_of_the_finished_prefix",
        LOOP + "test_a_restart_goes_on_after_the_checkpoint",
        within(
            "aws/test_streams.py::",
            "test_kill_9_in_mid_run_loses_nothing_and_repeats_only_what_was_not_checkpointed",
        ),
    ],
    "3.3.1 base rate, no wait while records come": [
        "core/test_waits.py::test_a_busy_shard_is_read_at_the_busy_pace",
    ],
    "3.3.2 limits of a shard": [
        "core/test_waits.py::test_a_large_page_is_followed_by_a_pause_for_the_throughput_of_the_shard",
        LOOP + "test_throttled_reads_back_off_and_are_no_failure_of_a_batch",
    ],
    "3.3.3 an empty page is not the end": [
        WIRE + "test_the_last_page_of_a_closed_shard_carries_its_records",
        "core/test_waits.py::test_a_busy_shard_is_read_at_the_busy_pace",
    ],
    "3.3.4 an expired iterator": [
        LOOP + "test_an_expired_iterator_is_replaced_after_the_last_record_read",
        "servers/test_rotation.py::test_expired_iterators_cost_no_record",
        within(
            "servers/test_kinesis_expiry.py::",
            "test_a_process_that_slept_past_its_iterators_goes_on_after_the_last_record",
        ),
    ],
    "3.3.6 enhanced fan-out": [
        "contract/test_fan_out.py::test_events_become_pages_with_the_consumers_arn",
        "contract/test_fan_out.py::test_a_subscription_that_ends_is_renewed_where_it_ended",
        "contract/test_fan_out.py::test_the_last_event_of_a_closed_shard_ends_it_with_its_records",
    ],
    "3.3.7 aggregated records stay as they are": [
        "core/test_frontier.py::test_records_of_one_sequence_number_are_passed_together",
        "aws/test_streams.py::test_kinesis_records_have_the_event_lambda_makes_of_them",
    ],
    "3.3.8 throttled reads": [LOOP + "test_throttled_reads_back_off_and_are_no_failure_of_a_batch"],
    "3.4.1 size, window or 6 MB": [
        "core/test_batching.py::test_a_full_batch_goes_before_its_window_ends",
        "core/test_batching.py::test_a_batch_closes_before_the_payload_passes_its_limit",
    ],
    "3.4.2 window 0": ["core/test_batching.py::test_without_a_window_whatever_is_there_goes_at_once"],
    "3.4.3 the window restarts at completion": [
        "core/test_batching.py::test_the_window_starts_again_when_the_previous_invocation_completes",
    ],
    "3.4.4 strictly one after the other": [
        LOOP + "test_batches_of_a_shard_are_delivered_one_after_the_other_in_order",
    ],
    "3.4.5 filtering comes first and moves the checkpoint": [
        "loop/test_stream_filters.py::test_a_read_without_a_match_invokes_nothing_and_moves_the_checkpoint",
        "loop/test_stream_filters.py::test_batches_are_counted_after_filtering",
    ],
    "3.4.6 an oversized record": [
        "core/test_batching.py::test_a_record_larger_than_a_payload_goes_alone",
        RETRY + "test_an_unknown_outcome_and_an_oversized_event_count_as_attempts",
    ],
    "3.5.1 order per key": [
        "core/test_lanes.py::test_records_of_a_key_share_a_lane_and_keep_their_order",
        LOOP + "test_with_a_factor_keys_run_side_by_side_and_each_keeps_its_order",
    ],
    "3.5.3 a failing lane blocks its own keys": [
        LOOP + "test_with_a_factor_keys_run_side_by_side_and_each_keeps_its_order",
        "core/test_frontier.py::test_the_checkpoint_is_the_end_of_the_finished_prefix",
    ],
    "3.5.4 a stable hash": ["core/test_lanes.py::test_the_lane_of_a_key_is_the_same_in_every_process"],
    "3.6.1 a failing batch blocks its lane": [
        RETRY + "test_a_failing_batch_is_tried_again_unchanged_and_without_end",
        LOOP + "test_a_failing_batch_blocks_its_shard_and_is_retried_with_growing_waits",
    ],
    "3.6.2 N retries": [RETRY + "test_n_retries_are_n_plus_one_deliveries"],
    "3.6.3 pre-invoke errors use no attempt": [
        RETRY + "test_a_refusal_uses_no_attempt_and_never_bisects",
        RETRY + "test_an_unknown_outcome_and_an_oversized_event_count_as_attempts",
    ],
    "3.6.4 age is a cut off the front": [
        RETRY + "test_too_old_records_are_cut_off_the_front",
        DISCARDS + "test_records_that_are_too_old_are_told_and_the_younger_delivered",
    ],
    "3.6.5 age by arrival": [RETRY + "test_a_record_of_exactly_the_maximum_age_is_delivered"],
    "3.6.6 discarded without an invocation": [
        RETRY + "test_a_batch_that_is_too_old_as_a_whole_is_not_delivered",
        DOCUMENTS + "test_records_that_were_too_old_have_no_response_and_count_one_invocation",
    ],
    "3.6.7 back-off": [LOOP + "test_a_failing_batch_blocks_its_shard_and_is_retried_with_growing_waits"],
    "3.6.8 retention": [LOOP + "test_trimmed_records_are_reported_and_reading_goes_on"],
    "3.6.9 the lane goes on after a discard": [
        DISCARDS + "test_a_batch_whose_attempts_are_used_up_is_told_and_the_lane_goes_on",
    ],
    "3.6.10 an unchanged batch keeps its id": [
        "aws/test_streams.py::test_a_failing_batch_is_tried_again_unchanged_and_holds_its_shard",
        "core/test_batching.py::test_a_batch_id_names_the_content_and_looks_like_a_uuid",
    ],
    "3.7.1 two halves, left first": [
        RETRY + "test_bisect_halves_a_failing_batch_left_half_first",
        WORLDS + "test_every_record_is_resolved_once_and_in_order",
    ],
    "3.7.2 fresh budgets": [RETRY + "test_bisect_halves_a_failing_batch_left_half_first"],
    "3.7.3 without retries it still splits": [RETRY + "test_bisect_gives_up_single_records_only"],
    "3.7.4 split at once": [WORLDS + "test_with_bisect_or_a_report_only_failing_records_are_discarded"],
    "3.7.5 odd sizes": [RETRY + "test_bisect_halves_a_failing_batch_left_half_first"],
    "3.7.6 refusals never bisect": [RETRY + "test_a_refusal_uses_no_attempt_and_never_bisects"],
    "3.8.1 the lowest reported record is the checkpoint": [
        RETRY + "test_a_partial_failure_keeps_everything_before_the_lowest_reported_record",
    ],
    "3.8.3 outcome table": [
        "core/test_responses.py::test_complete_success",
        "core/test_responses.py::test_invalid_responses_fail_the_whole_batch",
        RETRY + "test_an_invalid_report_fails_the_whole_batch",
    ],
    "3.8.4 functionError null": [
        DOCUMENTS + "test_a_response_without_function_error_keeps_the_member_as_null"
    ],
    "3.8.5 a shrunk batch starts afresh": [RETRY + "test_the_recorded_run_of_six_records_comes_out"],
    "3.8.6 the first record reported": [
        RETRY + "test_a_report_of_the_first_record_is_an_ordinary_failed_attempt",
    ],
    "3.8.7 bisect and report": [WORLDS + "test_with_bisect_or_a_report_only_failing_records_are_discarded"],
    "3.9.1 told once": [
        DISCARDS + "test_a_batch_whose_attempts_are_used_up_is_told_and_the_lane_goes_on",
    ],
    "3.9.2 the document": [DOCUMENTS + "test_a_kinesis_document_is_the_recorded_one"],
    "3.9.3 DynamoDB's document": [
        DOCUMENTS + "test_a_dynamodb_document_has_its_own_batch_member_and_whole_seconds",
    ],
    "3.9.4 conditions": [
        RETRY + "test_n_retries_are_n_plus_one_deliveries",
        RETRY + "test_too_old_records_are_cut_off_the_front",
    ],
    "3.9.5 functionArn": [DOCUMENTS + "test_the_function_arn_is_the_configured_one"],
    "3.9.7 the records only in S3": [
        DOCUMENTS + "test_the_text_does_not_hold_the_records",
        DOCUMENTS + "test_the_payload_is_a_json_string_of_the_event_as_sent",
    ],
    "3.9.8 the key in S3": [
        DOCUMENTS + "test_an_object_key_is_dated_in_utc",
        "contract/test_destinations.py::test_an_object_lies_under_its_dated_key",
    ],
    "3.9.9 the document fits": [
        DOCUMENTS + "test_the_text_stays_below_a_kilobyte_for_ordinary_names",
    ],
    "3.9.10 a failed delivery, where we depart": [
        DISCARDS + "test_a_destination_that_fails_holds_the_lane_and_the_checkpoint",
        DISCARDS + "test_a_drain_while_the_destination_fails_gives_nothing_up",
    ],
    "3.9.12 only the discarded part": [DISCARDS + "test_bisect_tells_of_the_poison_record_alone"],
    "3.9.11 documents of windows": [
        DOCUMENTS + "test_without_records_only_shard_and_stream_are_named",
        WINDOW_LOOP + "test_a_final_invocation_whose_attempts_are_used_up_is_told_and_the_shard_goes_on",
    ],
    "3.10.1 aligned to the epoch, by arrival": [
        WINDOWS + "test_windows_begin_at_multiples_of_their_size_since_the_epoch",
        WHOLE + "test_a_record_is_counted_in_its_own_window_or_late_in_the_open_one",
    ],
    "3.10.2 members of the event": [WINDOWS + "test_the_event_has_the_documented_members"],
    "3.10.3 the response must have a state": [
        WINDOWS + "test_a_response_without_state_is_a_failed_invocation",
        WINDOWS + "test_the_state_comes_with_what_a_partial_failure_left_done",
    ],
    "3.10.4 a batch never mixes windows": [WINDOWS + "test_a_batch_ends_where_its_window_ends"],
    "3.10.5 the final invocation": [
        WINDOW_LOOP + "test_batches_of_a_window_hand_a_state_on_and_the_final_invocation_takes_it",
        WINDOW_LOOP + "test_a_failing_final_invocation_holds_the_shard_until_it_succeeds",
    ],
    "3.10.6 idle windows": [
        WINDOWS + "test_an_idle_window_is_closed_when_its_shard_was_quiet_after_its_end",
        WINDOW_LOOP + "test_an_idle_window_is_closed_seconds_after_its_end",
    ],
    "3.10.7 a state over 1 MB": [
        WINDOWS + "test_a_state_over_one_megabyte_ends_its_window_early",
        WINDOW_LOOP + "test_a_state_over_one_megabyte_ends_its_window_early",
    ],
    "3.10.8 the end of a shard": [
        WINDOW_LOOP + "test_the_end_of_a_shard_closes_its_window_and_its_children_start_afresh",
    ],
    "3.10.9 retries and age apply": [
        WINDOW_LOOP + "test_a_final_invocation_whose_attempts_are_used_up_is_told_and_the_shard_goes_on",
        WINDOWS + "test_a_final_invocation_is_given_up_by_age_once_it_was_tried",
    ],
    "3.10.10 not with a factor or filters": [
        "mappings/test_rules.py::test_a_broken_rule_is_told_alone_with_its_field",
    ],
    "3.10.11 the state survives": [
        WHOLE + "test_every_record_is_counted_once_in_one_window",
        WINDOW_LOOP + "test_a_drain_keeps_the_state_and_the_next_process_goes_on_with_it",
        WINDOW_LOOP + "test_a_crash_between_an_invocation_and_its_checkpoint_counts_nothing_twice",
    ],
    "3.11.1 iterator age": [
        "loop/test_iterator_age.py::test_it_is_the_age_of_the_last_record_when_it_was_sent"
    ],
    "3.12.1 data and its siblings": ["core/test_filtering.py::test_kinesis_records"],
    "3.12.2 JSON and not": [
        "core/test_filtering.py::test_kinesis_records",
        "mappings/test_rules.py::test_a_broken_rule_is_told_alone_with_its_field",
    ],
    "3.12.3 dropped is passed over": [
        "loop/test_stream_filters.py::test_a_read_without_a_match_invokes_nothing_and_moves_the_checkpoint",
    ],
    "3.12.4 delivered data is the original": [
        "loop/test_stream_filters.py::test_batches_are_counted_after_filtering",
    ],
    "3.13.1 the event": [WIRE + "test_the_kinesis_reference_event_comes_out"],
    "3.13.2 only Records": ["core/test_payload.py::test_encoded_size_is_the_length_of_the_payload"],
    "3.14 the lane": [WORLDS + "test_every_record_is_resolved_once_and_in_order"],
    "3.14.1 cut index 0": [
        RETRY + "test_a_report_of_the_first_record_is_an_ordinary_failed_attempt",
    ],
    "3.14.2 the checkpoint comes last": [
        LOOP + "test_a_lane_goes_no_further_while_its_checkpoint_is_refused"
    ],
}
NOT_TESTED = {
    "3.3.5": "our choice is to hold the batch in memory; age is looked at before each delivery (3.6.4)",
    "3.5.2": "each lane has a batcher of its own by construction",
    "3.8.8": "the remainder is cut at the report only: see 3.8.7",
    "3.8.9": "LastProcessingResult has no API yet",
    "3.9.6": "see 3.6.10: the id is the batch's",
    "3.12.5": "not settled by AWS's documents",
    "3.13.3": "the event of 3.13.1",
    "3.13.4": "the event of 3.10.2",
    "3.14.3": "see 3.9.10",
}


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_has_the_tests_it_names(rule: str) -> None:
    """The table names tests that exist."""
    check_named_tests(RULES[rule])
