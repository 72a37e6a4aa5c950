//! Conversations that an older build left behind, and what becomes of them under this one.
//!
//! The files in `older/v1` are what the store held of conversations that the first build with schema version 1
//! had stopped in the middle of: at gates, at undoings, in tool calls, with messages that wait, after a failure,
//! and in a fork. They stay as they are. A build that writes another schema gets files of its own beside them
//! (`cargo test -p anyturn-engine record_what_this_build_writes -- --ignored`), and has to go on with all.

mod recording;

use super::world::*;
use crate::gate::*;
use crate::port::*;
use crate::session::Page;
use crate::turn::*;
use crate::undo::*;
use anyturn_state::{ExpectedLength, ExpectedVersion, Store, Write};
use recording::Held;

/// What version 1 has left.
const V1: [(&str, &str); 9] = [
    ("gates", include_str!("older/v1/gates.txt")),
    ("undo", include_str!("older/v1/undo.txt")),
    ("read", include_str!("older/v1/read.txt")),
    ("once", include_str!("older/v1/once.txt")),
    ("sure", include_str!("older/v1/sure.txt")),
    ("risky", include_str!("older/v1/risky.txt")),
    ("queue", include_str!("older/v1/queue.txt")),
    ("failed", include_str!("older/v1/failed.txt")),
    ("fork", include_str!("older/v1/fork.txt")),
];

/// The tools and the assistant that the conversations were held with.
fn world() -> World {
    let world = World::new();
    for (name, class, destructive) in [
        ("erase", EffectClass::Idempotent, true),
        ("burn", EffectClass::Unprotected, true),
        ("pay", EffectClass::Unprotected, false),
        ("bulk", EffectClass::Idempotent, false),
        ("make", EffectClass::Idempotent, false),
    ] {
        world.tools.add(name, class, destructive);
    }
    let mut inverses = world.tools.inverses.borrow_mut();
    inverses.insert("bulk".into(), ("once".into(), 3));
    inverses.insert("make".into(), ("erase".into(), 1));
    drop(inverses);
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[session]\nttl = \"1h\"\n[[tools]]\nserver = \"s\"\nallow_always = [\"erase\"]\napprove = [{ tool = \"pay\", role = \"manager\" }]",
    );
    world
}

/// A world in which the conversations lie in the store as they were left, with their snapshots or without.
fn found(snapshots: bool) -> World {
    let world = world();
    // Ids that nobody has yet.
    world.random.set(1 << 64);
    for (session, file) in V1 {
        let held = Held::parse(file);
        let late = held.clock.saturating_sub(world.clock().now());
        world.clock().advance(late);
        world
            .tools
            .effects
            .borrow_mut()
            .extend(held.effects.iter().map(|key| (key.clone(), 1)));
        let commit = |writes| {
            world
                .run(world.store.commit(&scope(session), writes, Vec::new()))
                .unwrap();
        };
        for number in 0..held.epoch {
            commit(vec![Write::Acquire {
                lease: crate::scope::TURN.into(),
                holder: format!("older-{number}"),
                ttl: 1,
            }]);
            commit(vec![Write::Release {
                lease: crate::scope::TURN.into(),
                epoch: number + 1,
            }]);
        }
        for (journal, checkpoint, entries) in held.journals {
            let checkpoint = if snapshots || journal != crate::scope::TURNS {
                checkpoint
            } else {
                0
            };
            commit(vec![
                Write::Append {
                    journal: journal.clone(),
                    expected: ExpectedLength::Exactly(0),
                    entries,
                    ttl: None,
                },
                Write::SetCheckpoint {
                    journal,
                    position: checkpoint,
                },
            ]);
        }
        for (document, value) in held.documents {
            if snapshots || document != crate::scope::SNAPSHOT {
                commit(vec![Write::Put {
                    document,
                    expected: ExpectedVersion::Absent,
                    value,
                    ttl: None,
                }]);
            }
        }
        world.enter(session);
    }
    world
}

/// Runs a test on the conversations as they were left, and on what remains of them without their snapshots, which
/// a build that cannot read them does without.
fn goes_on(test: impl Fn(&World)) {
    test(&found(true));
    test(&found(false));
}

fn say_in(session: &str, key: Option<&str>, text: &str) -> TurnRequest {
    TurnRequest {
        session: SessionTarget::Existing { id: session.into() },
        idempotency_key: key.map(str::to_owned),
        ..say(text)
    }
}

fn gates(world: &World, session: &str) -> Vec<Gate> {
    let session = world.run(world.engine().session("ada", session, Page::default()));
    session.unwrap().unwrap().gates
}

fn approve(world: &World, user: &str, session: &str, gate: &Gate) -> DecideOutcome {
    let request = DecideRequest {
        decider: Decider {
            user: user.into(),
            roles: vec!["manager".into()],
        },
        owner: "ada".into(),
        session: session.into(),
        gate: gate.id.clone(),
        decision: Decision {
            verdict: Verdict::Approve,
            arguments: None,
            always: false,
            comment: None,
        },
    };
    world
        .run(world.engine().decide(world, request, &Heard::default()))
        .unwrap()
}

fn undo(world: &World, call: Option<&str>) -> Turn {
    let request = UndoRequest {
        user: "ada".into(),
        roles: Vec::new(),
        timezone: None,
        session: "undo".into(),
        call: call.map(str::to_owned),
    };
    world
        .run(world.engine().undo(world, request, &Heard::default()))
        .unwrap()
}

/// The calls that reached tools since the world was found: what, and with which number.
fn made(world: &World) -> Vec<String> {
    let calls = world.tools.calls.borrow();
    let arguments = world.tools.arguments.borrow();
    let calls = calls.iter().zip(arguments.iter());
    calls
        .map(|((tool, _), (_, arguments))| format!("{tool}:{}", arguments["n"]))
        .collect()
}

#[test]
fn gates_that_an_older_build_opened_are_decided_and_run_what_they_held() {
    goes_on(|world| {
        let open = gates(world, "gates");
        let titles: Vec<_> = open.iter().map(|gate| gate.title.as_str()).collect();
        assert_eq!(titles, ["BURN", "PAY"]);
        let burnt = approve(world, "ada", "gates", &open[0]).turn.unwrap();
        assert_eq!(
            (burnt.state, burnt.message.content.as_str()),
            (TurnState::Finished, "burnt")
        );
        approve(world, "bob", "gates", &open[1]);
        assert_eq!(made(world), ["burn:2", "once:3", "pay:4"]);
        // What was allowed for the rest of the conversation still is.
        let turn = world.turn(say_in("gates", None, "erase:5")).unwrap();
        assert_eq!(turn.state, TurnState::Finished);
        assert!(gates(world, "gates").is_empty());
    });
}

#[test]
fn a_listener_goes_on_after_what_an_older_build_told() {
    goes_on(|world| {
        let gate = &gates(world, "gates")[0];
        let mut before = Heard::default();
        let waiting = world.run(
            world
                .engine()
                .attach("ada", "gates", &gate.turn, None, world, &before),
        );
        assert_eq!(waiting.unwrap().state, TurnState::Waiting);
        approve(world, "ada", "gates", gate);
        let before = std::mem::take(&mut before).0.take();
        let after = Heard::default();
        let last = before.last().map(|event| event.id.clone());
        let turn = world.run(
            world
                .engine()
                .attach("ada", "gates", &gate.turn, last, world, &after),
        );
        assert_eq!(turn.unwrap().state, TurnState::Finished);
        let waited = before.len() - 1;
        assert_eq!(before[waited].kind.name(), "turn.waiting");
        assert_heard(&after.0.borrow(), &before[..waited]);
    });
}

#[test]
fn what_an_older_build_did_can_be_undone() {
    goes_on(|world| {
        // It waits for a yes to undoing the last action.
        let undone = world.turn(say_in("undo", None, "yes")).unwrap();
        assert!(undone.undo.unwrap().items[0].undone);
        let session = world
            .run(world.engine().session("ada", "undo", Page::default()))
            .unwrap()
            .unwrap();
        let offers = session.messages.iter().flat_map(|message| &message.tool_calls);
        let offers: Vec<_> = offers.filter(|call| call.undo.is_some()).collect();
        let call = |tool: &str| {
            let offer = offers.iter().find(|call| call.tool == tool);
            offer.unwrap().id.clone()
        };
        assert!(undo(world, Some(&call("once"))).undo.unwrap().items[0].undone);
        assert_eq!(made(world), ["erase:3", "once:102"]);
    });
}

#[test]
fn calls_that_an_older_build_had_begun_follow_their_class() {
    for (session, calls, checks, unknown) in [
        ("read", vec!["read:1"], 0, false),
        ("once", vec!["once:1"], 0, false),
        // It had happened: nothing is to be called.
        ("sure", vec![], 1, false),
        ("risky", vec![], 0, true),
    ] {
        goes_on(|world| {
            let turn = world
                .turn(say_in(session, Some("k"), &format!("{session}:1|done")))
                .unwrap();
            assert_eq!(turn.state, TurnState::Finished, "{session}");
            assert_eq!(turn.tool_calls[0].is_error, unknown, "{session}");
            assert_eq!(made(world), calls, "{session}");
            assert_eq!(world.tools.checks.borrow().len(), checks, "{session}");
            assert!(
                world.tools.effects.borrow().values().all(|times| *times == 1),
                "{session}"
            );
        });
    }
}

#[test]
fn messages_that_waited_under_an_older_build_are_answered_in_their_order() {
    goes_on(|world| {
        world.clock().advance(60_000);
        while world.sweep().looked > 0 {
            world.clock().advance(10_000);
        }
        let session = world
            .run(world.engine().session("ada", "queue", Page::default()))
            .unwrap()
            .unwrap();
        let said: Vec<_> = session
            .messages
            .iter()
            .map(|message| message.content.as_str())
            .collect();
        assert_eq!(
            said,
            [
                "wait:1000 one",
                "one",
                "two",
                "two",
                "three once:3|four",
                "three\n\nfour"
            ]
        );
    });
}

#[test]
fn a_turn_that_failed_under_an_older_build_is_tried_again() {
    goes_on(|world| {
        let turn = world.turn(say_in("failed", Some("k"), "once:1|fail")).unwrap();
        // The script fails again; what it had done is not done again.
        assert_eq!(turn.state, TurnState::Failed);
        assert!(turn.error.unwrap().retryable);
        assert!(made(world).is_empty());
        let records: Vec<_> = world.records("failed");
        assert_eq!(records.iter().filter(|name| **name == "turn-resumed").count(), 1);
    });
}

#[test]
fn a_fork_that_an_older_build_made_knows_its_past() {
    goes_on(|world| {
        world.turn(say_in("fork", None, "and now")).unwrap();
        let requests = world.model.requests.borrow();
        let said: Vec<String> = requests.last().unwrap().messages.iter().map(text).collect();
        let said: Vec<&str> = said.iter().skip(1).map(String::as_str).collect();
        let past = said.iter().filter(|text| !text.is_empty());
        assert_eq!(
            past.copied().collect::<Vec<_>>(),
            [
                "erase:1|erased",
                "erased",
                "in the fork",
                "in the fork",
                "and now"
            ]
        );
        assert!(gates(world, "fork").is_empty());
    });
}
