//! Two instances, people who decide, undo and talk at the same time, and everything that can go wrong, in every
//! order that chance finds: what was decided is what runs, at most once, and the audit has all of it.

use super::world::*;
use crate::audit::{AuditAction, Audited};
use crate::conversation::Conversation;
use crate::gate::*;
use crate::journal::{CallOutcome, GateDecided, GateOpened, Record, Ruling};
use crate::port::*;
use crate::session::Page;
use crate::turn::*;
use crate::undo::*;
use anyturn_state::memory::Fault;
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

fn audit(world: &World) -> Vec<Audited> {
    let mut entries = Vec::new();
    let mut before = None;
    loop {
        let page = Page { before, limit: 0 };
        let page = world.run(world.engine().audit("ada", "s1", page)).unwrap();
        entries.extend(page.entries.into_iter().map(|entry| entry.what));
        before = page.before;
        if before.is_none() {
            return entries;
        }
    }
}

/// Whether a decision is one that somebody may take.
fn is_allowed(opened: &GateOpened, by: &str) -> bool {
    match opened.kind {
        GateKind::Confirm => by == "ada",
        GateKind::Approve => by == "bob",
    }
}

/// What must hold of every journal, and of what the tools did.
fn assert_decided(world: &World) {
    let mut gates: BTreeMap<String, (String, GateOpened, Option<GateDecided>)> = BTreeMap::new();
    let mut calls: BTreeMap<String, String> = BTreeMap::new();
    let mut intended = BTreeSet::new();
    let mut finished = BTreeSet::new();
    let mut made: BTreeMap<String, GateDecided> = BTreeMap::new();
    let mut running: Option<String> = None;
    let mut waiting = BTreeSet::new();
    for entry in world.journal("s1") {
        let turn = entry.turn.clone();
        let own = running.as_ref() == Some(&turn);
        match entry.what {
            Record::TurnStarted(_) => {
                assert!(running.is_none(), "a turn begins while another one runs");
                running = Some(turn);
            }
            Record::TurnResumed { .. } => {
                assert!(own || running.is_none() && waiting.remove(&turn) || running.is_none());
                running = Some(turn);
            }
            Record::GateOpened(opened) => {
                assert!(own, "a gate opens in a turn that does not run");
                assert!(
                    calls.insert(opened.call.clone(), opened.gate.clone()).is_none(),
                    "two gates of one call"
                );
                assert_eq!(opened.hash, canonical::hash(&opened.arguments));
                gates.insert(opened.gate.clone(), (turn, *opened, None));
            }
            Record::GateDecided(decided) => {
                let (of, opened, known) = gates.get_mut(&decided.gate).expect("an unknown gate is decided");
                assert_eq!(*of, turn);
                assert!(known.is_none(), "a gate is decided twice");
                assert!(!own, "a turn decides its own gate");
                match decided.verdict {
                    Ruling::Approved | Ruling::Denied => {
                        assert!(is_allowed(opened, decided.by.as_deref().unwrap()));
                        assert!(entry.at <= opened.expires, "a decision comes too late");
                    }
                    Ruling::Expired | Ruling::Dropped => assert_eq!(decided.by, None),
                }
                *known = Some(*decided);
            }
            Record::ToolIntended(call) => {
                assert!(
                    own && intended.insert(call.call.clone()),
                    "a call is intended twice"
                );
                match (&call.gate, calls.get(&call.call)) {
                    (Some(gate), Some(known)) if gate == known => {
                        let decided = gates[gate]
                            .2
                            .clone()
                            .expect("a call is made before it is decided");
                        assert_eq!(decided.verdict, Ruling::Approved);
                        assert_eq!(decided.hash, canonical::hash(&call.arguments));
                        made.insert(call.call.clone(), decided);
                    }
                    (None, None) => {
                        assert!(!["burn", "erase", "pay"].contains(&call.tool.as_str()), "ungated")
                    }
                    other => panic!("{other:?}"),
                }
            }
            Record::ToolFinished(done) => {
                assert!(own && finished.insert(done.call.clone()), "a call ends twice");
                if matches!(done.outcome, CallOutcome::Answered(_)) {
                    assert!(intended.contains(&done.call));
                }
            }
            Record::TurnWaiting {} => {
                assert!(
                    own && gates
                        .values()
                        .any(|(of, _, decided)| *of == turn && decided.is_none())
                );
                waiting.insert(turn);
                running = None;
            }
            Record::TurnFailed { .. } if waiting.contains(&turn) => {
                assert!(
                    gates
                        .values()
                        .all(|(of, _, decided)| *of != turn || decided.is_some())
                );
                waiting.remove(&turn);
            }
            Record::TurnFinished {} | Record::TurnFailed { .. } | Record::TurnStopped { .. } => {
                assert!(own, "a turn ends that does not run");
                running = None;
            }
            Record::ModelCalled(_) => assert!(own),
            Record::TurnAbandoned {}
            | Record::TurnRefused { .. }
            | Record::Forked(_)
            | Record::PastCopied {} => {
                panic!("{turn}: nothing here is left, refused or forked")
            }
        }
    }

    // Every call of a tool that is gated was intended, with what was decided on; what must not be repeated ran once.
    let hashes: BTreeSet<&str> = made.values().map(|decided| decided.hash.as_str()).collect();
    let reached = world.tools.calls.borrow();
    let arguments = world.tools.arguments.borrow();
    for ((tool, key), (_, arguments)) in reached.iter().zip(arguments.iter()) {
        let gated = ["burn", "erase", "pay"].contains(&tool.as_str());
        assert!(
            !gated || hashes.contains(canonical::hash(arguments).as_str()),
            "{tool} ran with {arguments}"
        );
        let times = reached.iter().filter(|(_, other)| other == key).count();
        assert!(
            !["burn", "pay", "risky"].contains(&tool.as_str()) || times == 1,
            "{key} was called {times} times"
        );
    }
    let gated = reached
        .iter()
        .filter(|(tool, _)| tool == "burn" || tool == "pay")
        .count();
    assert!(gated <= made.len());

    // The audit has each decision, and nothing else was decided.
    let audited = audit(world);
    let decisions: Vec<&Audited> = audited.iter().filter(|entry| entry.gate.is_some()).collect();
    let decided: Vec<_> = gates
        .values()
        .filter_map(|(_, opened, decided)| Some((opened, decided.as_ref()?)))
        .collect();
    assert_eq!(decisions.len(), decided.len());
    for (opened, decided) in decided {
        let entry = decisions
            .iter()
            .find(|entry| entry.gate.as_ref() == Some(&opened.gate))
            .expect("a decision is not in the audit");
        let action = match decided.verdict {
            Ruling::Approved => AuditAction::Approved,
            Ruling::Denied => AuditAction::Denied,
            Ruling::Expired => AuditAction::Expired,
            Ruling::Dropped => AuditAction::Dropped,
        };
        assert_eq!(
            (entry.action, &entry.by, &entry.hash),
            (action, &decided.by, &decided.hash)
        );
    }
    // Nothing is undone twice.
    let undone = audited.iter().filter(|entry| entry.action == AuditAction::Undone);
    let mut seen = BTreeSet::new();
    for entry in undone {
        assert!(
            seen.insert((entry.call.clone(), entry.arguments.to_string())),
            "undone twice"
        );
    }
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
