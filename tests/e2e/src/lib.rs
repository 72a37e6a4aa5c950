//! What the public API promises, checked from outside: against our host, against Spin, against any deployment.
//!
//! A promise is an async function in [`promises`] that is given a [`Visit`] and panics when it is broken. The list
//! below is the only one: the program `anyturn-e2e` (`cargo xtask e2e`) runs it against a base URL and reports,
//! and `cargo xtask test` has one test for each promise, against the real host.
//!
//! Every JSON answer on the way is also held to the deployment's own `/openapi.json` ([`description`]).
//!
//! A deployment may be somebody's: a visit has a user of its own, tells its data from others' by a word that
//! nothing else contains, and deletes what it made. Nothing is killed and nothing is reconfigured. What a promise
//! needs beyond a base URL (a second identity, a model that can be held) and does not get makes it skipped, with
//! the reason, never passed.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::FutureExt as _;

pub mod description;
pub mod home;
pub mod promises;
pub mod site;
pub mod visit;

pub use site::{Credentials, Site};
pub use visit::Visit;

/// Why a promise could not be checked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped(pub String);

/// What comes of a promise that is not broken: kept, or not checked.
pub type Verdict = Result<(), Skipped>;

#[doc(hidden)]
#[macro_export]
macro_rules! __promises {
    ($then:ident, $($argument:tt)*) => {
        $crate::$then! {
            [$($argument)*]

            talking::a_todo_list_is_managed_by_talking_and_seen_through_rest
            talking::a_task_made_through_rest_is_known_in_the_conversation
            talking::assistants_and_models_are_listed

            tasks::a_task_through_rest_is_made_read_changed_completed_and_deleted
            tasks::a_change_on_an_old_version_is_refused
            tasks::a_change_under_the_same_key_takes_effect_once
            tasks::a_list_of_tasks_is_filtered_and_paged
            tasks::a_wrong_task_is_told_by_field

            turns::a_turn_answers_with_all_that_came_of_it
            turns::the_same_key_is_the_same_turn
            turns::a_key_that_came_with_another_request_is_refused
            turns::sessions_are_listed_read_and_deleted
            turns::a_session_is_read_page_by_page
            turns::twenty_sessions_at_the_same_time_do_not_mix

            streams::a_turn_is_streamed_as_it_happens
            streams::a_stream_goes_on_after_any_event_without_a_gap_or_a_repeat
            streams::the_same_key_streams_the_same_turn_again
            streams::one_connection_serves_stream_after_stream

            gates::what_destroys_something_waits_for_a_yes
            gates::a_no_in_words_leaves_everything_as_it_was
            gates::another_message_leaves_the_gate_open
            gates::a_gate_is_decided_by_request_once
            gates::what_is_approved_may_be_edited_and_that_is_what_runs
            gates::always_is_not_asked_again_in_the_session
            gates::the_audit_tells_who_decided_what

            approvals::an_approval_takes_somebody_else_with_the_role
            approvals::nobody_sees_anothers_session_or_tasks

            undo::what_was_done_is_undone_once
            undo::undo_by_words_takes_back_at_once_what_was_just_made
            undo::where_there_is_nothing_to_undo_that_is_said

            forks::an_edited_message_begins_another_session_and_leaves_the_old_one
            forks::the_same_key_forks_once

            busy::a_second_message_is_rejected_while_a_turn_runs
            busy::a_second_message_waits_where_it_is_told_to
            busy::a_second_message_interrupts_where_it_is_told_to
            busy::a_second_message_rolls_back_where_it_is_told_to
            busy::a_turn_is_stopped_and_what_it_said_stands
            busy::a_finished_turn_cannot_be_stopped
            busy::a_second_listener_hears_the_same_turn_while_it_runs
            busy::a_client_that_leaves_does_not_stop_its_turn

            openai::a_completion_has_openais_shape
            openai::a_streamed_completion_ends_with_its_usage_and_done
            openai::a_named_conversation_is_remembered
            openai::errors_have_openais_shape
            openai::the_official_python_client_works_unmodified

            app::an_app_talks_reads_its_session_and_forgets_it
            app::an_app_hears_its_answer_as_events_and_again_from_any_of_them
            app::an_app_is_told_what_is_wrong_in_its_own_shape

            errors::unknown_things_are_named
            errors::a_wrong_method_is_told_the_right_ones
            errors::a_body_that_is_wrong_is_told_where
            errors::a_message_over_the_assistants_limit_is_refused_with_the_limit
            errors::a_body_over_a_megabyte_is_refused
            errors::a_body_that_is_not_json_is_refused
            errors::every_answer_names_its_request

            contract::the_description_is_valid_openapi
            contract::every_documented_operation_answers_as_documented

            pages::the_chat_page_lets_nothing_foreign_in
            pages::every_file_of_the_page_is_served_and_not_sent_twice
            pages::the_documentation_and_the_health_page_are_there

            access::without_credentials_nobody_gets_in
            access::wrong_credentials_are_refused
            access::a_header_does_not_make_somebody_else_of_me
            access::a_page_of_another_origin_is_refused
            access::a_page_of_a_listed_origin_may_read_the_answers
            access::answers_say_how_many_requests_are_left
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __promise_names {
    ([] $($module:ident :: $promise:ident)*) => { &[$(stringify!($promise)),*] };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __promise_dispatch {
    ([$name:ident $visit:ident] $($module:ident :: $promise:ident)*) => {
        match $name {
            // Boxed, or this function's future would be as large as the largest of them all.
            $(stringify!($promise) => Box::pin(promises::$module::$promise($visit)).await,)*
            unknown => panic!("there is no promise called {unknown:?}"),
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __promise_functions {
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
macro_rules! promise_tests {
    ($run:path) => {
        $crate::__promises! { __promise_functions, $run }
    };
}

/// The names of all promises.
pub const PROMISES: &[&str] = __promises!(__promise_names,);

/// Checks one promise, and deletes what was made for it, kept or not.
///
/// # Panics
///
/// When it is broken, or when there is no promise of this name.
pub async fn check(promise: &str, visit: Visit) -> Verdict {
    let outcome = AssertUnwindSafe(dispatch(promise, &visit)).catch_unwind().await;
    match outcome {
        Ok(verdict) => {
            visit.tidy().await;
            verdict
        }
        Err(broken) => {
            // Why it is broken is what has to be told, whatever else is.
            let _ = AssertUnwindSafe(visit.tidy()).catch_unwind().await;
            resume_unwind(broken)
        }
    }
}

async fn dispatch(promise: &str, visit: &Visit) -> Verdict {
    __promises!(__promise_dispatch, promise visit)
}
