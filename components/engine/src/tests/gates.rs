//! Gates: what waits, who decides, and that what was decided is what runs, once.

use super::world::*;
use crate::audit::AuditAction;
use crate::event::EventKind;
use crate::gate::*;
use crate::journal::{FailureKind, Record};
use crate::port::*;
use crate::session::Page;
use crate::turn::*;
use anyturn_state::memory::Fault;
use anyturn_state::{Query, Store, Write};
use serde_json::json;

/// A world with the tools `erase` (may destroy, may be repeated) and `burn` (may destroy, must not be repeated),
/// and `pay`, which takes a manager.
fn world() -> World {
    let world = World::new();
    world.tools.add("erase", EffectClass::Idempotent, true);
    world.tools.add("burn", EffectClass::Unprotected, true);
    world.tools.add("pay", EffectClass::Unprotected, false);
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[[tools]]\nserver = \"s\"\nallow_always = [\"erase\"]\napprove = [{ tool = \"pay\", role = \"manager\" }]",
    );
    world
}

fn approve() -> Decision {
    Decision {
        verdict: Verdict::Approve,
        arguments: None,
        always: false,
        comment: None,
    }
}

fn deny(comment: &str) -> Decision {
    Decision {
        verdict: Verdict::Deny,
        comment: Some(comment.into()),
        ..approve()
    }
}

fn ada() -> Decider {
    Decider {
        user: "ada".into(),
        roles: vec!["member".into(), "manager".into()],
    }
}

fn bob() -> Decider {
    Decider {
        user: "bob".into(),
        roles: vec!["manager".into()],
    }
}

fn request(decider: Decider, gate: &Gate, decision: Decision) -> DecideRequest {
    DecideRequest {
        decider,
        owner: "ada".into(),
        session: "s1".into(),
        gate: gate.id.clone(),
        decision,
    }
}

fn decide(
    world: &World,
    decider: Decider,
    gate: &Gate,
    decision: Decision,
) -> Result<DecideOutcome, DecideError> {
    let request = request(decider, gate, decision);
    world.run(world.engine().decide(world, request, &Heard::default()))
}

fn audit(world: &World) -> Vec<crate::audit::Audited> {
    let page = world
        .run(world.engine().audit("ada", "s1", Page::default()))
        .unwrap();
    let mut entries: Vec<_> = page.entries.into_iter().map(|entry| entry.what).collect();
    entries.reverse();
    entries
}

fn open(world: &World, script: &str) -> (Turn, Gate) {
    let turn = world.turn(say(script)).unwrap();
    assert_eq!(turn.state, TurnState::Waiting, "{turn:?}");
    let gate = turn.gates[0].clone();
    (turn, gate)
}

/// What the model was told of the calls of its last answer.
fn told(world: &World) -> Vec<String> {
    let requests = world.model.requests.borrow();
    let last = requests.last().unwrap().messages.last().unwrap().clone();
    let text = |part: &Part| match part {
        Part::ToolResult(result) => Some(result.content.clone()),
        _ => None,
    };
    last.parts.iter().filter_map(text).collect()
}

#[test]
fn a_risky_call_waits_and_runs_once_when_it_is_approved() {
    let world = world();
    let (turn, events) = world.turn_with_events(say("okay burn:1|done"));
    let turn = turn.unwrap();
    assert_eq!(
        (turn.state, turn.message.content.as_str()),
        (TurnState::Waiting, "okay")
    );
    let [gate] = &turn.gates[..] else { panic!() };
    assert_eq!(
        (gate.tool.as_str(), gate.title.as_str(), gate.server.as_str()),
        ("burn", "BURN", "s")
    );
    assert_eq!(
        (gate.kind, gate.state, gate.risk),
        (GateKind::Confirm, GateState::Open, Risk::Destroys)
    );
    assert_eq!(gate.arguments, json!({"n": 1}));
    assert_eq!(gate.hash, canonical::hash(&gate.arguments));
    assert_eq!(gate.question, "BURN (n: 1)? This cannot be undone.");
    assert_eq!(gate.expires_at.0 - gate.created_at.0, 15 * 60 * 1000);
    let names: Vec<_> = events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(
        names,
        ["turn.started", "text.delta", "gate.opened", "turn.waiting"]
    );
    assert!(world.tools.calls.borrow().is_empty());
    assert_eq!(world.holder("s1"), "");
    assert_eq!(
        world.records("s1"),
        ["turn-started", "model-called", "gate-opened", "turn-waiting"]
    );

    let sink = Heard::default();
    let outcome = world
        .run(
            world
                .engine()
                .decide(&world, request(ada(), gate, approve()), &sink),
        )
        .unwrap();
    let done = outcome.turn.unwrap();
    assert_eq!(
        (done.turn.as_str(), done.state),
        (turn.turn.as_str(), TurnState::Finished)
    );
    assert_eq!(done.message.content, "okay\n\ndone");
    assert_eq!(
        (outcome.gate.state, outcome.waiting),
        (GateState::Approved, false)
    );
    let decided = outcome.gate.decided.unwrap();
    assert_eq!(
        (decided.by.as_deref(), decided.edited, decided.always),
        (Some("ada"), false, false)
    );
    let names: Vec<_> = sink.0.borrow().iter().map(|event| event.kind.name()).collect();
    assert_eq!(
        names,
        [
            "turn.resumed",
            "gate.decided",
            "tool.started",
            "tool.finished",
            "text.delta",
            "turn.finished"
        ]
    );
    // The events go on where they stopped, in a later epoch.
    let (before, after) = (&events.last().unwrap().id, sink.0.borrow()[0].id.clone());
    assert!(after.epoch > before.epoch && after.n == before.n + 1);
    assert_eq!(world.tools.called(), ["burn"]);
    assert_eq!(
        world.records("s1")[4..],
        [
            "gate-decided",
            "turn-resumed",
            "tool-intended",
            "tool-finished",
            "model-called",
            "turn-finished"
        ]
    );
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn a_call_that_was_denied_does_not_run_and_the_model_is_told_who_and_why() {
    let world = world();
    let (_, gate) = open(&world, "burn:1|pity");
    let outcome = decide(&world, ada(), &gate, deny("not that one")).unwrap();
    assert_eq!(outcome.turn.unwrap().message.content, "pity");
    assert_eq!(outcome.gate.state, GateState::Denied);
    assert!(world.tools.calls.borrow().is_empty());
    assert_eq!(
        told(&world),
        ["This call was not made: the user denied it, saying “not that one”."]
    );
    let [entry] = &audit(&world)[..] else { panic!() };
    assert_eq!(
        (entry.action, entry.by.as_deref()),
        (AuditAction::Denied, Some("ada"))
    );
    assert_eq!(entry.comment.as_deref(), Some("not that one"));
}

#[test]
fn the_audit_names_who_decided_what_and_when_on_which_arguments() {
    let world = world();
    let (turn, gate) = open(&world, "burn:7");
    world.clock().advance(1_000);
    decide(&world, ada(), &gate, approve()).unwrap();
    let [entry] = &audit(&world)[..] else { panic!() };
    assert_eq!(entry.action, AuditAction::Approved);
    assert_eq!(
        (entry.turn.as_str(), entry.gate.as_deref()),
        (turn.turn.as_str(), Some(gate.id.as_str()))
    );
    assert_eq!((entry.tool.as_str(), entry.server.as_str()), ("burn", "s"));
    assert_eq!((&entry.arguments, &entry.hash), (&json!({"n": 7}), &gate.hash));
    assert!(entry.at.0 >= gate.created_at.0 + 1_000);
    // It outlives the conversation.
    world.clock().advance(24 * 60 * 60 * 1000);
    assert!(world.journal("s1").is_empty());
    assert_eq!(audit(&world).len(), 1);
    let json = serde_json::to_value(
        world
            .run(world.engine().audit("ada", "s1", Page::default()))
            .unwrap(),
    )
    .unwrap();
    assert_eq!(json["entries"][0]["action"], "approved");
    assert_eq!(json["entries"][0]["position"], 0);
}

#[test]
fn a_page_of_the_audit_ends_where_the_next_one_begins() {
    let world = world();
    for n in 0..5 {
        let (_, gate) = open(&world, &format!("burn:{n}"));
        decide(&world, ada(), &gate, approve()).unwrap();
    }
    let page = |before, limit| {
        let page = world
            .run(world.engine().audit("ada", "s1", Page { before, limit }))
            .unwrap();
        let all: Vec<_> = page.entries.iter().map(|entry| entry.position).collect();
        (all, page.before)
    };
    assert_eq!(page(None, 2), (vec![4, 3], Some(3)));
    assert_eq!(page(Some(3), 2), (vec![2, 1], Some(1)));
    assert_eq!(page(Some(1), 2), (vec![0], None));
}

#[test]
fn edited_arguments_are_checked_recorded_and_what_runs() {
    let world = world();
    let (_, gate) = open(&world, "burn:1|fine");
    let edited = |arguments| Decision {
        arguments: Some(arguments),
        ..approve()
    };
    let Err(DecideError::InvalidDecision(problem)) = decide(&world, ada(), &gate, edited(json!({"n": 2000})))
    else {
        panic!()
    };
    assert!(problem.contains("n must be at most 1000, not 2000"), "{problem}");
    assert_eq!(world.records("s1").len(), 4);
    let outcome = decide(&world, ada(), &gate, edited(json!({"n": 2}))).unwrap();
    assert!(outcome.gate.decided.as_ref().unwrap().edited);
    assert_eq!(
        (&outcome.gate.arguments, &outcome.gate.hash),
        (&json!({"n": 2}), &canonical::hash(&json!({"n": 2})))
    );
    assert_eq!(world.tools.arguments.borrow()[0].1, json!({"n": 2}));
    assert_eq!(outcome.turn.unwrap().tool_calls[0].arguments, json!({"n": 2}));
    assert_eq!(
        told(&world),
        ["(It was allowed with other arguments than yours: {\"n\":2})\nburn 2 is done"]
    );
    let [entry] = &audit(&world)[..] else { panic!() };
    assert_eq!(
        (entry.hash.as_str(), entry.proposed.as_deref()),
        (outcome.gate.hash.as_str(), Some(gate.hash.as_str()))
    );
    // The same edit again is the same decision; none, or another, is not.
    assert!(decide(&world, ada(), &gate, edited(json!({"n": 2}))).is_ok());
    for other in [approve(), edited(json!({"n": 3}))] {
        assert!(matches!(
            decide(&world, ada(), &gate, other),
            Err(DecideError::AlreadyDecided { .. })
        ));
    }
}

#[test]
fn arguments_that_were_edited_to_what_they_were_are_not_edited() {
    let world = world();
    let (_, gate) = open(&world, "burn:1");
    let same = Decision {
        arguments: Some(json!({"n": 1})),
        ..approve()
    };
    // Nobody has to be asked whether they fit.
    world.tools.unlisted.set(true);
    let request = request(ada(), &gate, same);
    world.tools.unlisted.set(false);
    let outcome = world
        .run(world.engine().decide(&world, request, &Heard::default()))
        .unwrap();
    assert!(!outcome.gate.decided.unwrap().edited);
    let (_, gate) = open(&world, "burn:1");
    world.tools.unlisted.set(true);
    let edited = Decision {
        arguments: Some(json!({"n": 2})),
        ..approve()
    };
    assert!(matches!(
        decide(&world, ada(), &gate, edited),
        Err(DecideError::Unchecked(_))
    ));
}

#[test]
fn the_same_decision_again_changes_nothing_and_another_one_is_refused() {
    let world = world();
    let (turn, gate) = open(&world, "burn:1");
    let first = decide(&world, ada(), &gate, approve()).unwrap();
    let journal = world.journal("s1");
    let again = decide(&world, ada(), &gate, approve()).unwrap();
    assert_eq!((&again.gate, &again.turn), (&first.gate, &first.turn));
    let Err(DecideError::AlreadyDecided { gate: decided }) = decide(&world, ada(), &gate, deny("no")) else {
        panic!()
    };
    assert_eq!(*decided, first.gate);
    assert_eq!(world.journal("s1"), journal);
    // Also when the conversation has gone on for long.
    for n in 0..30 {
        world.turn(say(&format!("message {n}"))).unwrap();
    }
    let again = decide(&world, ada(), &gate, approve()).unwrap();
    assert_eq!(again.turn.unwrap().turn, turn.turn);
    assert!(decide(&world, ada(), &gate, deny("no")).is_err());
    assert_eq!(audit(&world).len(), 1);
    assert_eq!(world.tools.called(), ["burn"]);
}

#[test]
fn all_gates_of_a_turn_are_decided_before_it_goes_on() {
    let world = world();
    let (turn, _) = open(&world, "once:1 burn:2 once:3 erase:4 read:5|done");
    // What comes before the first gate is done, what comes after waits.
    assert_eq!(world.tools.called(), ["once"]);
    let [burn, erase] = &turn.gates[..] else { panic!() };
    let outcome = decide(&world, ada(), erase, deny("keep it")).unwrap();
    assert!(outcome.waiting);
    let report = outcome.turn.unwrap();
    assert_eq!(report.state, TurnState::Waiting);
    let states: Vec<_> = report.gates.iter().map(|gate| gate.state).collect();
    assert_eq!(states, [GateState::Open, GateState::Denied]);
    assert_eq!(world.tools.called(), ["once"]);
    let outcome = decide(&world, ada(), burn, approve()).unwrap();
    assert!(!outcome.waiting);
    assert_eq!(world.tools.called(), ["once", "burn", "once", "read"]);
    assert_eq!(
        told(&world),
        [
            "once 1 is done",
            "burn 2 is done",
            "once 3 is done",
            "This call was not made: the user denied it, saying “keep it”.",
            "read 5 is done",
        ]
    );
    assert_eq!(audit(&world).len(), 2);
    world.assert_snapshot_is_replay("s1", "tasks");
}

#[test]
fn the_conversation_goes_on_while_a_turn_waits_and_the_turn_goes_on_after() {
    let world = world();
    world.turn(say("before")).unwrap();
    let (turn, gate) = open(&world, "burn:1|burned");
    for n in 0..3 {
        assert_eq!(
            world.turn(say(&format!("meanwhile {n}"))).unwrap().state,
            TurnState::Finished
        );
        world.assert_snapshot_is_replay("s1", "tasks");
    }
    // The model knows that it has not been done.
    let request = world.model.requests.borrow().last().unwrap().clone();
    let said: Vec<String> = request.messages.iter().map(text).collect();
    assert!(
        said.contains(&"(This has not been done yet; it takes a decision: BURN.)".to_owned()),
        "{said:?}"
    );
    // Nothing is read from further back than without a turn that waits.
    let (snapshot, checkpoint) = world.snapshot("s1");
    assert_eq!(snapshot.unwrap().waiting.len(), 1);
    assert_eq!(checkpoint, world.journal("s1").len() as u64);
    let session = world
        .run(world.engine().session("ada", "s1", Page::default()))
        .unwrap()
        .unwrap();
    assert_eq!(session.gates, std::slice::from_ref(&gate));
    let done = decide(&world, ada(), &gate, approve()).unwrap().turn.unwrap();
    assert_eq!(
        (done.turn.as_str(), done.message.content.as_str()),
        (turn.turn.as_str(), "burned")
    );
    assert_eq!(done.created_at, turn.created_at);
    world.assert_snapshot_is_replay("s1", "tasks");
    // What the model sees now: what was said meanwhile, and then what was burned.
    world.turn(say("after")).unwrap();
    let request = world.model.requests.borrow().last().unwrap().clone();
    let said: Vec<String> = request
        .messages
        .iter()
        .map(text)
        .filter(|said| !said.is_empty())
        .collect();
    let tail: Vec<&str> = said.iter().rev().take(5).rev().map(String::as_str).collect();
    assert_eq!(
        tail,
        ["meanwhile 2", "meanwhile 2", "burn:1|burned", "burned", "after"]
    );
    assert!(
        world
            .run(world.engine().session("ada", "s1", Page::default()))
            .unwrap()
            .unwrap()
            .gates
            .is_empty()
    );
    // Its report is whole, wherever it is asked for.
    let report = world.run(world.engine().report("ada", "s1", &turn.turn)).unwrap();
    assert_eq!(report, done);
}

#[test]
fn a_turn_that_went_on_later_is_whole_under_its_key_long_after() {
    let world = world();
    let turn = world.turn(say_once("k", "burn:1|burned")).unwrap();
    assert_eq!(world.turn(say_once("k", "burn:1|burned")).unwrap(), turn);
    world.turn(say("meanwhile")).unwrap();
    let done = decide(&world, ada(), &turn.gates[0], approve())
        .unwrap()
        .turn
        .unwrap();
    for n in 0..30 {
        world.turn(say(&format!("message {n}"))).unwrap();
    }
    assert_eq!(world.turn(say_once("k", "burn:1|burned")).unwrap(), done);
    // Past the log of its events.
    let log = Write::DeleteJournal(format!("events/{}", turn.turn));
    world
        .run(world.store.commit(&scope("s1"), vec![log], Vec::new()))
        .unwrap();
    assert_eq!(world.turn(say_once("k", "burn:1|burned")).unwrap(), done);
}

#[test]
fn a_turn_can_wait_again() {
    let world = world();
    let (turn, gate) = open(&world, "burn:1|burn:2|done");
    world.turn(say("meanwhile")).unwrap();
    let second = decide(&world, ada(), &gate, approve()).unwrap();
    assert!(second.waiting);
    let second = second.turn.unwrap();
    assert_eq!(
        (second.turn.as_str(), second.gates.len()),
        (turn.turn.as_str(), 2)
    );
    world.assert_snapshot_is_replay("s1", "tasks");
    world.turn(say("more")).unwrap();
    world.assert_snapshot_is_replay("s1", "tasks");
    let done = decide(&world, ada(), &second.gates[1], approve())
        .unwrap()
        .turn
        .unwrap();
    assert_eq!((done.state, done.tool_calls.len()), (TurnState::Finished, 2));
    assert_eq!(world.tools.called(), ["burn", "burn"]);
    world.assert_snapshot_is_replay("s1", "tasks");
}

// ---- yes and no -----------------------------------------------------------------------------------------

#[test]
fn a_yes_or_a_no_as_the_next_message_decides() {
    for (word, state, calls) in [
        ("Yes, please!", GateState::Approved, 2),
        ("no", GateState::Denied, 0),
    ] {
        let world = world();
        let (turn, _) = open(&world, "burn:1 erase:2|done");
        let answered = world.turn(say(word)).unwrap();
        assert_eq!(
            (answered.turn.as_str(), answered.state),
            (turn.turn.as_str(), TurnState::Finished)
        );
        assert!(answered.gates.iter().all(|gate| gate.state == state));
        assert_eq!(world.tools.calls.borrow().len(), calls);
        assert_eq!(audit(&world).len(), 2);
        // Nothing is left that a yes could mean: now it is a message like any other.
        let next = world.turn(say("yes")).unwrap();
        assert_eq!(
            (next.message.content.as_str(), next.turn != turn.turn),
            ("yes", true)
        );
    }
}

#[test]
fn a_yes_after_another_message_decides_nothing() {
    let world = world();
    let (_, gate) = open(&world, "burn:1");
    world.turn(say("what is due today")).unwrap();
    assert_eq!(world.turn(say("yes")).unwrap().message.content, "yes");
    assert!(world.tools.calls.borrow().is_empty());
    decide(&world, ada(), &gate, approve()).unwrap();
    assert_eq!(world.tools.called(), ["burn"]);
}

#[test]
fn a_yes_is_repeated_by_its_key_without_deciding_again() {
    let world = world();
    let (turn, _) = open(&world, "burn:1|burned");
    let answered = world.turn(say_once("y", "yes")).unwrap();
    assert_eq!(world.turn(say_once("y", "yes")).unwrap(), answered);
    world.turn(say("more")).unwrap();
    open(&world, "burn:2");
    // Not even what is asked now.
    assert_eq!(world.turn(say_once("y", "yes")).unwrap(), answered);
    assert_eq!(answered.turn, turn.turn);
    assert_eq!(world.tools.called(), ["burn"]);
    assert!(matches!(
        world.turn(say_once("y", "no")),
        Err(TurnError::KeyReused)
    ));
}

#[test]
fn only_the_user_of_the_conversation_confirms() {
    let world = world();
    let (_, gate) = open(&world, "burn:1");
    assert_eq!(
        decide(&world, bob(), &gate, approve()),
        Err(DecideError::UnknownGate)
    );
    let mine = DecideRequest {
        owner: "bob".into(),
        ..request(bob(), &gate, approve())
    };
    let outcome = world.run(world.engine().decide(&world, mine, &Heard::default()));
    assert_eq!(outcome, Err(DecideError::UnknownGate));
    let theirs = TurnRequest {
        user: "bob".into(),
        ..say("yes")
    };
    assert_eq!(world.turn(theirs).unwrap().message.content, "yes");
    assert!(world.tools.calls.borrow().is_empty());
}

#[test]
fn what_a_model_or_a_tool_says_decides_nothing() {
    let world = world();
    world.tools.answer.replace(Some(ToolOutcome {
        content: "yes, approved".into(),
        ..ToolOutcome::default()
    }));
    let (turn, gate) = open(&world, "yes read:1|yes approve burn:1|yes");
    assert_eq!(turn.state, TurnState::Waiting);
    assert_eq!(world.tools.called(), ["read"]);
    assert_eq!(gate.state, GateState::Open);
}

// ---- time ----------------------------------------------------------------------------------------------

#[test]
fn a_gate_that_nobody_decides_in_time_counts_as_denied() {
    let world = world();
    let (_, gate) = open(&world, "burn:1|pity");
    world.clock().advance(15 * 60 * 1000 + 1);
    let outcome = decide(&world, ada(), &gate, approve()).unwrap();
    assert_eq!(outcome.gate.state, GateState::Expired);
    assert_eq!(outcome.turn.unwrap().message.content, "pity");
    assert_eq!(
        told(&world),
        ["This call was not made: nobody allowed it in time."]
    );
    assert!(world.tools.calls.borrow().is_empty());
    let [entry] = &audit(&world)[..] else { panic!() };
    assert_eq!((entry.action, &entry.by), (AuditAction::Expired, &None));
    assert_eq!(
        decide(&world, ada(), &gate, approve()).unwrap().gate.state,
        GateState::Expired
    );
}

#[test]
fn a_conversation_lives_until_its_gates_have_expired() {
    let world = world();
    let (_, gate) = open(&world, "burn:1");
    world.turn(say("meanwhile")).unwrap();
    world.clock().advance(14 * 60 * 1000);
    assert!(decide(&world, ada(), &gate, approve()).is_ok());
    assert_eq!(world.tools.called(), ["burn"]);
}

#[test]
fn an_instance_that_was_paused_past_the_expiry_approves_nothing() {
    let world = world();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[gates]\nexpire_after = \"1m\"\n[session]\nttl = \"1h\"\n[[tools]]\nserver = \"s\"",
    );
    let (_, gate) = open(&world, "burn:1|pity");
    let mut tasks = Tasks::default();
    let (all, engine, outcome) = (
        world.clone(),
        world.engine(),
        std::rc::Rc::new(std::cell::RefCell::new(None)),
    );
    let (asked, result) = (request(ada(), &gate, approve()), outcome.clone());
    let task = tasks.spawn(async move {
        result.replace(Some(engine.decide(&all, asked, &Heard::default()).await));
    });
    // It has seen that the gate is open, and then sleeps.
    let before = world.store.round_trips();
    while world.store.round_trips() == before {
        tasks.poll(task);
    }
    world.clock().advance(60_001);
    while !tasks.is_empty() {
        if !tasks.poll(task) {
            world.clock().advance(10);
        }
    }
    let outcome = outcome.take().unwrap().unwrap();
    assert_eq!(outcome.gate.state, GateState::Expired);
    assert!(world.tools.calls.borrow().is_empty());
}

#[test]
fn whoever_touches_the_conversation_closes_what_has_expired() {
    let world = world();
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[gates]\nexpire_after = \"1m\"\n[session]\nttl = \"1h\"\n[[tools]]\nserver = \"s\"",
    );
    // The next message goes on without it.
    let turn = world.turn(say_once("k", "burn:1 erase:2|pity")).unwrap();
    world.clock().advance(60_001);
    let shown = world
        .run(world.engine().session("ada", "s1", Page::default()))
        .unwrap()
        .unwrap();
    assert!(shown.gates.is_empty());
    assert_eq!(world.turn(say("yes")).unwrap().message.content, "yes");
    assert!(world.tools.calls.borrow().is_empty());
    let closed = world.run(world.engine().report("ada", "s1", &turn.turn)).unwrap();
    assert_eq!(
        (closed.state, closed.error.unwrap().kind),
        (TurnState::Failed, FailureKind::Expired)
    );
    assert!(closed.gates.iter().all(|gate| gate.state == GateState::Expired));
    assert_eq!(audit(&world).len(), 2);
    assert_eq!(
        decide(&world, ada(), &turn.gates[0], approve())
            .unwrap()
            .gate
            .state,
        GateState::Expired
    );
    world.assert_snapshot_is_replay("s1", "tasks");
    // The same request again lets the model say so.
    let turn = world.turn(say_once("l", "burn:1|pity")).unwrap();
    world.clock().advance(60_001);
    let again = world.turn(say_once("l", "burn:1|pity")).unwrap();
    assert_eq!(
        (again.turn.as_str(), again.message.content.as_str()),
        (turn.turn.as_str(), "pity")
    );
    assert!(world.tools.calls.borrow().is_empty());
}

// ---- always --------------------------------------------------------------------------------------------

#[test]
fn a_tool_can_be_allowed_for_the_rest_of_the_conversation_where_the_assistant_permits() {
    let world = world();
    let always = Decision {
        always: true,
        ..approve()
    };
    let (_, burn) = open(&world, "burn:1");
    assert!(matches!(
        decide(&world, ada(), &burn, always.clone()),
        Err(DecideError::InvalidDecision(_))
    ));
    let (turn, _) = open(&world, "erase:2|erase:3|done");
    assert!(turn.gates[0].allow_always && !burn.allow_always);
    let done = decide(&world, ada(), &turn.gates[0], always)
        .unwrap()
        .turn
        .unwrap();
    assert_eq!(done.state, TurnState::Finished);
    assert_eq!(world.turn(say("erase:4")).unwrap().state, TurnState::Finished);
    assert_eq!(world.tools.called(), ["erase", "erase", "erase"]);
    // Not in another conversation, and no other tool.
    let elsewhere = TurnRequest {
        session: SessionTarget::New { id: "s2".into() },
        ..say("erase:5")
    };
    assert_eq!(world.turn(elsewhere).unwrap().state, TurnState::Waiting);
    assert_eq!(world.turn(say("burn:6")).unwrap().state, TurnState::Waiting);
    world.turn(say("more")).unwrap();
    world.assert_snapshot_is_replay("s1", "tasks");
    assert!(audit(&world)[0].always);
    // The assistant takes its permission back.
    world.assistant("tasks", "prompt = \"x\"\n[[tools]]\nserver = \"s\"");
    assert_eq!(world.turn(say("erase:7")).unwrap().state, TurnState::Waiting);
}

// ---- approvals -----------------------------------------------------------------------------------------

fn approvals(world: &World, decider: &Decider) -> Vec<Approval> {
    world.run(world.engine().approvals(decider, 0, 0)).unwrap().0
}

#[test]
fn somebody_else_with_the_role_approves_and_nobody_their_own() {
    let world = world();
    let (turn, gate) = open(&world, "pay:9|paid");
    assert_eq!(
        (gate.kind, gate.role.as_deref()),
        (GateKind::Approve, Some("manager"))
    );
    assert_eq!(
        decide(&world, ada(), &gate, approve()),
        Err(DecideError::OwnRequest {
            role: "manager".into()
        })
    );
    // A yes of hers is a message.
    assert_eq!(world.turn(say("yes")).unwrap().message.content, "yes");
    let carl = Decider {
        user: "carl".into(),
        roles: vec!["member".into()],
    };
    assert_eq!(
        decide(&world, carl.clone(), &gate, approve()),
        Err(DecideError::OtherRole {
            role: "manager".into()
        })
    );
    assert!(approvals(&world, &carl).is_empty() && approvals(&world, &ada()).is_empty());
    let [listed] = &approvals(&world, &bob())[..] else {
        panic!()
    };
    assert_eq!(
        (
            listed.user.as_str(),
            listed.session.as_str(),
            listed.assistant.as_str()
        ),
        ("ada", "s1", "tasks")
    );
    assert_eq!(listed.gate, gate);
    let sink = Heard::default();
    let outcome = world
        .run(
            world
                .engine()
                .decide(&world, request(bob(), &gate, approve()), &sink),
        )
        .unwrap();
    // What goes on in her conversation is not his to hear.
    assert_eq!((outcome.turn, outcome.gate.state), (None, GateState::Approved));
    assert!(sink.0.borrow().is_empty());
    assert_eq!(world.tools.called(), ["pay"]);
    assert_eq!(world.tools.callers.borrow()[0].user, "ada");
    let done = world.run(world.engine().report("ada", "s1", &turn.turn)).unwrap();
    assert_eq!(
        (done.state, done.message.content.as_str()),
        (TurnState::Finished, "paid")
    );
    assert!(approvals(&world, &bob()).is_empty());
    let [entry] = &audit(&world)[..] else { panic!() };
    assert_eq!(
        (entry.by.as_deref(), entry.role.as_deref()),
        (Some("bob"), Some("manager"))
    );
}

#[test]
fn a_denial_by_role_names_who_denied() {
    let world = world();
    let (_, gate) = open(&world, "pay:9|pity");
    decide(&world, bob(), &gate, deny("too much")).unwrap();
    assert_eq!(
        told(&world),
        ["This call was not made: bob (manager) denied it, saying “too much”."]
    );
}

#[test]
fn a_list_of_approvals_mends_itself() {
    let world = world();
    let (_, gate) = open(&world, "pay:1");
    let list = crate::scope::approvals("manager");
    let members = |world: &World| {
        let all = Query::Index {
            index: "open".into(),
            min: 0,
            max: i64::MAX,
            descending: false,
            offset: 0,
            limit: 100,
        };
        let found = world.run(world.store.read(&list, vec![all])).unwrap();
        let anyturn_state::Found::Index(members) = found.into_iter().next().unwrap() else {
            panic!()
        };
        members
            .into_iter()
            .map(|member| member.member)
            .collect::<Vec<_>>()
    };
    let put = |member: &str, value: &[u8]| Write::IndexPut {
        index: "open".into(),
        member: member.into(),
        score: i64::try_from(gate.expires_at.0).unwrap() - 1,
        value: value.to_vec(),
        only_existing: false,
    };
    // Entries that lead nowhere are harmless, and gone when they are met.
    let stale = vec![
        put("gate_0", br#"{"user":"ada","session":"s1"}"#),
        put("gate_1", br#"{"user":"ada","session":"gone"}"#),
        put("gate_2", b"?"),
    ];
    world.run(world.store.commit(&list, stale, Vec::new())).unwrap();
    assert_eq!(members(&world).len(), 4);
    assert_eq!(approvals(&world, &bob()).len(), 1);
    assert_eq!(members(&world), std::slice::from_ref(&gate.id));
    // One that is missing is back as soon as somebody finds the turn waiting.
    let lost = vec![Write::IndexRemove {
        index: "open".into(),
        member: gate.id.clone(),
    }];
    world.run(world.store.commit(&list, lost, Vec::new())).unwrap();
    assert!(approvals(&world, &bob()).is_empty());
    let turn = world.turn(say("pay:2 burn:3|done")).unwrap();
    let lost = vec![Write::IndexRemove {
        index: "open".into(),
        member: turn.gates[0].id.clone(),
    }];
    world.run(world.store.commit(&list, lost, Vec::new())).unwrap();
    decide(&world, ada(), &turn.gates[1], approve()).unwrap();
    assert_eq!(members(&world), [turn.gates[0].id.clone()]);
    // A decision takes it away.
    decide(&world, bob(), &turn.gates[0], approve()).unwrap();
    assert!(members(&world).is_empty());
}

#[test]
fn a_gate_is_listed_before_its_turn_says_that_it_waits() {
    // The store fails at every point of the turn; whenever the turn waits, its gate is listed.
    for at in 1..14 {
        for fault in [Fault::Before, Fault::After] {
            let world = world();
            let before = world.store.round_trips();
            world.store.on_operation(move |operation| {
                (operation.number >= before + at && operation.number < before + at + 8).then_some(fault)
            });
            let _ = world.turn(say_once("k", "pay:1"));
            let waits = || world.records("s1").contains(&"turn-waiting");
            world.store.heal();
            assert!(!waits() || approvals(&world, &bob()).len() == 1, "{at} {fault:?}");
            world.clock().advance(10_000);
            assert_eq!(
                world.turn(say_once("k", "pay:1")).unwrap().state,
                TurnState::Waiting
            );
            assert_eq!(approvals(&world, &bob()).len(), 1, "{at} {fault:?}");
        }
    }
}

#[test]
fn approvals_come_in_pages_those_that_expire_first_before_others() {
    let world = world();
    let mut gates = Vec::new();
    for n in 0..5 {
        gates.push(open(&world, &format!("pay:{n}")).1.id);
        world.clock().advance(10);
    }
    let page = |offset| {
        let (page, next) = world.run(world.engine().approvals(&bob(), offset, 2)).unwrap();
        (
            page.into_iter()
                .map(|approval| approval.gate.id)
                .collect::<Vec<_>>(),
            next,
        )
    };
    assert_eq!(page(0), (gates[..2].to_vec(), Some(2)));
    assert_eq!(page(2), (gates[2..4].to_vec(), Some(4)));
    assert_eq!(page(4), (gates[4..].to_vec(), None));
}

// ---- what cannot be asked ------------------------------------------------------------------------------

#[test]
fn where_nobody_can_be_asked_a_risky_call_is_not_made() {
    let world = world();
    let detached = TurnRequest {
        session: SessionTarget::Detached {
            id: "s1".into(),
            history: Vec::new(),
        },
        ..say("burn:1|sorry")
    };
    let turn = world.turn(detached).unwrap();
    assert_eq!((turn.state, turn.gates.len()), (TurnState::Finished, 0));
    assert!(told(&world)[0].contains("somebody would have to allow it first"));
    assert!(world.tools.calls.borrow().is_empty());
}

#[test]
fn a_tool_that_the_assistant_lost_does_not_run_although_it_was_approved() {
    let world = world();
    let (_, gate) = open(&world, "burn:1|pity");
    world.assistant("tasks", "prompt = \"x\"\n[[tools]]\nserver = \"other\"");
    decide(&world, ada(), &gate, approve()).unwrap();
    assert_eq!(
        told(&world),
        ["This call was not made: the assistant does not have the tool any more."]
    );
    assert!(world.tools.calls.borrow().is_empty());
}

#[test]
fn arguments_that_are_not_those_decided_on_never_run() {
    let world = world();
    let (_, gate) = open(&world, "burn:1");
    // Somebody writes to the store behind the engine's back.
    let mut entries = world.journal("s1");
    let Record::GateOpened(opened) = &mut entries[2].what else {
        panic!()
    };
    opened.arguments = json!({"n": 666});
    let bytes = entries.iter().map(|entry| entry.encode().unwrap()).collect();
    let forged = vec![
        Write::DeleteJournal("turns".into()),
        Write::Append {
            journal: "turns".into(),
            expected: anyturn_state::ExpectedLength::Any,
            entries: bytes,
            ttl: None,
        },
    ];
    world
        .run(world.store.commit(&scope("s1"), forged, Vec::new()))
        .unwrap();
    let refused = decide(&world, ada(), &gate, approve());
    assert!(
        matches!(
            refused,
            Err(DecideError::Turn(TurnError::Store(
                anyturn_state::Error::Corrupt(_)
            )))
        ),
        "{refused:?}"
    );
    assert!(world.tools.calls.borrow().is_empty());
}

// ---- crashes -------------------------------------------------------------------------------------------

#[test]
fn a_crash_between_the_decision_and_the_call_loses_neither_and_doubles_neither() {
    // The instance that decides dies at every point; another one goes on.
    for polls in 0..60 {
        for tool in ["burn", "erase"] {
            let world = world();
            let turn = world.turn(say_once("k", &format!("{tool}:1|done"))).unwrap();
            let mut tasks = Tasks::default();
            let (all, engine) = (world.clone(), world.engine());
            let asked = request(ada(), &turn.gates[0], approve());
            let task = tasks.spawn(async move {
                let _ = engine.decide(&all, asked, &Heard::default()).await;
            });
            (0..polls).for_each(|_| {
                tasks.poll(task);
            });
            tasks.crash(task);
            let decided = world.records("s1").contains(&"gate-decided");
            assert_eq!(decided, !audit(&world).is_empty());
            world.clock().advance(3_000);
            // Whoever comes: the same decision, if it was not taken.
            let outcome = decide(&world, ada(), &turn.gates[0], approve()).unwrap();
            let done = outcome.turn.unwrap();
            assert_eq!(done.state, TurnState::Finished, "{polls}");
            assert_eq!(audit(&world).len(), 1);
            // What must not be repeated ran once, or it was not known whether it had; what may be took effect once.
            let calls = world.tools.calls.borrow();
            let effects = world.tools.effects.borrow();
            assert!(tool == "erase" || calls.len() <= 1, "{polls}: {calls:?}");
            assert!(tool == "burn" || effects.len() == 1, "{polls}: {calls:?}");
            assert!(effects.values().all(|times| *times == 1));
            let arguments = world.tools.arguments.borrow();
            assert!(
                arguments
                    .iter()
                    .all(|(_, arguments)| *arguments == json!({"n": 1}))
            );
            drop((calls, effects));
            world.assert_snapshot_is_replay("s1", "tasks");
        }
    }
}

#[test]
fn a_store_that_answers_late_or_never_leaves_one_decision() {
    for at in 1..12 {
        for fault in [Fault::Before, Fault::After] {
            let world = world();
            let (_, gate) = open(&world, "burn:1|done");
            let before = world.store.round_trips();
            world
                .store
                .on_operation(move |operation| (operation.number == before + at).then_some(fault));
            let first = decide(&world, ada(), &gate, approve());
            world.store.heal();
            world.clock().advance(3_000);
            let done = decide(&world, ada(), &gate, approve()).unwrap().turn.unwrap();
            assert_eq!(done.state, TurnState::Finished, "{at} {fault:?}");
            if let Ok(first) = first {
                assert_eq!(first.turn.unwrap().turn, done.turn);
            }
            assert_eq!(audit(&world).len(), 1);
            assert_eq!(world.tools.called(), ["burn"], "{at} {fault:?}");
        }
    }
}

#[test]
fn a_yes_that_the_store_answers_late_is_not_also_a_message() {
    for at in 1..12 {
        for fault in [Fault::Before, Fault::After] {
            let world = world();
            let turn = world.turn(say("burn:1 pay:2|done")).unwrap();
            let before = world.store.round_trips();
            world
                .store
                .on_operation(move |operation| (operation.number == before + at).then_some(fault));
            let answered = world.turn(say("yes"));
            world.store.heal();
            match answered {
                Ok(answered) => {
                    assert_eq!(
                        (answered.turn, answered.state),
                        (turn.turn.clone(), TurnState::Waiting),
                        "{at} {fault:?}"
                    );
                }
                Err(error) => assert!(matches!(error, TurnError::Store(_)), "{error}"),
            }
            let decided = world
                .records("s1")
                .iter()
                .filter(|name| **name == "gate-decided")
                .count();
            assert!(decided <= 1);
            assert_eq!(
                world
                    .records("s1")
                    .iter()
                    .filter(|name| **name == "turn-started")
                    .count(),
                1
            );
        }
    }
}

#[test]
fn gates_are_told_to_a_listener_who_comes_late() {
    let world = world();
    let (turn, gate) = open(&world, "hm burn:1|done");
    let sink = Heard::default();
    let attach = |sink: &Heard, after| {
        let engine = world.engine();
        world
            .run(async { engine.attach("ada", "s1", &turn.turn, after, &world, sink).await })
            .unwrap()
    };
    assert_eq!(attach(&sink, None).state, TurnState::Waiting);
    let names: Vec<_> = sink.0.borrow().iter().map(|event| event.kind.name()).collect();
    assert_eq!(
        names,
        ["turn.started", "text.delta", "gate.opened", "turn.waiting"]
    );
    let last = sink.0.borrow().last().unwrap().id.clone();
    decide(&world, ada(), &gate, approve()).unwrap();
    // Who goes on listening from there hears what followed, and nothing twice.
    let sink = Heard::default();
    assert_eq!(attach(&sink, Some(last)).state, TurnState::Finished);
    let names: Vec<_> = sink.0.borrow().iter().map(|event| event.kind.name()).collect();
    assert_eq!(
        names,
        [
            "turn.resumed",
            "gate.decided",
            "tool.started",
            "tool.finished",
            "text.delta",
            "turn.finished"
        ]
    );
    let EventKind::GateDecided(told) = &sink.0.borrow()[1].kind else {
        panic!()
    };
    assert_eq!(
        (told.id.as_str(), told.state),
        (gate.id.as_str(), GateState::Approved)
    );
}
