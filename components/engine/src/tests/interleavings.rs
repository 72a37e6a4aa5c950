//! Three instances, one conversation, and everything that can go wrong, in every order that chance finds: crashes,
//! pauses longer than a lease, tools that are slower than one, a store that fails before or after it has done
//! something, repeated requests, messages at the same time under every policy, stops, listeners that come and go, and
//! sweeps. With an assistant of one agent, and of several that work at the same time.

use super::chance::*;
use super::world::*;
use crate::assistant::OnBusy;
use crate::event::{Event, EventId};
use crate::journal::{CallOutcome, Record};
use crate::turn::*;
use crate::{EventKind, Stopping};
use anyturn_state::Store;
use anyturn_state::memory::Fault;
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

fn request(client: &Client) -> TurnRequest {
    TurnRequest {
        on_busy: Some(client.on_busy),
        idempotency_key: client.key.map(|key| key.to_string()),
        ..say(client.script)
    }
}

/// Somebody who hears events.
#[derive(Clone, Default)]
struct Ear {
    /// What was heard on another connection before.
    before: Vec<Event>,
    heard: Heard,
    result: Rc<RefCell<Option<Result<Turn, TurnError>>>>,
}

impl Ear {
    /// All that was heard.
    fn all(&self) -> Vec<Event> {
        self.before
            .iter()
            .chain(self.heard.0.borrow().iter())
            .cloned()
            .collect()
    }
}

/// A turn that somebody asked to stop, and what they were told.
type Stopped = (String, Result<Stopping, TurnError>);

/// What there is to judge afterwards.
#[derive(Default)]
struct History {
    clients: Vec<(Client, Ear)>,
    listeners: Vec<Ear>,
    stops: Rc<RefCell<Vec<Stopped>>>,
}

impl History {
    fn ears(&self) -> impl Iterator<Item = &Ear> {
        self.clients.iter().map(|(_, ear)| ear).chain(&self.listeners)
    }

    /// The turns that somebody has heard of.
    fn turns(&self) -> Vec<String> {
        let turns: BTreeSet<String> = self
            .ears()
            .filter_map(|ear| ear.heard.0.borrow().first().map(|event| event.id.turn.clone()))
            .collect();
        turns.into_iter().collect()
    }
}

/// A world that is being played.
struct Play {
    world: World,
    tasks: Tasks,
    instances: [Rc<TestEngine>; 3],
    history: History,
}

impl Play {
    fn engine(&self) -> Rc<TestEngine> {
        self.instances[self.tasks.len() % self.instances.len()].clone()
    }

    fn ask(&mut self, client: &Client) {
        let (all, engine, request, ear) =
            (self.world.clone(), self.engine(), request(client), Ear::default());
        self.history.clients.push((client.clone(), ear.clone()));
        self.tasks.spawn(async move {
            // What the front does first, and again if it was paused after it.
            let result = loop {
                let now = all.clock().now();
                let writes = crate::session_index::touch("ada", "s1", now, 3_000, true);
                let shard = crate::scope::shard("ada");
                if let Err(error) = all.store.commit(&shard, writes, Vec::new()).await {
                    break Err(error.into());
                }
                if all.clock().now() < now + 1_000 {
                    break engine.turn(&all, request, &ear.heard).await;
                }
            };
            ear.result.replace(Some(result));
        });
    }

    fn listen(&mut self, turn: String, before: Vec<Event>) {
        let (all, engine) = (self.world.clone(), self.engine());
        let ear = Ear {
            before,
            ..Ear::default()
        };
        self.history.listeners.push(ear.clone());
        self.tasks.spawn(async move {
            let after: Option<EventId> = ear.before.last().map(|event| event.id.clone());
            let result = engine.attach("ada", "s1", &turn, after, &all, &ear.heard).await;
            ear.result.replace(Some(result));
        });
    }

    fn act(&mut self, act: Act) {
        let (all, engine) = (self.world.clone(), self.engine());
        let turns = self.history.turns();
        let among = |choice: usize| turns.get(choice % turns.len().max(1)).cloned();
        match act {
            Act::Poll(choice) => {
                self.tasks.poll_any(choice);
            }
            Act::Wait(time) => all.clock().advance(time),
            Act::Crash(choice) if !self.tasks.is_empty() => {
                self.tasks.crash(choice % self.tasks.len());
            }
            Act::Pause(choice) if !self.tasks.is_empty() => self.tasks.pause(choice % self.tasks.len()),
            Act::Crash(_) | Act::Pause(_) => {}
            Act::Resume => self.tasks.resume(),
            Act::Listen(choice) => {
                if let Some(turn) = among(choice) {
                    self.listen(turn, Vec::new());
                }
            }
            Act::Reconnect(choice) => {
                let heard: Vec<Vec<Event>> = self.history.ears().map(Ear::all).collect();
                // Whoever has heard the end does not come back.
                let cut = |heard: &&Vec<Event>| heard.last().is_some_and(|event| event.kind.end().is_none());
                let cut: Vec<Vec<Event>> = heard.iter().filter(cut).cloned().collect();
                if let Some(before) = cut.get(choice % cut.len().max(1)) {
                    self.listen(before[0].id.turn.clone(), before.clone());
                }
            }
            Act::Stop(choice) => {
                if let Some(turn) = among(choice) {
                    let stops = self.history.stops.clone();
                    self.tasks.spawn(async move {
                        let stopping = engine.stop("ada", "s1", &turn, &all).await;
                        stops.borrow_mut().push((turn, stopping));
                    });
                }
            }
            Act::Sweep => {
                self.tasks.spawn(async move {
                    let _ = engine.sweep(&all, 10).await;
                });
            }
        }
    }

    /// Everything heals, and who is still there comes to an end.
    fn heal(&mut self) {
        self.world.store.heal();
        self.tasks.resume();
        for choice in 0..200_000usize {
            if self.tasks.is_empty() {
                return;
            }
            if !self.tasks.poll_any(choice.wrapping_mul(7)) {
                self.world.clock().advance(50);
            }
        }
        panic!("somebody never comes to an end");
    }
}

fn play(
    clients: &[Client],
    acts: &[Act],
    faults: &BTreeMap<u64, Fault>,
    slow: u64,
    agents: bool,
) -> (World, History) {
    let world = if agents {
        super::flow::lasting()
    } else {
        World::lasting()
    };
    world.tools.duration.set(slow);
    let faults = faults.clone();
    world
        .store
        .on_operation(move |operation| faults.get(&operation.number).copied());
    let mut play = Play {
        instances: [world.engine(), world.engine(), world.engine()],
        world,
        tasks: Tasks::default(),
        history: History::default(),
    };
    for (number, act) in acts.iter().enumerate() {
        for client in clients.iter().filter(|client| client.at == number) {
            play.ask(client);
        }
        play.act(*act);
    }
    play.heal();
    (play.world, play.history)
}

/// What must hold of every journal: turns do not overlap, steps happen once, ends are ends. Gives the turn that
/// has not ended, if there is one.
fn assert_well_formed(world: &World) -> Option<String> {
    let mut running: Option<String> = None;
    let mut last: Option<String> = None;
    let mut begun = BTreeSet::new();
    let mut steps = BTreeSet::new();
    let mut intended = BTreeSet::new();
    for entry in world.journal("s1") {
        let turn = entry.turn.clone();
        let own = running.as_ref() == Some(&turn);
        match entry.what {
            Record::TurnStarted(_) => {
                assert!(begun.insert(turn.clone()), "a turn begins twice");
                assert_eq!(
                    running.replace(turn.clone()),
                    None,
                    "a turn begins within another"
                );
                last = Some(turn);
            }
            Record::TurnResumed { .. } => {
                // One that failed may be tried again until the next one begins.
                assert_eq!(
                    last.as_ref(),
                    Some(&turn),
                    "a turn is resumed after another one began"
                );
                running = Some(turn);
            }
            Record::TurnAbandoned {} => panic!("a turn is left unfinished"),
            Record::ModelCalled(called) => {
                let step = format!("{turn}/{}", called.step);
                assert!(own && steps.insert(step), "a model step is recorded twice");
            }
            Record::ToolIntended(call) => {
                assert!(
                    own && intended.insert((turn, call.call)),
                    "a call is intended twice"
                );
            }
            Record::ToolFinished(finished) => {
                let step = format!("{turn}/{}", finished.step);
                assert!(own && steps.insert(step), "a tool step is recorded twice");
                if matches!(finished.outcome, CallOutcome::Answered(_)) {
                    let call = (turn, finished.call);
                    assert!(intended.contains(&call), "a call was made without an intention");
                }
            }
            Record::TurnFinished {} | Record::TurnFailed { .. } | Record::TurnStopped { .. } => {
                assert!(own, "a turn ends that is not running");
                running = None;
            }
            _ => panic!("nothing here is refused or waits for a decision"),
        }
    }
    running
}

/// What must hold of what somebody has heard of a turn, by `log`: all that was durable.
fn assert_hears(ear: &Ear, log: &[Event]) {
    let all = ear.all();
    for pair in all.windows(2) {
        assert!(pair[0].id < pair[1].id, "{} then {}", pair[0].id, pair[1].id);
        assert_eq!(pair[0].id.turn, pair[1].id.turn);
        assert!(pair[0].kind.end().is_none(), "{} after the end", pair[1].id);
    }
    let Some(last) = all.last() else { return };
    assert_eq!(all[0].kind.name(), "turn.started");
    // No gap: all that is durable, up to where it got, was heard.
    for event in log
        .iter()
        .filter(|event| event.id <= last.id && event.kind.end().is_none())
    {
        let heard = all.iter().find(|heard| heard.id == event.id);
        assert_eq!(heard.map(|heard| &heard.kind), Some(&event.kind), "{}", event.id);
    }
    // What was heard and is not durable is text that was taken back, how far agents were, or the end of a try that
    // failed.
    for event in all
        .iter()
        .filter(|event| !log.iter().any(|durable| durable.id == event.id))
    {
        let passing = matches!(
            event.kind,
            EventKind::TextDelta { .. }
                | EventKind::AgentProgress(_)
                | EventKind::TurnResumed { .. }
                | EventKind::TurnFailed(_)
        );
        let named = |events: &[Event]| -> Vec<String> {
            events
                .iter()
                .map(|event| format!("{}.{} {}", event.id.epoch, event.id.n, event.kind.name()))
                .collect()
        };
        let durable = (named(log), named(&ear.before), named(&ear.heard.0.borrow()));
        assert!(
            passing,
            "{} {} is not durable: {durable:?}",
            event.id,
            event.kind.name()
        );
    }
    if let Some(Ok(turn)) = &*ear.result.borrow() {
        assert_eq!(
            last.kind.end().map(|end| (&end.turn, end.state)),
            Some((&turn.turn, turn.state))
        );
        assert_heard(ear.heard.0.borrow().as_slice(), &ear.before);
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

/// Whether a client may see this.
fn may_be_told(error: &TurnError) -> bool {
    matches!(
        error,
        TurnError::Busy { .. }
            | TurnError::StillRunning { .. }
            | TurnError::Fenced { .. }
            | TurnError::Store(_)
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 4096, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_is_done_twice(clients in clients(), acts in acts(), faults in faults(), slow in slow(), agents in any::<bool>()) {
        let (world, history) = play(&clients, &acts, &faults, slow, agents);
        assert_well_formed(&world);
        world.assert_snapshot_is_replay("s1", "tasks");

        // With nobody asking, everything that was begun comes to its end.
        world.clock().advance(10_000);
        for _ in 0..6 {
            let swept = world.sweep();
            prop_assert_eq!(swept.failed, 0);
            world.clock().advance(10_000);
        }
        prop_assert_eq!(world.sweep().looked, 0);
        prop_assert_eq!(assert_well_formed(&world), None);
        prop_assert_eq!(world.holder("s1"), "");
        let state = world.run(world.engine().state(&crate::address::Address::new("ada", "s1"), None)).unwrap();
        prop_assert!(state.is_settled(), "{:?}", state);
        world.assert_snapshot_is_replay("s1", "tasks");

        // Only these errors may reach anybody.
        for ear in history.ears() {
            if let Some(Err(error)) = &*ear.result.borrow() {
                prop_assert!(may_be_told(error), "{error}");
            }
        }
        for (turn, stopping) in history.stops.borrow().iter() {
            if let Err(error) = stopping {
                prop_assert!(may_be_told(error), "{turn}: {error}");
            }
        }

        // Everybody who listened heard the same, without a gap or a repeat.
        for ear in history.ears() {
            let Some(first) = ear.all().first().cloned() else { continue };
            let (_, log) = world.attach(&first.id.turn, None);
            assert_heard(&log, &[]);
            assert_hears(ear, &log);
        }

        // Whoever insists gets one and the same turn for a key, and it has an end.
        let mut turns: BTreeMap<u8, String> = BTreeMap::new();
        let answered = |ear: &Ear| ear.result.borrow().clone().and_then(Result::ok);
        for (client, ear) in &history.clients {
            if let (Some(key), Some(turn)) = (client.key, answered(ear)) {
                let known = turns.entry(key).or_insert_with(|| turn.turn.clone());
                prop_assert_eq!(&*known, &turn.turn);
            }
        }
        for (client, _) in history.clients.iter().filter(|(client, _)| client.key.is_some()) {
            let turn = insist(&world, client);
            let known = turns.entry(client.key.unwrap()).or_insert_with(|| turn.turn.clone());
            prop_assert_eq!(&*known, &turn.turn);
        }

        // A turn that was reported as finished or stopped stays as it was reported.
        let last = insist(&world, &Client { script: "bye", key: None, on_busy: OnBusy::Reject, at: 0 });
        prop_assert_eq!(assert_well_formed(&world), None);
        world.assert_snapshot_is_replay("s1", "tasks");
        let journal = (0..).zip(world.journal("s1"));
        let recorded: BTreeMap<String, crate::conversation::Progress> =
            crate::conversation::Conversation::turns(journal).into_iter().map(|turn| (turn.turn.clone(), turn)).collect();
        prop_assert!(recorded.values().all(|turn| turn.end.is_some()));
        prop_assert!(recorded.contains_key(&last.turn));
        let lasting = |state| matches!(state, TurnState::Finished | TurnState::Stopped);
        for turn in history.ears().filter_map(answered).filter(|turn| lasting(turn.state)) {
            prop_assert_eq!(&turn, &recorded[&turn.turn].turn("s1", "tasks"));
        }
        for (turn, stopping) in history.stops.borrow().iter() {
            if let Ok(Stopping::Ended(state)) = stopping && lasting(*state) {
                prop_assert_eq!(*state, recorded[turn].turn("s1", "tasks").state);
            }
        }

        // Effects: each key takes effect once, and what is unprotected is not even tried twice; what an answer
        // says happened did.
        let calls = world.tools.calls.borrow();
        for (tool, key) in calls.iter().filter(|(tool, _)| tool == "risky") {
            let made = calls.iter().filter(|(_, other)| other == key).count();
            // One that is slower than a lease was refused as too late before.
            prop_assert!(made == 1 || slow > 0, "{} {} was called {} times", tool, key, made);
        }
        let effects = world.tools.effects.borrow();
        for (key, count) in effects.iter() {
            let read = calls.iter().any(|(tool, called)| tool == "read" && called == key);
            prop_assert!(read || *count == 1, "{} took effect {} times", key, count);
        }
        for (turn, progress) in &recorded {
            for call in progress.calls().iter().filter(|call| !call.is_error && !call.result.is_null()) {
                // The key of an inverse is the same whichever turn makes the call.
                let own = |key: &String| key.starts_with(turn.as_str()) || key.contains(&call.id);
                prop_assert!(effects.keys().any(own), "{} has no effect", call.id);
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
