"""The fault table: every fault that editeval has to survive, and the tests that inject it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One fault. `tests` are path and name under tests/ (`trial` of a family: `make chaos-short`); `open` says
    what of it nothing tests.
    """

    fault: str
    tests: tuple[str, ...]
    open: str = ""


W = "faults/test_fault_workers.py::test_"
O = "faults/test_fault_outputs.py::test_"  # noqa: E741  a short name for a long table
R = "faults/test_fault_runs.py::test_"
V = "faults/test_fault_recovery.py::test_"
B = "faults/test_security_boundaries.py::test_"
X = "faults/test_security_outputs.py::test_"
K = "faults/test_security_secrets.py::test_"
M = "faults/test_fault_mistakes.py::test_a_mistake_is_one_line_that_helps"
POOL = "execution/test_pool.py::test_"
STORE = "store/test_store_faults.py::test_"
IMAGE = "test_images.py::test_"
SERVER = "editors/test_openai_images.py::test_"
CHAT = "judges/test_openai_chat.py::test_"
CERTIFY = "certificates/test_certification.py::test_"
JUDGES = "faults/test_fault_judges.py::test_"
SPENDING = "run/test_spending.py::test_"
DEGENERATE = "run/test_degenerate_replies.py::test_"
ROOM = "run/test_disk_room.py::test_"
HUB = "models/test_hub_lookup.py::test_"
SIGNALS = "cli/test_signals.py::test_"
L = "cluster/test_cluster_runs.py::test_"
POWER_CUT = (
    "chaos/test_chaos_harness.py::test_a_power_cut_leaves_what_was_synced_and_nothing_that_is_promised_of_the_rest"
)
REPLIES = ("judges/test_reply_corpus.py::test_no_reply_of_the_corpus_is_silently_wrong",)

TABLE: dict[str, Row] = {
    "P1": Row(
        "worker killed",
        (
            W + "a_worker_that_dies_costs_one_process_and_its_death_is_on_record",
            POOL + "a_killed_worker_costs_nothing_but_time",
            "chaos/storms.py::trial",
        ),
    ),
    "P2": Row(
        "worker crashes",
        (
            W + "a_worker_that_dies_costs_one_process_and_its_death_is_on_record",
            W + "the_fault_free_run_is_the_measure",
        ),
    ),
    "P3": Row(
        "poison sample",
        (
            W + "a_poison_request_fails_alone_after_three_deaths",
            POOL + "requests_in_a_row_that_kill_their_only_worker_do_not_end_the_run",
        ),
    ),
    "P4": Row(
        "worker hangs or is stopped",
        (
            W + "a_worker_that_hangs_is_ended_at_its_limit_and_the_request_made_elsewhere",
            W + "a_worker_that_stops_while_it_is_sent_a_large_request_holds_nobody_up",
            W + "a_pool_ends_although_a_worker_has_stopped_reading",
        ),
    ),
    "P5": Row("slow, not dead", (W + "a_slow_worker_is_not_killed_before_its_limit",)),
    "P6": Row(
        "worker never starts",
        (
            W + "a_worker_that_never_becomes_ready_is_named_with_its_device",
            W + "a_worker_that_dies_while_loading_ends_the_run_with_its_device_and_log",
            POOL + "a_model_that_cannot_be_loaded_stops_everything_before_the_second_load",
        ),
    ),
    "P7": Row(
        "orphans",
        (
            W + "workers_end_when_their_parent_is_killed_even_in_the_middle_of_native_code",
            "chaos/parents.py::trial",
        ),
    ),
    "P8": Row(
        "out of device memory",
        (
            POOL + "out_of_memory_is_tried_again_then_in_a_fresh_process_then_given_up",
            "execution/test_worker.py::test_an_error_is_described_by_a_word_a_line_and_a_traceback",
        ),
    ),
    "P9": Row("sticky device error", (POOL + "a_sticky_device_error_costs_one_process_and_no_other_request",)),
    "P10": Row(
        "useless output",
        (
            O + "an_odd_picture_is_an_edit_and_flagged",
            O + "what_is_no_picture_fails_at_once",
            O + "the_neighbours_of_useless_pictures_live",
            "models/test_models_outputs.py::test_a_model_that_computes_nan_fails_with_the_reason_and_gives_no_black_picture",
        ),
    ),
    "P11": Row(
        "edit equals source",
        (O + "flags_are_in_ledger_report_and_table_and_every_edit_is_judged", O + "equal_runs_stay_equal"),
    ),
    "P12": Row(
        "signals to the parent",
        (
            "cli/test_cli.py::test_a_signal_finishes_what_runs_and_prints_the_command_that_continues",
            R + "a_second_interrupt_stops_at_once_and_the_run_continues_to_the_same_result",
            W + "a_parent_that_was_stopped_for_a_while_kills_nobody_when_it_goes_on",
            SIGNALS + "a_hang_up_drains_and_prints_the_command_that_continues",
            SIGNALS + "a_terminal_that_is_closed_ends_the_run_in_order",
            SIGNALS + "a_run_under_nohup_does_not_hear_its_terminal_go",
        ),
    ),
    "P13": Row(
        "parent killed anywhere",
        (
            "cli/test_cli.py::test_kill_9_anywhere_then_the_same_command_gives_the_same_bytes",
            "store/test_store_kills.py::test_a_kill_at_every_call_that_touches_the_disk_is_resumed_to_the_same_result",
            "chaos/kills.py::trial",
        ),
    ),
    "P14": Row("power cut", (POWER_CUT, "chaos/powercut.py::trial")),
    "P15": Row("leaks", (W + "starting_and_ending_pools_leaves_no_descriptor_thread_or_process_behind",)),
    "D1": Row(
        "disk full",
        (
            R + "a_full_disk_in_the_middle_of_a_run_is_one_line_and_the_run_continues_afterwards",
            STORE + "a_full_disk_stops_with_one_line_and_loses_nothing",
            "cli/test_cli.py::test_a_report_that_does_not_fit_on_the_disk_is_one_line_and_exit_2",
            ROOM + "too_little_room_is_one_warning_with_the_mount_and_both_figures",
            ROOM + "on_a_real_disk_that_is_nearly_full_nothing_begins",
            ROOM + "the_estimate_is_near_to_what_a_run_takes",
        ),
    ),
    "D2": Row("EIO", ("chaos/iofaults.py::trial",)),
    "D3": Row(
        "directory cannot be written",
        (
            STORE + "without_the_right_to_write_a_run_can_be_read_but_not_continued",
            STORE + "a_directory_that_cannot_be_made_is_one_line",
            M,
        ),
    ),
    "D4": Row(
        "files lost or altered",
        (
            V + "a_damaged_image_is_made_again_and_the_run_is_what_it_was",
            V + "between_the_stages_an_altered_image_is_never_judged",
            V + "a_report_that_says_something_else_than_the_ledger_is_found_and_written_anew",
        ),
    ),
    "D5": Row(
        "two runs on one directory",
        (
            R + "a_second_run_on_the_same_directory_is_told_who_holds_it",
            STORE + "of_two_processes_one_writes_and_a_kill_frees_the_run",
        ),
    ),
    "D6": Row(
        "network file systems",
        (
            "store/test_store_mounts.py::test_the_deepest_mount_decides_the_journal",
            "store/test_store_mounts.py::test_a_ledger_on_a_network_disk_has_no_log_and_keeps_its_rows",
        ),
    ),
    "D7": Row(
        "damaged or other ledgers",
        (
            STORE + "a_damaged_ledger_is_refused_with_advice_and_left_as_it_is",
            O + "a_ledger_from_before_there_were_flags_can_be_read_and_continued",
            V + "a_row_that_belongs_to_nothing_is_told_and_never_mended",
        ),
    ),
    "D8": Row(
        "one writer",
        (
            STORE + "a_second_writer_is_told_who_the_first_is",
            "store/test_store_run.py::test_a_reader_sees_what_is_committed_while_the_writer_works",
        ),
    ),
    "D9": Row(
        "clock jumps",
        (
            R + "a_clock_that_jumps_changes_no_result_and_gives_no_negative_time",
            W + "time_that_nobody_saw_does_not_count",
        ),
    ),
    "D10": Row(
        "changed benchmark or configuration",
        (
            R + "a_benchmark_that_changed_is_another_run_and_the_old_one_stays",
            STORE + "another_run_is_refused_with_every_difference_and_nothing_else",
            "run/test_pipeline_runs.py::test_another_judge_adds_a_judging_and_edits_nothing_again",
        ),
    ),
    "D11": Row("100,000 samples", ("store/test_store_scale.py::test_100_000_samples_cost_little_time_and_memory",)),
    "I1": Row(
        "broken images",
        (
            R + "every_odd_picture_is_edited_as_it_is_seen_or_fails_alone",
            IMAGE + "a_truncated_picture_is_refused",
            IMAGE + "damaged_bytes_are_refused_or_decoded_and_nothing_else",
        ),
    ),
    "I2": Row(
        "decompression bomb",
        (IMAGE + "a_bomb_is_refused_by_its_header", R + "every_odd_picture_is_edited_as_it_is_seen_or_fails_alone"),
    ),
    "I3": Row(
        "modes, EXIF, 16 bit, animation",
        (
            R + "every_odd_picture_is_edited_as_it_is_seen_or_fails_alone",
            IMAGE + "every_exif_orientation_is_undone",
            IMAGE + "sixteen_bit_grey_is_scaled_and_not_clipped",
            IMAGE + "of_an_animation_the_first_frame_counts",
            O + "a_transparent_result_is_seen_on_white_as_every_other_picture",
        ),
    ),
    "I4": Row("nothing selected", (M,)),
    "I5": Row("duplicate ids", (M, "benchmarks/test_image_folder.py::test_all_duplicate_ids_are_listed")),
    "I6": Row(
        "paths that leave",
        (
            B + "a_path_in_a_benchmark_cannot_leave_its_folder",
            X + "file_names_come_from_hashes_and_nothing_is_written_elsewhere",
            "benchmarks/test_image_folder.py::test_a_link_that_leads_out_is_refused_and_one_that_stays_is_not",
        ),
    ),
    "I7": Row(
        "Unicode and long ids",
        (
            X + "the_hostile_run_is_complete_and_every_text_is_kept_as_it_is",
            R + "every_odd_picture_is_edited_as_it_is_seen_or_fails_alone",
            "store/test_store_run.py::test_any_id_is_safe_and_never_becomes_a_file_name",
        ),
    ),
    "I8": Row(
        "braces in templates",
        (
            "test_prompts.py::test_inserted_text_is_never_expanded_again",
            "test_prompts.py::test_other_braces_are_text_and_doubled_ones_are_single",
            M,
        ),
    ),
    "I9": Row(
        "strange instructions",
        (
            B + "no_instruction_leaves_its_field_or_adds_a_line_in_any_protocol",
            X + "the_hostile_run_is_complete_and_every_text_is_kept_as_it_is",
            CHAT + "control_tokens_in_a_prompt_are_sent_as_plain_text",
        ),
    ),
    "I10": Row(
        "malformed configuration",
        (
            M,
            "config/test_config_errors.py::test_every_mistake_is_one_line_with_its_own_line_number",
            "config/test_config_fuzz.py::test_random_bytes_never_escape_as_another_error",
        ),
    ),
    "I11": Row(
        "missing model or device",
        (
            M,
            "run/test_pipeline_runs.py::test_missing_devices_are_named_before_anything_starts",
            "run/test_pipeline_interpreters.py::test_an_interpreter_that_cannot_ask_the_hub_is_named",
            HUB + "a_judge_that_the_hub_does_not_know_costs_no_edit",
            HUB + "without_a_network_a_name_that_is_not_in_the_cache_is_refused",
            HUB + "a_model_in_the_cache_needs_no_network",
            HUB + "a_model_that_is_half_in_the_cache_is_not_there",
        ),
    ),
    "I12": Row(
        "image addresses",
        (B + "an_address_in_a_benchmark_is_never_fetched", SERVER + "an_address_elsewhere_is_never_fetched"),
    ),
    "J1": Row("replies in prose", (*REPLIES, "judges/test_reply_properties.py::test_of_two_scores_none_is_chosen")),
    "J2": Row(
        "numbers out of bounds",
        (
            *REPLIES,
            "judges/test_reply_properties.py::test_a_number_outside_of_the_range_is_never_clamped",
            "judges/test_reply_properties.py::test_a_mark_between_two_digits_does_not_make_one_number_of_two",
        ),
    ),
    "J3": Row(
        "empty, refused, cut off",
        (
            "judges/test_reply_corpus.py::test_a_reply_that_was_cut_off_never_has_a_value",
            "judges/test_reply_corpus.py::test_corpus_is_large_and_has_every_reason",
            DEGENERATE + "a_judge_that_degenerates_gets_a_fresh_process_and_what_was_unscored_stays_so",
            DEGENERATE + "if_the_fresh_process_is_degenerate_too_the_stage_stops_with_one_line",
            "models/test_judge_vlm.py::test_a_model_that_computes_nan_gives_degenerate_replies",
        ),
    ),
    "J4": Row(
        "401, 403, 404",
        (
            SERVER + "what_no_retry_can_cure_stops_after_one_call",
            CHAT + "what_no_retry_can_cure_stops_before_the_first_judgement_after_one_call",
            K + "a_wrong_key_costs_no_edit_and_is_not_shown",
        ),
    ),
    "J5": Row(
        "429 and 5xx",
        (
            SERVER + "what_passes_is_asked_again_and_costs_nothing",
            CHAT + "retry_after_is_honoured",
            CHAT + "what_passes_is_asked_again_and_costs_nothing",
        ),
    ),
    "J6": Row(
        "garbage on the wire",
        (
            SERVER + "a_useless_answer_fails_that_request_and_is_never_an_image",
            SERVER + "the_time_limit_is_for_the_whole_call",
            CHAT + "what_is_no_answer_is_unscored_with_its_reason_after_one_call",
            CHAT + "a_call_has_a_time_limit",
        ),
    ),
    "J7": Row(
        "reply lost",
        (
            "judges/test_openai_chat_runs.py::test_a_benchmark_is_judged_alike_on_one_server_and_on_two_that_stumble",
            CHAT + "all_tries_of_a_call_have_one_idempotency_key_and_no_other_call_has_it",
            SERVER + "all_tries_of_an_edit_have_one_idempotency_key_and_no_other_edit_has_it",
        ),
    ),
    "J8": Row(
        "one bad item in a batch",
        ("run/test_pipeline_inputs.py::test_a_judge_that_falls_over_one_request_leaves_its_neighbours_scored",),
    ),
    "J9": Row(
        "judge dies",
        (
            JUDGES + "a_judge_that_dies_or_hangs_costs_one_process_and_changes_no_score",
            JUDGES + "a_batch_that_kills_every_judge_fails_alone_after_three_deaths",
            JUDGES + "a_whole_run_has_the_same_bytes_with_and_without_deaths_of_its_judges",
        ),
    ),
    "J10": Row(
        "batch mixed up",
        ("execution/test_worker.py::test_what_a_judge_must_not_return_becomes_a_failure_and_the_worker_lives",),
    ),
    "J11": Row("judge not deterministic", (CHAT + "samples_can_be_asked_for_and_do_not_depend_on_their_neighbours",)),
    "R1": Row(
        "partial runs",
        (
            "stats/test_stats_summary.py::test_failed_and_unscored_samples_never_enter_a_mean_and_widen_the_bounds",
            "stats/test_stats_summary.py::test_counts_add_up_and_every_bound_holds",
            R + "a_smaller_selection_of_a_finished_run_is_reported_as_a_part_of_it",
        ),
    ),
    "R2": Row(
        "runs compared",
        (
            "stats/test_stats_compare.py::test_dropping_samples_from_either_run_lets_no_unpaired_sample_in",
            "stats/test_stats_compare.py::test_without_a_shared_sample_there_is_no_number",
            "cli/test_view_comparison.py::test_the_comparison_is_that_of_the_samples_that_both_scored",
            "viewer/test_summary.py::test_runs_that_share_no_scored_sample_are_called_not_comparable",
        ),
    ),
    "R3": Row(
        "report written twice",
        (
            "reports/test_reports_tables.py::test_samples_are_equal_for_equal_runs_whatever_they_took",
            "reports/test_reports_tables.py::test_a_failed_write_leaves_the_old_file_and_no_trace",
        ),
    ),
    "C1": Row(
        "node lost",
        (
            L + "nodes_are_killed_in_the_middle_and_the_bytes_stay_the_same",
            L + "what_a_lost_node_had_is_made_by_the_others_when_none_takes_its_place",
            L + "a_worker_that_dies_on_its_node_costs_one_process_and_the_node_stays",
        ),
    ),
    "C2": Row(
        "head lost",
        (
            "cluster/test_cluster_head.py::test_a_lost_head_ends_the_run_with_one_line_and_it_continues_without_ray",
            L + "workers_end_with_their_driver_and_processes_carry_on_without_the_cluster",
        ),
    ),
    "C3": Row(
        "zombie finishes late",
        (
            POOL + "an_image_that_was_still_on_its_way_when_a_run_ended_is_never_edited_in_the_next",
            "store/test_store_run.py::test_a_second_edit_of_one_sample_is_refused_and_leaves_the_first",
        ),
    ),
    "S1": Row(
        "markup in the report",
        (X + "the_page_has_no_element_or_attribute_from_data", X + "markdown_of_the_report_has_no_element_but_its_own"),
    ),
    "S2": Row("formulas", (X + "no_cell_of_the_table_is_a_formula_and_every_text_comes_back",)),
    "S3": Row("YAML", (M, "config/test_config_errors.py::test_alias_bomb_is_refused_before_it_goes_off")),
    "S4": Row(
        "code named in a configuration",
        (
            M,
            B + "foreign_code_of_a_finished_run_needs_consent_again",
            "test_plugins.py::test_foreign_code_is_not_imported_without_consent",
        ),
    ),
    "S5": Row(
        "code of a checkpoint",
        (
            B + "code_of_a_checkpoint_is_off_unless_a_person_pins_it",
            "editors/test_diffusion_params.py::test_remote_code_needs_a_pinned_commit",
        ),
    ),
    "S6": Row("pickle", (B + "nothing_is_unpickled_unpacked_or_handed_to_a_shell",)),
    "S7": Row("addresses in data", (B + "an_address_in_a_benchmark_is_never_fetched",)),
    "S8": Row(
        "files of this machine",
        (
            B + "a_path_in_a_benchmark_cannot_leave_its_folder",
            SERVER + "only_the_pixels_of_an_image_leave_this_machine",
            CHAT + "pictures_are_shrunk_and_only_their_pixels_leave_this_machine",
        ),
    ),
    "S9": Row(
        "secrets",
        (
            K + "a_key_that_a_server_repeats_is_in_no_file_and_no_message",
            K + "an_exception_that_quotes_a_secret_is_recorded_without_it",
            K + "a_secret_in_a_configuration_is_refused_in_one_line_that_does_not_show_it",
        ),
    ),
    "S10": Row(
        "viewer",
        (
            "viewer/test_viewer_server.py::test_it_listens_on_the_loopback_interface_only",
            "viewer/test_viewer_server.py::test_without_the_token_nothing_is_given",
            "viewer/test_viewer_server.py::test_other_names_of_this_machine_are_refused",
        ),
    ),
    "S11": Row("archives", (B + "nothing_is_unpickled_unpacked_or_handed_to_a_shell",)),
    "S12": Row("image parsers", (IMAGE + "other_formats_are_refused", IMAGE + "a_bomb_is_refused_by_its_header")),
    "S13": Row(
        "injection into judges",
        (
            B + "no_instruction_leaves_its_field_or_adds_a_line_in_any_protocol",
            CERTIFY + "a_judge_with_one_fault_fails_for_that_and_for_nothing_else",  # obeys_picture
            CERTIFY + "the_certificate_says_how_far_text_painted_into_a_picture_moves_the_score",
        ),
    ),
    "S14": Row("terminals and logs", (X + "nothing_that_is_printed_or_logged_steers_a_terminal_or_forges_a_line",)),
    "S15": Row("supply chain", (B + "every_locked_package_has_its_hashes",)),
    "S16": Row(
        "denial of wallet",
        (
            SERVER + "what_does_not_pass_is_asked_a_bounded_number_of_times",
            CHAT + "what_does_not_pass_is_unscored_after_a_bounded_number_of_calls",
            SPENDING + "a_judge_makes_as_many_calls_as_it_may_and_goes_on_when_it_may_make_more",
            SPENDING + "the_cap_is_for_all_workers_and_threads_together",
            SPENDING + "an_editor_stops_at_its_cap_and_what_is_edited_is_judged",
            SPENDING + "a_limit_in_money_is_kept_by_the_prices_and_the_tokens_used",
            SPENDING + "after_a_kill_no_call_that_was_made_is_missing_from_the_books",
        ),
    ),
    "S17": Row(
        "worker's channel, files of a run",
        (
            B + "a_worker_has_one_socket_that_nobody_else_has_and_no_address",
            B + "the_parent_and_a_stranger_share_no_socket",
            B + "a_run_directory_can_be_written_by_its_owner_alone_and_read_as_the_umask_says",
        ),
    ),
}
