//! The promises of `wit/state/state.wit` as tests that run against any store.
//!
//! Each promise is an async function over a [`Fixture`], which gives it the store and a clock. A store's test file
//! turns each of them into a `#[test]`, as this crate's own `tests/memory.rs` does:
//!
//! ```text
//! fn run(promise: &str) {
//!     block_on(async { anyturn_state::conformance::check(promise, &MyFixture::new().await).await })
//! }
//! anyturn_state::conformance_tests!(run);
//! ```
//!
//! Where there is no test harness (within a component), go through [`PROMISES`] with [`check`]. A broken promise
//! panics with what was found.
//!
//! Promises about time neither sleep for luck nor fail on a slow machine: "not early" is asserted only where the
//! clock proves that the time has not come, "at most one second late" after waiting for exactly that.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this module is a test suite: panicking is how a test fails"
)]

mod clock;
mod commits;
mod concurrency;
mod counters;
mod dead_letters;
mod documents;
mod expiry;
mod indexes;
mod journals;
mod leases;
mod limits;
mod queues;
mod trial;
mod watching;

use crate::port::{Queue, Store};
use trial::Trial;

/// What the suite needs to know about a store.
#[allow(async_fn_in_trait)]
pub trait Fixture {
    /// The store.
    type Store: Store + Queue;

    /// The store under test.
    fn store(&self) -> &Self::Store;

    /// The same store bound to another namespace, where the test can have one.
    fn neighbour(&self) -> Option<&Self::Store>;

    /// Part of a scope's name that no other run against the same store has used.
    fn unique(&self) -> String;

    /// Milliseconds since any fixed moment, on a clock that runs like the store's and never backwards.
    fn now(&self) -> u64;

    /// Lets so many milliseconds pass for the store: waits, or moves a manual clock after having let other tasks
    /// run.
    async fn sleep(&self, milliseconds: u64);
}

/// Calls a macro of this crate with its arguments in brackets and then with every promise.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_promises {
    ($then:ident, $($argument:tt)*) => {
        $crate::$then! {
            [$($argument)*]

            commits::a_commit_with_a_failed_condition_leaves_nothing
            commits::a_commit_with_an_invalid_write_leaves_nothing
            commits::each_write_sees_the_ones_before_it
            commits::the_first_failed_condition_is_the_one_reported
            commits::results_come_in_the_order_of_writes_and_queries
            commits::queries_of_a_commit_see_its_writes
            commits::queries_of_a_commit_see_what_it_changed_of_what_was_there
            commits::queries_of_a_failed_commit_change_nothing
            commits::a_name_of_one_kind_says_nothing_about_another_kind
            commits::scopes_share_nothing
            commits::namespaces_share_nothing

            concurrency::puts_on_an_exact_version_lose_no_update
            concurrency::additions_to_a_counter_lose_nothing
            concurrency::appends_on_an_exact_length_take_every_position_once
            concurrency::a_lease_has_one_winner
            concurrency::a_read_is_as_of_one_moment

            documents::a_document_that_was_never_put_is_none
            documents::versions_start_at_1_and_grow_by_1_with_every_put
            documents::a_document_keeps_any_bytes
            documents::a_document_is_the_same_whatever_its_size
            documents::puts_of_one_commit_leave_the_last_value_whatever_their_sizes
            documents::put_if_absent_refuses_a_document_that_is_there
            documents::put_if_present_refuses_a_document_that_is_not_there
            documents::put_if_exactly_refuses_every_other_version
            documents::delete_obeys_its_condition
            documents::deleting_without_a_condition_always_succeeds
            documents::a_deleted_document_starts_over_at_version_1

            journals::entries_take_the_positions_0_1_2
            journals::a_journal_keeps_any_bytes
            journals::append_if_exactly_refuses_every_other_length
            journals::exactly_0_means_that_the_journal_does_not_exist
            journals::append_if_at_least_refuses_a_shorter_journal
            journals::an_append_of_no_entries_is_a_condition_only
            journals::a_slice_begins_at_an_absolute_position
            journals::a_slice_begins_at_the_checkpoint
            journals::a_slice_holds_the_last_entries_or_all_if_there_are_fewer
            journals::a_limit_of_0_tells_the_length_only
            journals::a_journal_that_does_not_exist_is_empty
            journals::a_long_journal_is_read_in_pages_without_gaps
            journals::a_checkpoint_may_be_set_up_to_the_length_within_the_commit
            journals::a_checkpoint_past_the_end_is_invalid
            journals::a_deleted_journal_takes_its_checkpoint_along_and_starts_over

            counters::a_counter_that_does_not_exist_is_0_without_a_time_to_live
            counters::a_counter_adds_up_and_tells_its_value
            counters::a_window_begins_with_the_first_addition_only
            counters::a_counter_without_a_window_does_not_get_one
            counters::a_counter_reaches_the_edge_of_its_range_and_not_beyond
            counters::an_addition_is_the_same_wherever_it_stands_in_a_commit
            counters::an_addition_beyond_the_range_takes_its_commit_along

            indexes::members_come_by_score_then_by_bytes
            indexes::descending_reverses_scores_and_ties
            indexes::bounds_are_inclusive
            indexes::bounds_beyond_the_range_of_scores_exclude_nothing
            indexes::offset_and_limit_choose_a_page
            indexes::a_put_replaces_score_and_value
            indexes::a_put_without_a_value_leaves_none
            indexes::only_existing_changes_members_but_adds_none
            indexes::only_existing_replaces_a_value_where_the_score_stays
            indexes::a_removed_member_is_gone_and_removing_nothing_succeeds
            indexes::trim_removes_what_is_below_the_limit_only
            indexes::an_index_that_does_not_exist_has_no_members

            leases::a_lease_that_was_never_acquired_has_epoch_0
            leases::an_acquired_lease_tells_holder_epoch_and_remaining_time
            leases::another_holder_is_refused_and_told_who_holds_it
            leases::the_same_holder_acquires_again_with_the_next_epoch
            leases::hold_requires_the_present_epoch
            leases::hold_prolongs_only_when_told_to
            leases::release_requires_the_present_epoch
            leases::a_released_lease_is_free_and_its_epoch_goes_on
            leases::an_expired_lease_is_free_and_its_epoch_goes_on
            leases::an_expired_lease_is_not_held
            leases::a_stale_epoch_writes_nothing

            leases::a_grant_names_the_last_moment_at_which_the_lease_is_held
            leases::a_hold_tells_the_same_moment_until_it_sets_another

            clock::a_moment_that_has_not_passed_refuses_nothing
            clock::a_moment_that_has_passed_refuses_the_whole_commit_and_tells_the_time
            clock::each_moment_holds_up_to_and_including_itself
            clock::scopes_and_namespaces_share_one_clock
            clock::no_effect_gets_in_once_its_lease_has_another_holder

            expiry::a_document_expires_in_time
            expiry::a_journal_expires_in_time_with_its_checkpoint
            expiry::a_counter_expires_in_time
            expiry::a_lease_expires_in_time
            expiry::a_put_without_a_time_to_live_leaves_the_present_one
            expiry::an_append_without_a_time_to_live_leaves_the_present_one
            expiry::a_new_time_to_live_replaces_the_present_one
            expiry::what_has_expired_is_as_if_it_had_never_existed
            expiry::a_deleted_thing_leaves_no_time_to_live_behind

            limits::a_scope_has_1_to_512_bytes
            limits::a_name_has_1_to_256_bytes
            limits::names_are_made_of_the_listed_characters_only
            limits::a_value_has_at_most_1_mebibyte
            limits::an_operation_has_at_most_128_items
            limits::a_commit_has_at_most_4_mebibytes
            limits::the_value_of_a_member_has_at_most_4_kibibytes
            limits::a_holder_has_1_to_128_bytes
            limits::a_lease_lives_for_more_than_0_milliseconds
            limits::scores_lie_within_53_bits
            limits::positions_lie_within_53_bits
            limits::moments_lie_within_53_bits
            limits::a_watch_lasts_at_most_30_seconds
            limits::a_job_has_an_id_of_1_to_256_bytes_and_at_least_1_attempt

            watching::a_watch_returns_at_once_what_is_there
            watching::a_watch_wakes_when_an_entry_is_appended
            watching::a_watch_wakes_when_its_journal_comes_into_being
            watching::a_watch_that_times_out_returns_an_empty_slice
            watching::a_watch_waits_for_its_own_start
            watching::a_watch_returns_at_most_its_limit
            watching::all_watchers_of_a_journal_wake
            watching::a_watch_sees_its_own_journal_only
            watching::concurrent_appends_reach_a_watcher_in_order_each_once

            queues::a_job_is_given_out_once_and_then_hidden
            queues::an_id_is_taken_while_its_job_is_waiting_running_or_dead
            queues::an_id_stays_taken_for_as_long_as_it_is_remembered
            queues::an_id_that_is_not_remembered_is_free_at_once
            queues::a_refused_job_changes_nothing
            queues::a_delayed_job_is_not_given_out_early
            queues::jobs_come_earliest_first
            queues::a_claim_gives_out_at_most_its_limit
            queues::a_claim_that_runs_out_is_given_out_again
            queues::a_receipt_of_an_earlier_claim_is_worth_nothing
            queues::extend_prolongs_a_claim
            queues::an_acknowledged_job_is_gone
            queues::a_retried_job_comes_back_after_its_delay
            queues::concurrent_claims_give_each_job_to_one_worker
            queues::concurrent_enqueues_of_one_id_add_one_job
            queues::queues_and_scopes_share_nothing

            dead_letters::a_job_whose_attempts_are_used_up_by_retries_dies_with_its_last_reason
            dead_letters::a_job_whose_claims_all_ran_out_dies_at_the_next_claim
            dead_letters::dead_letters_come_latest_first_in_pages
            dead_letters::a_replayed_job_has_its_attempts_back
            dead_letters::only_a_dead_letter_can_be_replayed
            dead_letters::depth_tells_due_delayed_running_and_dead
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_names {
    ([] $($module:ident :: $promise:ident)*) => { &[$(stringify!($promise)),*] };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_dispatch {
    ([$name:ident $trial:ident] $($module:ident :: $promise:ident)*) => {
        match $name {
            // Boxed, or this function's future would be as large as the largest of them all.
            $(stringify!($promise) => Box::pin($module::$promise(&$trial)).await,)*
            unknown => panic!("there is no promise called {unknown:?}"),
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_functions {
    ([$run:path] $($module:ident :: $promise:ident)*) => {
        $(
            #[test]
            fn $promise() {
                $run(stringify!($promise))
            }
        )*
    };
}

/// Writes one `#[test]` for each promise, which calls the function given with the promise's name.
#[macro_export]
macro_rules! conformance_tests {
    ($run:path) => {
        $crate::__conformance_promises! { __conformance_functions, $run }
    };
}

/// The names of all promises.
pub const PROMISES: &[&str] = __conformance_promises!(__conformance_names,);

/// Checks one promise.
///
/// # Panics
///
/// When the store breaks it, or when there is no promise of this name.
pub async fn check<F: Fixture>(promise: &str, fixture: &F) {
    let trial = Trial::new(promise, fixture);
    __conformance_promises!(__conformance_dispatch, promise trial)
}
