//! Tool calls: order, bounds, arguments, and what a call that may have run means.

use super::world::*;
use crate::journal::FailureKind;
use crate::port::*;
use crate::turn::*;
use serde_json::json;

fn results(turn: &Turn) -> Vec<(bool, String)> {
    turn.tool_calls
        .iter()
        .map(|call| (call.is_error, call.result.as_str().unwrap_or_default().to_owned()))
        .collect()
}

#[test]
fn calls_that_only_read_run_at_the_same_time() {
    let world = World::new();
    world.turn(say("read:1 read:2 read:3")).unwrap();
    assert_eq!(world.tools.under_way.get().1, 3);
}

#[test]
fn calls_run_in_their_order_if_one_may_change_something() {
    let world = World::new();
    world.turn(say("read:1 once:2 read:3")).unwrap();
    assert_eq!(world.tools.under_way.get().1, 1);
    let called: Vec<String> = world
        .tools
        .calls
        .borrow()
        .iter()
        .map(|(tool, _)| tool.clone())
        .collect();
    assert_eq!(called, ["read", "once", "read"]);
}

#[test]
fn wrong_calls_go_back_to_the_model_and_reach_no_tool() {
    let world = World::new();
    let turn = world.turn(say("read:x once:2000 dance:1|mended")).unwrap();
    assert_eq!(turn.message.content, "mended");
    let [json, range, unknown] = &results(&turn)[..] else {
        panic!()
    };
    assert!(
        json.0 && json.1.starts_with("The arguments are not JSON"),
        "{json:?}"
    );
    assert!(
        range.0 && range.1.contains("n must be at most 1000, not 2000"),
        "{range:?}"
    );
    assert!(
        unknown.0 && unknown.1.contains("There are: read, once, sure, risky."),
        "{unknown:?}"
    );
    assert!(world.tools.calls.borrow().is_empty());
    assert_eq!(turn.tool_calls[0].arguments, json!("x"));
    // Nothing ran, so there was nothing to make durable in between but what the model was told.
    assert_eq!(
        world
            .records("s1")
            .iter()
            .filter(|name| **name == "tool-intended")
            .count(),
        0
    );
}

#[test]
fn a_turn_is_bounded_in_steps() {
    let world = World::new();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[limits]\nsteps = 3\n[[tools]]\nserver = \"s\"",
    );
    // The scripted model obeys when it gets no tools: its third answer is text.
    let turn = world.turn(say("read:1|read:2|read:3|read:4")).unwrap();
    assert_eq!(turn.tool_calls.len(), 2);
    assert_eq!(turn.message.content, "read:3");
    let allowed: Vec<bool> = world
        .model
        .requests
        .borrow()
        .iter()
        .map(|request| request.tools_allowed)
        .collect();
    assert_eq!(allowed, [true, true, false]);
}

#[test]
fn a_turn_is_bounded_in_calls() {
    let world = World::new();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[limits]\ntool_calls = 2\n[[tools]]\nserver = \"s\"",
    );
    let turn = world.turn(say("read:1 read:2 read:3|read:4|end")).unwrap();
    assert_eq!(world.tools.calls.borrow().len(), 2);
    assert!(results(&turn)[2].1.contains("limit"));
    assert_eq!(turn.message.content, "read:4");
}

#[test]
fn an_assistant_with_one_step_never_offers_its_tools() {
    let world = World::new();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[limits]\nsteps = 1\n[[tools]]\nserver = \"s\"",
    );
    assert_eq!(world.turn(say("read:1")).unwrap().message.content, "read:1");
}

#[test]
fn every_try_of_a_call_has_the_same_key_and_no_other_call_has_it() {
    let world = World::new();
    let unknown = || (true, ToolError::Unknown("timed out".into()));
    world.tools.failures.borrow_mut().extend([unknown(), unknown()]);
    let turn = world.turn(say("once:1 once:2")).unwrap();
    assert!(turn.tool_calls.iter().all(|call| !call.is_error));
    let calls = world.tools.calls.borrow();
    let keys: Vec<&str> = calls.iter().map(|(_, key)| key.as_str()).collect();
    let (first, second) = (
        format!("{}/tool/0/0", turn.turn),
        format!("{}/tool/0/1", turn.turn),
    );
    assert_eq!(keys, [&first, &first, &first, &second]);
    assert!(world.tools.effects.borrow().values().all(|effects| *effects == 1));
}

#[test]
fn an_unprotected_call_without_an_answer_is_never_repeated() {
    let world = World::new();
    world
        .tools
        .failures
        .borrow_mut()
        .push_back((true, ToolError::Unknown("timed out".into())));
    let turn = world.turn(say("risky:1|sorry")).unwrap();
    assert_eq!(world.tools.calls.borrow().len(), 1);
    assert!(turn.tool_calls[0].is_error);
    assert!(
        results(&turn)[0]
            .1
            .contains("unknown whether this call took effect (timed out)")
    );
    let request = world.model.requests.borrow().last().unwrap().clone();
    let Some(Part::ToolResult(told)) = request.messages.last().unwrap().parts.first() else {
        panic!()
    };
    assert!(told.is_error && told.content.contains("Tell the user"));
}

#[test]
fn a_check_settles_a_call_that_broke_off_only_when_it_cannot_take_effect_any_more() {
    let world = World::new();
    let broke_off = (false, ToolError::Unknown("connection reset".into()));
    world.tools.failures.borrow_mut().push_back(broke_off);
    let turn = world.turn(say("sure:1")).unwrap();
    assert_eq!(results(&turn), [(false, "sure 1 is done".into())]);
    assert_eq!(world.tools.checks.borrow().len(), 1);
    // The last moment of a call is that of the lease that it was made under.
    assert!(
        world.elapsed() >= 3_000,
        "{} ms after a call under a lease of 3 s",
        world.elapsed()
    );
}

#[test]
fn a_call_that_did_not_run_is_said_to_have_not() {
    let world = World::new();
    world
        .tools
        .failures
        .borrow_mut()
        .push_back((false, ToolError::NotRun("refused".into())));
    let turn = world.turn(say("risky:1")).unwrap();
    assert_eq!(
        results(&turn),
        [(true, "The tool could not be called: refused".into())]
    );
}

#[test]
fn a_read_that_never_answers_is_given_up_without_harm() {
    let world = World::new();
    let unknown = || (false, ToolError::Unknown("timed out".into()));
    world
        .tools
        .failures
        .borrow_mut()
        .extend([unknown(), unknown(), unknown()]);
    let turn = world.turn(say("read:1")).unwrap();
    assert_eq!(
        results(&turn),
        [(true, "The tool did not answer: timed out".into())]
    );
    assert_eq!(turn.state, TurnState::Finished);
}

#[test]
fn a_long_result_is_cut() {
    let world = World::new();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[limits]\ntool_result_chars = 100\n[[tools]]\nserver = \"s\"",
    );
    let structured = Some(json!({ "all": "y".repeat(1000) }));
    let outcome = ToolOutcome {
        content: "ü".repeat(5000),
        structured,
        ..ToolOutcome::default()
    };
    world.tools.answer.replace(Some(outcome));
    let turn = world.turn(say("read:1")).unwrap();
    let result = &results(&turn)[0].1;
    assert!(result.starts_with(&"ü".repeat(100)) && result.ends_with("cut off)"));
    assert!(result.chars().count() < 150);
}

#[test]
fn a_server_that_cannot_say_what_it_offers_fails_the_turn_before_the_model_is_asked() {
    let world = World::new();
    world.tools.unlisted.set(true);
    let turn = world.turn(say_once("k", "read:1")).unwrap();
    let error = turn.error.unwrap();
    assert_eq!(
        (error.kind, error.retryable),
        (FailureKind::ToolsUnavailable, true)
    );
    assert!(error.message.contains("“s”") && error.message.contains("connection refused"));
    assert!(world.model.requests.borrow().is_empty());
    world.tools.unlisted.set(false);
    assert_eq!(
        world.turn(say_once("k", "read:1")).unwrap().state,
        TurnState::Finished
    );
}

#[test]
fn servers_elsewhere_are_not_told_who_is_asking_unless_they_may_know() {
    let world = World::new();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[[tools]]\nurl = \"https://mcp.example.com/mcp\"",
    );
    world.turn(say("read:1")).unwrap();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[[tools]]\nurl = \"https://mcp.example.com/mcp\"\nforward_user = true",
    );
    world.turn(say("read:1")).unwrap();
    world.assistant("tasks", "prompt = \"x\"\n[[tools]]\nserver = \"s\"");
    world.turn(say("read:1")).unwrap();
    let users: Vec<String> = world
        .tools
        .callers
        .borrow()
        .iter()
        .map(|caller| caller.user.clone())
        .collect();
    assert_eq!(users, ["", "ada", "ada"]);
    let callers = world.tools.callers.borrow();
    assert_eq!(
        (callers[0].session.as_str(), callers[2].session.as_str()),
        ("", "s1")
    );
}

#[test]
fn tools_are_chosen_by_name_and_told_apart() {
    let world = World::new();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[[tools]]\nserver = \"a\"\nexclude = [\"risky\"]\n[[tools]]\nserver = \"b\"\ninclude = [\"read\", \"risky\"]",
    );
    let turn = world.turn(say("b__read:1|risky:2|once:3")).unwrap();
    let names: Vec<String> = world.model.requests.borrow()[0]
        .tools
        .iter()
        .map(|tool| tool.name.clone())
        .collect();
    assert_eq!(names, ["read", "once", "sure", "b__read", "risky"]);
    let servers: Vec<&str> = turn.tool_calls.iter().map(|call| call.server.as_str()).collect();
    assert_eq!(servers, ["b", "b", "a"]);
}

#[test]
fn a_slow_list_of_tools_costs_no_lease_and_delays_no_refusal() {
    let world = World::new();
    world.tools.slow.replace(Some((world.clock().clone(), 20_000)));
    assert_eq!(world.turn(say("read:1")).unwrap().state, TurnState::Finished);
    let began = world.clock().now();
    let missing = SessionTarget::Existing { id: "s2".into() };
    let refused = world.turn(TurnRequest {
        session: missing,
        ..say("hello")
    });
    assert_eq!(
        (refused, world.clock().now()),
        (Err(TurnError::UnknownSession), began)
    );
}
