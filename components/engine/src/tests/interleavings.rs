//! Two instances, one conversation, and everything that can go wrong, in every order that chance finds.

use super::world::*;
use crate::journal::{CallOutcome, Record};
use crate::turn::*;
use anyturn_state::memory::Fault;
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A request of a client.
#[derive(Clone, Debug)]
struct Client {
    script: &'static str,
    /// Clients of the same key send the same script: they are repetitions of one request.
    key: Option<u8>,
    /// Before which scheduling decision it comes.
    at: usize,
}

/// What the world does.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Lets a task go on.
    Poll(usize),
    /// Lets time pass, for everybody.
    Wait(u64),
    /// Kills the instance of a task.
    Crash(usize),
}

const SCRIPTS: [&str; 6] = [
    "hello",
    "risky:1|ok",
    "once:1 read:2|wait:2000 ok",
    "read:1 read:2|risky:3|ok",
    "wait:4000 ok",
    "risky:1|fail",
];

fn clients() -> impl Strategy<Value = Vec<Client>> {
    let client = (0..SCRIPTS.len(), prop::option::of(0u8..3), 0usize..60).prop_map(|(script, key, at)| {
        // The key decides the script, so that repetitions are repetitions.
        let script = key.map_or(script, |key| (script % 2) * 3 + usize::from(key));
        Client {
            script: SCRIPTS[script],
            key: key.map(|key| key + 3 * u8::from(script >= 3)),
            at,
        }
    });
    prop::collection::vec(client, 1..5)
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        30 => any::<usize>().prop_map(Act::Poll),
        2 => (1u64..4_000).prop_map(Act::Wait),
        1 => any::<usize>().prop_map(Act::Crash),
    ];
    prop::collection::vec(act, 1..200)
}

fn faults() -> impl Strategy<Value = BTreeMap<u64, Fault>> {
    let fault = prop_oneof![Just(Fault::Before), Just(Fault::After)];
    prop::collection::btree_map(1u64..40, fault, 0..6)
}

/// What each client got.
type Results = Vec<(Client, Result<Turn, TurnError>)>;

fn request(client: &Client) -> TurnRequest {
    match client.key {
        Some(key) => say_once(&key.to_string(), client.script),
        None => say(client.script),
    }
}

fn play(clients: &[Client], acts: &[Act], faults: &BTreeMap<u64, Fault>) -> (World, Results) {
    let world = World::new();
    let faults = faults.clone();
    world
        .store
        .on_operation(move |operation| faults.get(&operation.number).copied());
    let results = Rc::new(RefCell::new(Results::new()));
    let mut tasks = Tasks::default();
    let instances = [world.engine(), world.engine()];
    for (number, act) in acts.iter().enumerate() {
        for client in clients.iter().filter(|client| client.at == number) {
            let (all, engine) = (world.clone(), instances[tasks.len() % 2].clone());
            let (client, results) = (client.clone(), results.clone());
            tasks.spawn(async move {
                let result = engine.turn(&all, request(&client), &Heard::default()).await;
                results.borrow_mut().push((client, result));
            });
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
    // Then everything heals, and who is still there comes to an end.
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
    assert!(tasks.is_empty(), "a turn never ends");
    let results = results.take();
    (world, results)
}

/// What must hold of every journal: turns do not overlap, steps happen once, ends are ends.
fn assert_well_formed(world: &World) {
    let mut running: Option<String> = None;
    let mut ended = BTreeSet::new();
    let mut steps = BTreeSet::new();
    let mut intended = BTreeSet::new();
    for entry in world.journal("s1") {
        let turn = entry.turn.clone();
        let own = running.as_ref() == Some(&turn);
        match entry.what {
            Record::TurnStarted(_) => {
                assert!(!ended.contains(&turn), "a turn begins twice");
                running.replace(turn).map(|before| ended.insert(before));
            }
            Record::TurnResumed { .. } => assert!(own, "a turn is resumed after another one began"),
            Record::TurnAbandoned {} => assert!(ended.contains(&turn) && !own),
            Record::ModelCalled(called) => {
                assert!(
                    own && steps.insert(format!("{turn}/{}", called.step)),
                    "a model step is recorded twice"
                );
            }
            Record::ToolIntended(call) => {
                assert!(own && intended.insert(call.call), "a call is intended twice");
            }
            Record::ToolFinished(finished) => {
                assert!(
                    own && steps.insert(format!("{turn}/{}", finished.step)),
                    "a tool step is recorded twice"
                );
                if matches!(finished.outcome, CallOutcome::Answered(_)) {
                    assert!(
                        intended.contains(&finished.call),
                        "a call was made without an intention"
                    );
                }
            }
            Record::TurnFinished {} | Record::TurnFailed { .. } | Record::TurnStopped { .. } => {
                assert!(own, "a turn ends that is not running")
            }
            Record::TurnRefused { .. } => panic!("nothing here is refused"),
            Record::GateOpened(_)
            | Record::GateDecided(_)
            | Record::TurnWaiting {}
            | Record::Forked(_)
            | Record::PastCopied {} => panic!("nothing here is risky, or forked"),
        }
    }
}

/// Repeats a request until it has an answer, as a client does.
fn insist(world: &World, client: &Client) -> Turn {
    for _ in 0..10 {
        match world.turn(request(client)) {
            Ok(turn) => return turn,
            Err(TurnError::Busy { .. } | TurnError::StillRunning { .. } | TurnError::Fenced { .. }) => {
                world.clock().advance(1_000);
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("a healthy world gives no answer");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 4096, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_is_done_twice(clients in clients(), acts in acts(), faults in faults()) {
        let (world, results) = play(&clients, &acts, &faults);
        assert_well_formed(&world);
        world.assert_snapshot_is_replay("s1", "tasks");

        // Only these errors may reach a client.
        for (client, result) in &results {
            if let Err(error) = result {
                prop_assert!(
                    matches!(error, TurnError::Busy { .. } | TurnError::StillRunning { .. } | TurnError::Fenced { .. } | TurnError::Store(_)),
                    "{client:?}: {error}"
                );
            }
        }

        // Whoever insists gets one and the same turn for a key, and it has an end.
        let mut turns: BTreeMap<u8, String> = BTreeMap::new();
        for (client, turn) in results.iter().filter_map(|(client, result)| Some((client, result.as_ref().ok()?))) {
            if let Some(key) = client.key {
                let known = turns.entry(key).or_insert_with(|| turn.turn.clone());
                prop_assert_eq!(&*known, &turn.turn);
            }
        }
        for client in clients.iter().filter(|client| client.key.is_some()) {
            let turn = insist(&world, client);
            let known = turns.entry(client.key.unwrap()).or_insert_with(|| turn.turn.clone());
            prop_assert_eq!(&*known, &turn.turn);
        }

        // A turn that was reported as finished stays as it was reported.
        let last = insist(&world, &Client { script: "bye", key: None, at: 0 });
        assert_well_formed(&world);
        world.assert_snapshot_is_replay("s1", "tasks");
        prop_assert_eq!(world.holder("s1"), "");
        let journal = (0..).zip(world.journal("s1"));
        let recorded: BTreeMap<String, crate::conversation::Progress> =
            crate::conversation::Conversation::turns(journal).into_iter().map(|turn| (turn.turn.clone(), turn)).collect();
        prop_assert!(recorded.values().all(|turn| turn.end.is_some()));
        prop_assert!(recorded.contains_key(&last.turn));
        for turn in results.iter().filter_map(|(_, result)| result.as_ref().ok()) {
            let now = recorded[&turn.turn].turn("s1", "tasks");
            // One that failed may have been gone on with.
            if turn.state == TurnState::Finished {
                prop_assert_eq!(turn, &now);
            }
        }

        // Effects: what is unprotected happened at most once; what an answer says happened did.
        let calls = world.tools.calls.borrow();
        for (tool, key) in calls.iter() {
            let made = calls.iter().filter(|(_, other)| other == key).count();
            prop_assert!(tool != "risky" || made == 1, "{} was called {} times", key, made);
        }
        let effects = world.tools.effects.borrow();
        for call in recorded.values().flat_map(|turn| {
            let calls = turn.calls();
            (0..).zip(calls).map(|(_, call)| (turn.turn.clone(), call)).collect::<Vec<_>>()
        }) {
            let (turn, call) = call;
            if !call.is_error && !call.result.is_null() {
                prop_assert!(effects.keys().any(|key| key.starts_with(&turn)), "{} has no effect", call.id);
            }
        }
    }
}

/// More with `ANYTURN_CASES`, for a long search.
fn cases() -> u32 {
    std::env::var("ANYTURN_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(600)
}
