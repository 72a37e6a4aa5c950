//! What an agent may not do by itself: the reply asks, and "yes" in the next turn does exactly that.

use super::*;
use crate::gate::GateState;
use crate::session::Page;

/// A world in which `erase` may destroy something.
fn world() -> World {
    let world = lasting();
    world.tools.add("erase", EffectClass::Idempotent, true);
    world
}

const ERASE: &str = "email read:1|I found one, shall I erase it? erase:2|erased it ;calendar read:3|free";

#[test]
fn yes_does_exactly_what_was_asked_about_and_then_there_is_a_reply() {
    let world = world();
    let (turn, events) = world.turn_with_events(say(ERASE));
    let turn = turn.unwrap();
    assert_eq!(
        (turn.state, turn.message.content.as_str()),
        (TurnState::Waiting, "I need a yes")
    );
    assert_heard(&events, &[]);
    assert!(stages(&events).contains(&"working email waiting".to_owned()));
    // What does not need it was done meanwhile, and the question says what would happen.
    assert_eq!(world.tools.called(), ["read", "read"]);
    let question = asked(&world, "update").remove(0);
    assert!(
        question.contains("Answer: I found one, shall I erase it?\nWaits for the user's yes or no: ERASE. This cannot be undone."),
        "{question}"
    );
    assert!(!world.model.requests.borrow().last().unwrap().tools_allowed);

    let (yes, events) = world.turn_with_events(say("yes"));
    let yes = yes.unwrap();
    assert_eq!(yes.turn, turn.turn);
    assert_eq!(
        (yes.state, yes.message.content.as_str()),
        (TurnState::Finished, "I need a yes\n\nall done")
    );
    assert_eq!(world.tools.called(), ["read", "read", "erase"]);
    assert_eq!(world.tools.arguments.borrow()[2].1, json!({"n": 2}));
    assert_eq!(streamed(&events), yes.message.content);
    assert!(
        turn.message.asks && !yes.message.asks,
        "the reply was the question"
    );
    assert_eq!(
        yes.message.since_decision.as_deref(),
        Some("all done"),
        "what the user has not been told before"
    );
    let report = asked(&world, "update").pop().unwrap();
    assert!(
        report.contains("Answer: erased it\n\n2. calendar: read:3|free\nAnswer: free"),
        "{report}"
    );
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn an_agent_that_asks_without_a_word_is_asked_for_one() {
    let world = world();
    let turn = world.turn(say("email erase:2|erased it")).unwrap();
    assert_eq!(turn.state, TurnState::Waiting);
    assert_eq!(
        steps(&world)[1..],
        ["email/0/interpret", "email/0/waiting/0", "update/0/waiting/0"]
    );
    // What it said then does not stand between the call and its result.
    world.turn(say("yes")).unwrap();
    let requests = world.model.requests.borrow();
    let last = requests
        .iter()
        .rfind(|request| request.purpose == "reassess")
        .unwrap();
    let roles: Vec<Role> = last.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::Tool]);
}

#[test]
fn no_drops_it() {
    let world = world();
    world.turn(say(ERASE)).unwrap();
    let no = world.turn(say("no")).unwrap();
    assert_eq!(
        (no.state, no.gates[0].state),
        (TurnState::Finished, GateState::Denied)
    );
    assert_eq!(world.tools.called(), ["read", "read"]);
    assert!(no.message.content.ends_with("all done"));
}

#[test]
fn anything_else_is_a_new_message_and_what_waits_stays() {
    let world = world();
    let waits = world.turn(say(ERASE)).unwrap();
    let other = world.turn(say("calendar read:4|free")).unwrap();
    assert_ne!(other.turn, waits.turn);
    assert_eq!(other.message.content, "all done");
    let session = world
        .run(world.engine().session("ada", "s1", Page::default()))
        .unwrap()
        .unwrap();
    assert_eq!(session.gates[0].state, GateState::Open);
    let state = session.state.unwrap();
    let email = state.agents.iter().find(|agent| agent.agent == "email").unwrap();
    assert_eq!(email.pending_action.as_ref(), Some(&session.gates[0]));
    // The model of the other message knows of it, in words.
    let requests = world.model.requests.borrow();
    let understand = requests
        .iter()
        .rfind(|request| request.purpose == "understand")
        .unwrap();
    let history: Vec<String> = understand.messages.iter().map(text).collect();
    assert!(
        history
            .iter()
            .any(|said| said.contains("This has not been done yet; it takes a decision: ERASE"))
    );
}

#[test]
fn what_was_done_can_be_undone() {
    let world = lasting();
    world.turn(say("email once:1|wrote it")).unwrap();
    let undone = world.turn(say("undo")).unwrap();
    assert_eq!(undone.state, TurnState::Finished);
    assert_eq!(undone.undo.unwrap().items.len(), 1);
    assert_eq!(world.tools.arguments.borrow()[1].1, json!({"n": 101}));
    assert_eq!(purposes(&world).len(), 4);
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn what_was_said_since_a_decision_is_told_the_same_at_once_and_later() {
    let world = world();
    world.turn(say(ERASE)).unwrap();
    let told = world.turn(say_once("y", "yes")).unwrap();
    assert_eq!(told.message.since_decision.as_deref(), Some("all done"));
    let report = || world.run(world.engine().report("ada", "s1", &told.turn)).unwrap();
    assert_eq!(report().message, told.message);
    assert_eq!(world.turn(say_once("y", "yes")).unwrap().message, told.message);
    world.turn(say("calendar read:4|free")).unwrap();
    world.turn(say(ERASE)).unwrap();
    assert_eq!(report().message, told.message);
    // The log of its events has expired.
    world.clock().advance(11 * 60 * 1000);
    assert_eq!(report().message, told.message);
    assert_eq!(world.turn(say_once("y", "yes")).unwrap().message, told.message);
}
