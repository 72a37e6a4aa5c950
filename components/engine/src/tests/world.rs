//! A world for engines: a store in memory, a clock that moves when told, and tools that remember what they did.

pub(super) use super::executor::*;
pub(super) use super::model::*;
use crate::assistant::{Assistant, Assistants, LoadError};
use crate::conversation::{Conversation, Snapshot};
use crate::engine::{Engine, Settings};
use crate::event::{Event, EventKind};
use crate::journal::{Entry, Record};
use crate::port::*;
use crate::turn::{SessionTarget, Turn, TurnError, TurnRequest};
use anyturn_state::memory::{ManualClock, MemoryStore};
use anyturn_state::{Document, Found, Position, Query, Store};
use futures::task::waker;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
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
    pub assistants: Rc<RefCell<BTreeMap<String, Assistant>>>,
}

impl World {
    /// A world with the assistants `tasks` (with tools) and `chat` (without).
    pub(super) fn new() -> World {
        let world = World::default();
        world.model.clock.replace(Some(world.store.clock().clone()));
        world.assistant(
            "tasks",
            "prompt = \"Today is {{date}}.\"\n[[tools]]\nserver = \"s\"\n",
        );
        world.assistant("chat", "prompt = \"Be kind.\"\n");
        world
    }

    /// Adds or replaces an assistant.
    pub(super) fn assistant(&self, name: &str, text: &str) {
        let assistant = Assistant::parse(&format!("{name}.toml"), text).unwrap();
        self.assistants.borrow_mut().insert(name.to_owned(), assistant);
    }

    /// One more instance.
    pub(super) fn engine(&self) -> Rc<TestEngine> {
        let environment = TestEnvironment {
            clock: self.clock().clone(),
            random: self.random.clone(),
        };
        let settings = Settings {
            lease: 3_000,
            attach: 60_000,
            detached_ttl: 60_000,
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
        for (position, entry) in (0..).zip(entries) {
            if position > checkpoint {
                break;
            }
            conversation.apply(position, entry);
        }
        // The entry at the checkpoint, if there is one, begins the next turn and so settles those before it.
        let whole = conversation
            .current
            .as_ref()
            .is_some_and(|current| current.first < checkpoint);
        let replayed = conversation.snapshot(window, settings.ttl, whole).unwrap();
        assert_eq!((&stored.head, stored.ttl), (&replayed.head, replayed.ttl));
        // Only when something last happened may differ: replay has seen the next turn begin.
        assert_eq!(
            stored,
            Snapshot {
                updated_at: stored.updated_at,
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
    random: Rc<Cell<u128>>,
}

impl Environment for TestEnvironment {
    fn now(&self) -> u64 {
        self.clock.now()
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
        self.clock.sleep(milliseconds).await;
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

/// The texts of a turn's events, put together.
pub(super) fn streamed(events: &[Event]) -> String {
    let text = |event: &Event| match &event.kind {
        EventKind::TextDelta { text } => text.clone(),
        _ => String::new(),
    };
    events.iter().map(text).collect()
}

// ---- the tools ------------------------------------------------------------------------------------------

/// The tools `read`, `once` (idempotent) and `risky` (unprotected) of any server; each takes a number `n`.
#[derive(Clone, Default)]
pub(super) struct RecordingTools {
    /// Every call that reached a tool: its name and its idempotency key.
    pub calls: Rc<RefCell<Vec<(String, String)>>>,
    /// How often a key took effect.
    pub effects: Rc<RefCell<BTreeMap<String, u32>>>,
    /// What the next calls give instead; `true`: after they took effect.
    pub failures: Rc<RefCell<VecDeque<(bool, ToolError)>>>,
    /// Who asked.
    pub callers: Rc<RefCell<Vec<Caller>>>,
    /// How many calls are under way, and how many were at most.
    pub under_way: Rc<Cell<(u32, u32)>>,
    /// The list cannot be had.
    pub unlisted: Rc<Cell<bool>>,
    /// The list takes so long, by this clock.
    pub slow: Rc<RefCell<Option<(ManualClock, u64)>>>,
    /// What tools answer, if not "… n is done".
    pub answer: Rc<RefCell<Option<ToolOutcome>>>,
}

impl Tools for RecordingTools {
    async fn list(&self, _: &str, _: &Caller) -> Result<Vec<ToolDefinition>, ToolError> {
        yield_once().await;
        let slow = self.slow.borrow().clone();
        if let Some((clock, time)) = slow {
            clock.sleep(time).await;
        }
        if self.unlisted.get() {
            return Err(ToolError::NotRun("connection refused".into()));
        }
        let tool = |name: &str, class| ToolDefinition {
            name: name.into(),
            title: Some(name.to_uppercase()),
            description: format!("Does {name}"),
            input_schema: json!({
                "type": "object",
                "properties": {"n": {"type": "integer", "maximum": 1000}},
                "required": ["n"],
            }),
            effect: Effect {
                class,
                destructive: false,
            },
            examples: Vec::new(),
            reversible: false,
        };
        Ok(vec![
            tool("read", EffectClass::Read),
            tool("once", EffectClass::Idempotent),
            tool("risky", EffectClass::Unprotected),
        ])
    }

    async fn call(&self, _: &str, caller: &Caller, call: Invocation) -> Result<ToolOutcome, ToolError> {
        self.callers.borrow_mut().push(caller.clone());
        self.calls
            .borrow_mut()
            .push((call.tool.clone(), call.idempotency_key.clone()));
        let failure = self.failures.borrow_mut().pop_front();
        if let Some((false, error)) = failure {
            return Err(error);
        }
        let (now, most) = self.under_way.get();
        self.under_way.set((now + 1, most.max(now + 1)));
        yield_once().await;
        {
            let mut effects = self.effects.borrow_mut();
            let effect = effects.entry(call.idempotency_key).or_default();
            // An idempotent tool takes effect once for a key; the engine must see to it for the others.
            *effect = if call.tool == "once" { 1 } else { *effect + 1 };
        }
        yield_once().await;
        let (now, most) = self.under_way.get();
        self.under_way.set((now - 1, most));
        if let Some((_, error)) = failure {
            return Err(error);
        }
        let content = format!("{} {} is done", call.tool, call.arguments["n"]);
        Ok(self.answer.borrow().clone().unwrap_or(ToolOutcome {
            content,
            ..ToolOutcome::default()
        }))
    }

    async fn check(&self, _: &str, _: &Caller, _: Invocation) -> Result<Checked, ToolError> {
        Ok(Checked::Unknown)
    }
}
