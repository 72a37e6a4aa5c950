//! Two instances, people who decide, undo and talk at the same time, and everything that can go wrong, in every
//! order that chance finds: what was decided is what runs, at most once, and the audit has all of it.

mod holds;

use super::world::*;
use crate::conversation::Conversation;
use crate::gate::*;
use crate::journal::{GateOpened, Record};
use crate::port::*;
use crate::turn::*;
use crate::undo::*;
use anyturn_state::memory::Fault;
use holds::{assert_decided, is_allowed};
use proptest::prelude::*;
use serde_json::json;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What somebody does.
#[derive(Clone, Debug)]
enum Doing {
    /// Ada says something, under a key or not.
    Say(&'static str, Option<u8>),
    /// Somebody decides one of the gates there are by then.
    Decide {
        gate: usize,
        approve: bool,
        edit: bool,
        by_bob: bool,
    },
    /// Ada has the last action undone.
    Undo,
}

/// What the world does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Poll(usize),
    Wait(u64),
    Crash(usize),
}

const SCRIPTS: [&str; 10] = [
    "burn:1|ok",
    "once:1 burn:2 erase:3|ok",
    "pay:4|ok",
    "burn:5 pay:6|burn:7|ok",
    "bulk:8|ok",
    "make:9|ok",
    "hello",
    "yes",
    "no",
    "undo",
];

fn doings() -> impl Strategy<Value = Vec<(usize, Doing)>> {
    // A key decides the script, so that repetitions are repetitions.
    let say = (0..SCRIPTS.len(), any::<bool>()).prop_map(|(script, keyed)| {
        let key = keyed.then(|| u8::try_from(script).unwrap());
        Doing::Say(SCRIPTS[script], key)
    });
    let decide = (any::<usize>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(gate, approve, edit, by_bob)| Doing::Decide {
            gate,
            approve,
            edit: approve && edit,
            by_bob,
        },
    );
    let doing = prop_oneof![4 => say, 5 => decide, 1 => Just(Doing::Undo)];
    prop::collection::vec((0usize..150, doing), 1..12)
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        40 => any::<usize>().prop_map(Act::Poll),
        2 => (1u64..4_000).prop_map(Act::Wait),
        // Past an expiry, or past the time in which something can be undone.
        1 => (1u64..400_000).prop_map(Act::Wait),
        1 => any::<usize>().prop_map(Act::Crash),
    ];
    prop::collection::vec(act, 1..300)
}

fn faults() -> impl Strategy<Value = BTreeMap<u64, Fault>> {
    let fault = prop_oneof![Just(Fault::Before), Just(Fault::After)];
    prop::collection::btree_map(1u64..80, fault, 0..6)
}

fn world() -> World {
    let world = World::new();
    world.tools.add("burn", EffectClass::Unprotected, true);
    world.tools.add("erase", EffectClass::Idempotent, true);
    world.tools.add("pay", EffectClass::Unprotected, false);
    world.tools.add("bulk", EffectClass::Idempotent, false);
    world.tools.add("make", EffectClass::Idempotent, false);
    let mut inverses = world.tools.inverses.borrow_mut();
    inverses.insert("bulk".into(), ("risky".into(), 2));
    inverses.insert("make".into(), ("burn".into(), 1));
    drop(inverses);
    world.assistant(
        "tasks",
        "prompt = \"x\"\n[session]\nttl = \"24h\"\n[gates]\nexpire_after = \"5m\"\n[[tools]]\nserver = \"s\"\napprove = [{ tool = \"pay\", role = \"manager\" }]",
    );
    world
}

type Decisions = Vec<(DecideRequest, Result<DecideOutcome, DecideError>)>;

/// What those who have decided or said something were told.
#[derive(Default)]
struct Told {
    decisions: Decisions,
    turns: Vec<Result<Turn, TurnError>>,
    undone: Vec<Result<Turn, UndoError>>,
}

/// The gates of the conversation, in their order.
fn opened(world: &World) -> Vec<(String, GateOpened)> {
    let gate = |entry: crate::journal::Entry| match entry.what {
        Record::GateOpened(opened) => Some((entry.turn, *opened)),
        _ => None,
    };
    world.journal("s1").into_iter().filter_map(gate).collect()
}

fn bob() -> Decider {
    Decider {
        user: "bob".into(),
        roles: vec!["manager".into()],
    }
}

fn decision(opened: &GateOpened, doing: &Doing) -> Option<DecideRequest> {
    let Doing::Decide {
        approve,
        edit,
        by_bob,
        ..
    } = *doing
    else {
        return None;
    };
    Some(DecideRequest {
        decider: if by_bob {
            bob()
        } else {
            Decider {
                user: "ada".into(),
                roles: vec!["manager".into()],
            }
        },
        owner: "ada".into(),
        session: "s1".into(),
        gate: opened.gate.clone(),
        decision: Decision {
            verdict: if approve { Verdict::Approve } else { Verdict::Deny },
            arguments: edit.then(|| json!({ "n": 900 })),
            always: false,
            comment: None,
        },
    })
}

fn undo_request() -> UndoRequest {
    UndoRequest {
        user: "ada".into(),
        roles: Vec::new(),
        timezone: None,
        session: "s1".into(),
        call: None,
    }
}

fn begin(
    world: &World,
    tasks: &mut Tasks,
    instance: &Rc<TestEngine>,
    doing: &Doing,
    told: &Rc<RefCell<Told>>,
) {
    let (all, engine, told) = (world.clone(), instance.clone(), told.clone());
    match doing {
        Doing::Say(script, key) => {
            let request = match key {
                Some(key) => say_once(&key.to_string(), script),
                None => say(script),
            };
            tasks.spawn(async move {
                let turn = engine.turn(&all, request, &Heard::default()).await;
                told.borrow_mut().turns.push(turn);
            });
        }
        Doing::Decide { gate, .. } => {
            let gates = opened(world);
            if gates.is_empty() {
                return;
            }
            let Some(request) = decision(&gates[gate % gates.len()].1, doing) else {
                return;
            };
            tasks.spawn(async move {
                let outcome = engine.decide(&all, request.clone(), &Heard::default()).await;
                told.borrow_mut().decisions.push((request, outcome));
            });
        }
        Doing::Undo => {
            tasks.spawn(async move {
                let turn = engine.undo(&all, undo_request(), &Heard::default()).await;
                told.borrow_mut().undone.push(turn);
            });
        }
    }
}

fn play(doings: &[(usize, Doing)], acts: &[Act], faults: &BTreeMap<u64, Fault>) -> (World, Told) {
    let world = world();
    let told = Rc::new(RefCell::new(Told::default()));
    let mut tasks = Tasks::default();
    let instances = [world.engine(), world.engine()];
    // Something is there to decide from the beginning.
    begin(
        &world,
        &mut tasks,
        &instances[0],
        &Doing::Say("burn:1 pay:2|ok", None),
        &told,
    );
    while !tasks.is_empty() {
        tasks.poll_any(0);
    }
    // The test itself may look undisturbed.
    let looking = Arc::new(AtomicBool::new(false));
    let (before, faults, undisturbed) = (world.store.round_trips(), faults.clone(), looking.clone());
    world.store.on_operation(move |operation| {
        let fault = faults.get(&(operation.number - before)).copied();
        fault.filter(|_| !undisturbed.load(Ordering::SeqCst))
    });
    for (number, act) in acts.iter().enumerate() {
        for (_, doing) in doings.iter().filter(|(at, _)| *at == number) {
            looking.store(true, Ordering::SeqCst);
            begin(&world, &mut tasks, &instances[number % 2], doing, &told);
            looking.store(false, Ordering::SeqCst);
        }
        match *act {
            Act::Poll(choice) => {
                tasks.poll_any(choice);
            }
            Act::Wait(time) => world.clock().advance(time),
            Act::Crash(choice) if !tasks.is_empty() => {
                tasks.crash(choice % tasks.len());
            }
            Act::Crash(_) => {}
        }
    }
    world.store.heal();
    let mut choice = 0;
    for _ in 0..100_000 {
        if tasks.is_empty() {
            break;
        }
        choice += 7;
        if !tasks.poll_any(choice) {
            world.clock().advance(50);
        }
    }
    assert!(tasks.is_empty(), "somebody waits for ever");
    (world, told.take())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 4096, ..ProptestConfig::default() })]

    #[test]
    fn what_was_decided_is_what_runs_at_most_once(doings in doings(), acts in acts(), faults in faults()) {
        let (world, told) = play(&doings, &acts, &faults);
        // Whoever comes next finds it in order.
        for _ in 0..20 {
            match world.turn(say("bye")) {
                Ok(turn) => {
                    prop_assert_eq!(turn.state, TurnState::Finished);
                    break;
                }
                Err(TurnError::Busy { .. } | TurnError::Fenced { .. }) => world.clock().advance(1_000),
                Err(error) => panic!("{error}"),
            }
        }
        assert_decided(&world);
        world.assert_snapshot_is_replay("s1", "tasks");
        prop_assert_eq!(world.holder("s1"), "");

        // Those who were told that they decided agree with each other and with the journal.
        let known: BTreeMap<String, Gate> = Conversation::turns((0..).zip(world.journal("s1")))
            .into_iter()
            .flat_map(|turn| turn.gate_reports())
            .map(|gate| (gate.id.clone(), gate))
            .collect();
        for (request, outcome) in &told.decisions {
            match outcome {
                Ok(outcome) => {
                    let gate = &known[&request.gate];
                    prop_assert_eq!((gate.state, &gate.hash), (outcome.gate.state, &outcome.gate.hash));
                    prop_assert!(gate.state != GateState::Open);
                    prop_assert_eq!(outcome.turn.is_some(), request.decider.user == "ada");
                }
                Err(DecideError::AlreadyDecided { gate }) => prop_assert_eq!(known[&request.gate].state, gate.state),
                Err(DecideError::UnknownGate | DecideError::OwnRequest { .. }) => {
                    let opened = opened(&world);
                    let opened = &opened.iter().find(|(_, opened)| opened.gate == request.gate).unwrap().1;
                    prop_assert!(!is_allowed(opened, &request.decider.user));
                }
                Err(DecideError::Turn(TurnError::Store(_) | TurnError::Busy { .. } | TurnError::StillRunning { .. } | TurnError::Fenced { .. })) => {}
                Err(error) => panic!("{error}"),
            }
        }
        for turn in &told.turns {
            let expected = matches!(
                turn,
                Ok(_) | Err(TurnError::Store(_) | TurnError::Busy { .. } | TurnError::StillRunning { .. } | TurnError::Fenced { .. })
            );
            prop_assert!(expected, "{turn:?}");
        }
        for undone in &told.undone {
            let expected = matches!(
                undone,
                Ok(_) | Err(UndoError::Nothing | UndoError::TooLate
                    | UndoError::Turn(TurnError::Store(_) | TurnError::Busy { .. } | TurnError::StillRunning { .. } | TurnError::Fenced { .. }))
            );
            prop_assert!(expected, "{undone:?}");
        }

        // Whoever may approve finds all that waits for them, and nothing else.
        let now = world.clock().now();
        let waits: BTreeSet<String> = known
            .values()
            .filter(|gate| gate.kind == GateKind::Approve && gate.state == GateState::Open && gate.expires_at.0 >= now)
            .map(|gate| gate.id.clone())
            .collect();
        let (listed, _) = world.run(world.engine().approvals(&bob(), 0, 0)).unwrap();
        let listed: BTreeSet<String> = listed.into_iter().map(|approval| approval.gate.id).collect();
        prop_assert_eq!(listed, waits);
    }
}

/// More with `ANYTURN_CASES`, for a long search.
fn cases() -> u32 {
    std::env::var("ANYTURN_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(400)
}
