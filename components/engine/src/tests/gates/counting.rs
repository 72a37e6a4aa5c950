//! What a call would affect decides whether somebody is asked, and is what they are told.

use super::*;
use crate::gate::{RiskLevel, Stakes};

/// Adds the tool `sweep`, which says of itself that it does little harm and is asked about above two `ids`.
fn sweeping(server: &str, destructive: bool) -> World {
    let world = world();
    world.tools.add("sweep", EffectClass::Idempotent, destructive);
    world.tools.more.borrow_mut().last_mut().unwrap().stakes = Stakes {
        level: Some(RiskLevel::Low),
        counted: Some("ids".into()),
        confirm_above: Some(2),
    };
    world.assistant("tasks", &format!("prompt = \"x\"\n[[tools]]\n{server}"));
    world
}

const OWN: &str = "server = \"s\"";

#[test]
fn only_a_call_that_affects_more_than_its_tool_says_is_asked_about() {
    for destructive in [false, true] {
        let world = sweeping(OWN, destructive);
        let few = world.turn(say(r#"sweep:{"n":1,"ids":["a","b"]}|done"#)).unwrap();
        assert_eq!((few.state, few.gates.len()), (TurnState::Finished, 0));
        let (_, gate) = open(&world, r#"sweep:{"n":1,"ids":["a","b","c"]}|done"#);
        assert_eq!((gate.risk_level, gate.count), (RiskLevel::Low, Some(3)));
        assert_eq!(
            gate.question, "SWEEP (ids: 3, n: 1)? This cannot be undone.",
            "{destructive}"
        );
        // Whoever does not say which may mean all.
        let (_, gate) = open(&world, r#"sweep:{"n":1}|done"#);
        assert_eq!(gate.count, None);
        assert_eq!(world.tools.called(), ["sweep"]);
        world.assert_snapshot_is_replay("s1", "tasks");
    }
}

#[test]
fn the_assistants_word_goes_before_the_number() {
    let named = sweeping(&format!("{OWN}\nconfirm = [\"sweep\"]"), false);
    assert_eq!(open(&named, r#"sweep:{"n":1,"ids":[]}"#).1.count, Some(0));
    let trusted = sweeping(&format!("{OWN}\ntrusted = [\"sweep\"]"), true);
    let turn = trusted.turn(say(r#"sweep:{"n":1,"ids":["a","b","c"]}"#)).unwrap();
    assert_eq!(turn.state, TurnState::Finished);
}

#[test]
fn what_is_counted_is_what_would_run_after_an_edit() {
    let world = sweeping(OWN, false);
    let (_, gate) = open(&world, r#"sweep:{"n":1,"ids":["a","b","c"]}|done"#);
    let edited = Decision {
        arguments: Some(json!({"n": 1, "ids": ["b"]})),
        ..approve()
    };
    assert_eq!(decide(&world, ada(), &gate, edited).unwrap().gate.count, Some(1));
    let made: Vec<_> = world
        .tools
        .arguments
        .borrow()
        .iter()
        .map(|(_, made)| made.clone())
        .collect();
    assert_eq!(made, [json!({"n": 1, "ids": ["b"]})]);
}

#[test]
fn a_server_elsewhere_is_not_believed_how_little_its_calls_matter() {
    let world = sweeping("url = \"https://mcp.example.com/mcp\"", true);
    let (_, gate) = open(&world, r#"sweep:{"n":1,"ids":["a"]}"#);
    assert_eq!((gate.risk_level, gate.count), (RiskLevel::High, None));
}

#[test]
fn an_inverse_that_says_nothing_of_itself_is_asked_about_by_what_it_affects() {
    let world = sweeping(OWN, false);
    // The inverse has no `ids`: it does not say how many things it affects.
    let inverse = ("sweep".into(), 1);
    world.tools.inverses.borrow_mut().insert("once".into(), inverse);
    for (says, state) in [(None, TurnState::Waiting), (Some(false), TurnState::Finished)] {
        world.tools.destructive.set(says);
        world.turn(say("once:1")).unwrap();
        assert_eq!(world.turn(say("undo")).unwrap().state, state);
    }
}
