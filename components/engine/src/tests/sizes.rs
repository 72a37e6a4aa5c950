//! What is too large for one write, and what is too large at all.

use super::world::*;
use crate::journal::{FailureKind, Record};
use crate::port::*;
use crate::turn::*;
use anyturn_state::memory::Fault;
use serde_json::json;

/// A world in which every tool answers with so many bytes.
fn world(bytes: usize) -> World {
    let world = World::lasting();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[session]\nttl = \"24h\"\n[limits]\ntool_result_chars = 200000\n[[tools]]\nserver = \"s\"",
    );
    world.tools.answer.replace(Some(ToolOutcome {
        content: "much".into(),
        structured: Some(json!({ "all": "y".repeat(bytes) })),
        ..ToolOutcome::default()
    }));
    world
}

const READS: &str = "read:1 read:2 read:3 read:4 read:5 read:6|done";

#[test]
fn answers_that_do_not_fit_into_one_commit_are_written_in_several() {
    let world = world(760_000);
    let (turn, heard) = world.turn_with_events(say(READS));
    let turn = turn.unwrap();
    assert_eq!(turn.state, TurnState::Finished);
    assert!(turn.tool_calls.iter().all(|call| call.result["all"].is_string()));
    let finished = |world: &World| {
        world
            .records("s1")
            .iter()
            .filter(|name| **name == "tool-finished")
            .count()
    };
    assert_eq!(finished(&world), 6);
    assert_heard(&heard, &[]);
    // Whoever listens later hears the same, but for what is too large for the log as well.
    let (again, later) = world.attach(&turn.turn, None);
    assert_eq!(again.unwrap(), turn);
    assert_eq!(names(&later), names(&heard));
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn a_crash_or_a_fault_between_the_commits_of_one_write_loses_nothing() {
    let mut taken_over = 0;
    for polls in (3..60).step_by(6) {
        let world = world(760_000);
        let mut tasks = Tasks::default();
        let (task, _) = start(&world, &mut tasks, say_once("k", READS));
        (0..polls).for_each(|_| {
            tasks.poll(task);
        });
        taken_over += usize::from(tasks.crash(task));
        let turn = world.turn(say_once("k", READS)).unwrap();
        assert_eq!((turn.state, turn.tool_calls.len()), (TurnState::Finished, 6));
        assert!(turn.tool_calls.iter().all(|call| !call.is_error));
        assert_heard(&world.attach(&turn.turn, None).1, &[]);
    }
    assert!(taken_over > 3);
    for at in 4..10 {
        for fault in [Fault::Before, Fault::After] {
            let world = world(760_000);
            world
                .store
                .on_operation(move |operation| (operation.number == at).then_some(fault));
            // Where it fails, the client comes back.
            let turn = world.turn(say_once("k", READS)).or_else(|_| {
                world.clock().advance(3_000);
                world.turn(say_once("k", READS))
            });
            world.store.heal();
            assert_eq!(turn.unwrap().state, TurnState::Finished, "{at} {fault:?}");
            let records = world.records("s1");
            let finished = records.iter().filter(|name| **name == "tool-finished");
            assert_eq!(finished.count(), 6, "{at} {fault:?}");
        }
    }
}

#[test]
fn an_answer_that_is_too_large_for_an_entry_ends_the_turn_and_says_so() {
    let world = World::lasting();
    let turn = world.turn(say("long:1100000")).unwrap();
    let error = turn.error.clone().unwrap();
    assert_eq!((error.kind, error.retryable), (FailureKind::TooLarge, false));
    assert_eq!(error.message, "an answer is larger than the store takes");
    // The conversation goes on.
    assert_eq!(world.turn(say("hello")).unwrap().message.content, "hello");
    let failed = |entry: &crate::journal::Entry| matches!(entry.what, Record::TurnFailed { .. });
    assert_eq!(
        world.journal("s1").iter().filter(|entry| failed(entry)).count(),
        1
    );
}
