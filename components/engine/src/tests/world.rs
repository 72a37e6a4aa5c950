//! A world for engines: a store in memory, a clock that moves when told, and tools that remember what they did.

pub(super) use super::executor::*;
pub(super) use super::model::*;
pub(super) use super::recording::*;
use super::watching::Watching;
use crate::assistant::{Assistant, Assistants, LoadError};
use crate::conversation::{Conversation, Snapshot};
use crate::engine::{Engine, Settings};
use crate::event::{Event, EventId, EventKind};
use crate::journal::{Entry, Record};
use crate::port::*;
use crate::turn::{SessionTarget, Turn, TurnError, TurnRequest, TurnState};
use crate::watch::{Attribute, Span, Traceparent};
use crate::{Stopping, Swept};
use anyturn_state::memory::{ManualClock, MemoryStore};
use anyturn_state::{Document, Found, Position, Query, Store};
use futures::task::waker;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

pub(super) type TestEngine = Engine<MemoryStore, ScriptedModel, RecordingTools, TestEnvironment>;

/// What the engines of a test share.
#[derive(Clone, Default)]
pub(super) struct World {
    pub store: MemoryStore,
    pub model: ScriptedModel,
    pub tools: RecordingTools,
    pub random: Rc<Cell<u128>>,
    /// By how many milliseconds instances' clocks are ahead of the store's.
    pub skew: Rc<Cell<i64>>,
    /// How long instances have their turns, in milliseconds.
    pub lease: Rc<Cell<u64>>,
    pub watching: Watching,
    /// How often somebody has set a timer.
    pub timers: Rc<Cell<u32>>,
    /// Where the requests stand in a trace that instances serve from now on.
    pub trace: Rc<RefCell<Option<Traceparent>>>,
    pub assistants: Rc<RefCell<BTreeMap<String, Assistant>>>,
}

impl World {
    /// A world with the assistants `tasks` (with tools) and `chat` (without).
    pub(super) fn new() -> World {
        let world = World::default();
        world.lease.set(3_000);
        world.model.clock.replace(Some(world.store.clock().clone()));
        world.tools.clock.replace(Some(world.store.clock().clone()));
        world.assistant(
            "tasks",
            "prompt = \"Today is {{date}}.\"\n[[tools]]\nserver = \"s\"\n",
        );
        world.assistant("chat", "prompt = \"Be kind.\"\n");
        world
    }

    /// A world in which conversations do not expire.
    pub(super) fn lasting() -> World {
        let world = World::new();
        world.assistant(
            "tasks",
            "prompt = \"x\"\n[session]\nttl = \"24h\"\n[[tools]]\nserver = \"s\"\n",
        );
        world
    }

    /// Adds or replaces an assistant.
    pub(super) fn assistant(&self, name: &str, text: &str) {
        let mut assistant = Assistant::parse(&format!("{name}.toml"), text).unwrap();
        for (key, file) in assistant.prompt_files() {
            assistant
                .set_prompt(&file, &file, &format!("It is {{{{date}}}}: {key}."))
                .unwrap();
        }
        self.assistants.borrow_mut().insert(name.to_owned(), assistant);
    }

    /// One more instance.
    pub(super) fn engine(&self) -> Rc<TestEngine> {
        let environment = TestEnvironment {
            clock: self.clock().clone(),
            skew: self.skew.clone(),
            random: self.random.clone(),
            watching: self.watching.clone(),
            timers: self.timers.clone(),
            trace: self.trace.borrow().clone(),
        };
        let settings = Settings {
            lease: self.lease.get(),
            attach: 60_000,
            detached_ttl: 60_000,
            undo: 5 * 60 * 1000,
        };
        Rc::new(Engine::new(
            self.store.clone(),
            self.model.clone(),
            self.tools.clone(),
            environment,
            settings,
        ))
    }

    pub(super) fn clock(&self) -> &ManualClock {
        self.store.clock()
    }

    /// Milliseconds since the world began.
    pub(super) fn elapsed(&self) -> u64 {
        self.clock().now() - ManualClock::default().now()
    }

    /// Lets tasks go on, and time pass when none can, until this holds.
    pub(super) fn until(&self, tasks: &mut Tasks, holds: impl Fn() -> bool) {
        for choice in 0..1_000_000 {
            if holds() {
                return;
            }
            if !tasks.poll_any(choice) {
                self.clock().advance(10);
            }
        }
        panic!("it never happens: {:?}", self.records("s1"));
    }

    /// Runs a future to its end; time passes only while it waits for that.
    pub(super) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let (waker, mut future) = (waker(flag.clone()), pin!(future));
        for _ in 0..1_000_000 {
            if flag.0.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return value;
                }
            } else {
                self.clock().advance(10);
            }
        }
        panic!("the future does not end");
    }

    /// A turn on a fresh instance.
    pub(super) fn turn(&self, request: TurnRequest) -> Result<Turn, TurnError> {
        self.turn_with_events(request).0
    }

    /// A turn on a fresh instance, and what its listener heard.
    pub(super) fn turn_with_events(&self, request: TurnRequest) -> (Result<Turn, TurnError>, Vec<Event>) {
        let sink = Heard::default();
        let turn = self.run(self.engine().turn(self, request, &sink));
        (turn, sink.0.take())
    }

    /// Listens to a turn on a fresh instance, and what it heard.
    pub(super) fn attach(&self, turn: &str, after: Option<EventId>) -> (Result<Turn, TurnError>, Vec<Event>) {
        let sink = Heard::default();
        let turn = self.run(self.engine().attach("ada", "s1", turn, after, self, &sink));
        (turn, sink.0.take())
    }

    /// Stops a turn through a fresh instance.
    pub(super) fn stop(&self, turn: &str) -> Result<Stopping, TurnError> {
        self.run(self.engine().stop("ada", "s1", turn, self))
    }

    /// What a front does before a turn: it counts, and enters the conversation into the register.
    pub(super) fn enter(&self, session: &str) {
        let writes = crate::session_index::touch("ada", session, self.clock().now(), self.lease.get(), true);
        self.run(self.store.commit(&crate::scope::shard("ada"), writes, Vec::new()))
            .unwrap();
    }

    /// Sweeps once, on a fresh instance.
    pub(super) fn sweep(&self) -> Swept {
        self.run(self.engine().sweep(self, 100)).unwrap()
    }

    /// The id of the turn that begun last.
    pub(super) fn latest(&self) -> String {
        self.journal("s1").last().unwrap().turn.clone()
    }

    /// The entries of a conversation's journal.
    pub(super) fn journal(&self, session: &str) -> Vec<Entry> {
        let slice = self
            .run(crate::loading::read(
                &self.store,
                &scope(session),
                Position::At(0),
                10_000,
            ))
            .unwrap();
        slice
            .entries
            .iter()
            .zip(0..)
            .map(|(bytes, at)| Entry::decode(bytes, at).unwrap())
            .collect()
    }

    /// The names of the entries' records.
    pub(super) fn records(&self, session: &str) -> Vec<&'static str> {
        self.journal(session)
            .iter()
            .map(|entry| name(&entry.what))
            .collect()
    }

    /// The snapshot, and the journal's checkpoint.
    pub(super) fn snapshot(&self, session: &str) -> (Option<Snapshot>, u64) {
        let found = self
            .run(self.store.read(&scope(session), crate::loading::queries().into()))
            .unwrap();
        let (Found::Document(document), Found::Journal(slice)) = (&found[0], &found[1]) else {
            panic!()
        };
        let read = |document: &Document| Snapshot::decode(&document.value).unwrap();
        (document.as_ref().map(read), slice.checkpoint)
    }

    /// Who holds the conversation's lease.
    pub(super) fn holder(&self, session: &str) -> String {
        let found = self
            .run(
                self.store
                    .read(&scope(session), vec![Query::Lease("turn".into())]),
            )
            .unwrap();
        let Found::Lease(lease) = &found[0] else { panic!() };
        lease.holder.clone()
    }

    /// Asserts that the stored snapshot is what the journal gives up to its checkpoint.
    pub(super) fn assert_snapshot_is_replay(&self, session: &str, assistant: &str) {
        let (Some(stored), checkpoint) = self.snapshot(session) else {
            return;
        };
        let settings = self.assistants.borrow()[assistant].session;
        let window = crate::conversation::Window {
            turns: settings.window_turns,
            bytes: settings.window_bytes,
        };
        let entries = self.journal(session);
        let mut conversation = Conversation::default();
        let mut standing = conversation.standing.clone();
        for (position, entry) in (0..).zip(entries) {
            let begins = matches!(entry.what, Record::TurnStarted(_));
            if position > checkpoint || position == checkpoint && !begins {
                break;
            }
            if position < checkpoint {
                conversation.apply(position, entry);
                standing = conversation.standing.clone();
            } else {
                conversation.apply(position, entry);
            }
        }
        // The entry at the checkpoint, if there is one, begins the next turn and so settles those before it.
        let whole = conversation
            .current
            .as_ref()
            .is_some_and(|current| current.first < checkpoint);
        let mut replayed = conversation.snapshot(window, settings.ttl, whole).unwrap();
        replayed.standing = standing;
        assert_eq!(stored.head, replayed.head);
        // It may live longer, for its gates.
        assert!(stored.ttl >= replayed.ttl);
        // Only when something last happened may differ: replay has seen the next turn begin.
        assert_eq!(
            stored,
            Snapshot {
                updated_at: stored.updated_at,
                ttl: stored.ttl,
                ..replayed
            }
        );
    }
}

impl Assistants for World {
    async fn load(&self, name: &str) -> Result<Assistant, LoadError> {
        self.assistants
            .borrow()
            .get(name)
            .cloned()
            .ok_or_else(|| LoadError::Unknown(name.to_owned()))
    }
}

pub(super) fn scope(session: &str) -> String {
    crate::scope::conversation("ada", session)
}

pub(super) fn name(record: &Record) -> &'static str {
    match record {
        Record::TurnStarted(_) => "turn-started",
        Record::TurnResumed { .. } => "turn-resumed",
        Record::ModelCalled(_) => "model-called",
        Record::ToolIntended(_) => "tool-intended",
        Record::ToolFinished(_) => "tool-finished",
        Record::TurnFinished {} => "turn-finished",
        Record::TurnFailed { .. } => "turn-failed",
        Record::TurnStopped { .. } => "turn-stopped",
        Record::TurnAbandoned {} => "turn-abandoned",
        Record::GateOpened(_) => "gate-opened",
        Record::GateDecided(_) => "gate-decided",
        Record::TurnWaiting {} => "turn-waiting",
        Record::Forked(_) => "forked",
        Record::PastCopied {} => "past-copied",
        Record::TurnRefused { .. } => "turn-refused",
    }
}

/// A request of ada's to the assistant `tasks`, in the session `s1`, made if it is not there.
pub(super) fn say(text: &str) -> TurnRequest {
    TurnRequest {
        user: "ada".into(),
        roles: vec!["member".into()],
        assistant: Some("tasks".into()),
        session: SessionTarget::Either { id: "s1".into() },
        message: vec![Part::Text { text: text.into() }],
        idempotency_key: None,
        title: None,
        timezone: None,
        options: ModelOptions::default(),
        on_busy: None,
    }
}

/// The same with an idempotency key.
pub(super) fn say_once(key: &str, text: &str) -> TurnRequest {
    TurnRequest {
        idempotency_key: Some(key.into()),
        ..say(text)
    }
}

// ---- the environment ------------------------------------------------------------------------------------

#[derive(Clone)]
pub(super) struct TestEnvironment {
    clock: ManualClock,
    skew: Rc<Cell<i64>>,
    random: Rc<Cell<u128>>,
    watching: Watching,
    timers: Rc<Cell<u32>>,
    trace: Option<Traceparent>,
}

impl Environment for TestEnvironment {
    fn now(&self) -> u64 {
        self.clock.now().saturating_add_signed(self.skew.get())
    }

    fn random(&self) -> u128 {
        self.random.set(self.random.get() + 1);
        self.random
            .get()
            .wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }

    fn local_time(&self, now: u64, timezone: Option<&str>) -> String {
        let utc = crate::time::Timestamp(now).to_string();
        if timezone.is_some() {
            utc.replace('Z', "+01:00")
        } else {
            utc
        }
    }

    async fn sleep(&self, milliseconds: u64) {
        self.timers.set(self.timers.get() + 1);
        self.clock.sleep(milliseconds).await;
    }

    fn watch(&self, name: &str, attributes: &[Attribute<'_>]) -> Span {
        self.watching.begin(name, None, attributes)
    }

    fn trace(&self) -> Option<&Traceparent> {
        self.trace.as_ref()
    }
}

/// A listener that remembers.
#[derive(Clone, Default)]
pub(super) struct Heard(pub Rc<RefCell<Vec<Event>>>);

impl Sink for Heard {
    fn emit(&self, event: Event) {
        self.0.borrow_mut().push(event);
    }
}

/// The text that a client shows after these events.
pub(super) fn streamed(events: &[Event]) -> String {
    let mut shown = String::new();
    for event in events {
        match &event.kind {
            EventKind::TextDelta { text } => shown.push_str(text),
            EventKind::TurnResumed { text } => shown = text.clone(),
            _ => {}
        }
    }
    shown
}

/// The names of events.
pub(super) fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.kind.name()).collect()
}

/// Asserts what holds of everything that a listener hears until the end: ids grow, nothing comes after the end,
/// and the text that is shown is that of the end. `after`: what it had heard before, with the text shown by then.
pub(super) fn assert_heard(events: &[Event], before: &[Event]) {
    let all: Vec<Event> = before.iter().chain(events).cloned().collect();
    for pair in all.windows(2) {
        assert!(pair[0].id < pair[1].id, "{} then {}", pair[0].id, pair[1].id);
        assert!(pair[0].kind.end().is_none(), "{} after the end", pair[1].id);
    }
    let end = all.last().and_then(|event| event.kind.end());
    let end = end.unwrap_or_else(|| panic!("no end: {:?}", names(&all)));
    assert_eq!(all[0].kind.name(), "turn.started");
    assert_eq!(streamed(&all), end.message.content);
    // Each call begins once and ends once; one that was never made because the turn was stopped does neither.
    let calls = |name: &str| all.iter().filter(|event| event.kind.name() == name).count();
    assert_eq!(calls("tool.started"), calls("tool.finished"), "{:?}", names(&all));
    if end.state == TurnState::Finished {
        assert_eq!(calls("tool.finished"), end.tool_calls.len(), "{:?}", names(&all));
    }
}
