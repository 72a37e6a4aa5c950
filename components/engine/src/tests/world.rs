//! A world for engines: a store in memory, a clock that moves when told, a model that does what the message
//! says, tools that remember what they did, and an executor that a test controls.

use crate::assistant::{Assistant, Assistants, LoadError};
use crate::conversation::Conversation;
use crate::engine::{Engine, Settings};
use crate::event::{Event, EventKind};
use crate::journal::{Entry, Record};
use crate::port::*;
use crate::turn::{SessionTarget, Turn, TurnError, TurnRequest};
use anyturn_state::memory::{ManualClock, MemoryStore};
use anyturn_state::{Found, Position, Query, Store};
use futures::task::{ArcWake, waker};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::{Pin, pin};
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

    /// The snapshot as it is stored, and the journal's checkpoint.
    pub(super) fn snapshot(&self, session: &str) -> (Option<Value>, u64) {
        let found = self
            .run(self.store.read(&scope(session), crate::loading::queries().into()))
            .unwrap();
        let (Found::Document(document), Found::Journal(slice)) = (&found[0], &found[1]) else {
            panic!()
        };
        let value = document
            .as_ref()
            .map(|document| serde_json::from_slice(&document.value).unwrap());
        (value, slice.checkpoint)
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
        let replayed: Value = serde_json::from_slice(&replayed.encode().unwrap()).unwrap();
        assert_eq!(stored["exchanges"], replayed["exchanges"]);
        assert_eq!(stored["head"], replayed["head"]);
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

// ---- the model ------------------------------------------------------------------------------------------

/// Does what the user's last message says: steps divided by `|`, each of words. `read:1`, `once:2`, `risky:3`
/// and so on call tools; `wait:1000` takes so long; anything else is said. After the last step it says "done".
#[derive(Clone, Default)]
pub(super) struct ScriptedModel {
    /// What the next calls give instead.
    pub failures: Rc<RefCell<VecDeque<ModelError>>>,
    pub requests: Rc<RefCell<Vec<ModelRequest>>>,
    clock: Rc<RefCell<Option<ManualClock>>>,
}

pub(super) struct ScriptedAnswer {
    events: VecDeque<ModelEvent>,
    wait: u64,
    clock: ManualClock,
}

impl Model for ScriptedModel {
    type Answer = ScriptedAnswer;

    async fn complete(&self, request: ModelRequest) -> Result<ScriptedAnswer, ModelError> {
        self.requests.borrow_mut().push(request.clone());
        if let Some(error) = self.failures.borrow_mut().pop_front() {
            return Err(error);
        }
        let asked = request
            .messages
            .iter()
            .rposition(|message| message.role == Role::User)
            .unwrap();
        let script = text(&request.messages[asked]);
        let answered = request.messages[asked..]
            .iter()
            .filter(|message| message.role == Role::Tool)
            .count();
        let mut answer = ScriptedAnswer {
            events: VecDeque::new(),
            wait: 0,
            clock: self.clock.borrow().clone().unwrap(),
        };
        let mut calls = 0;
        for word in script
            .split('|')
            .nth(answered)
            .unwrap_or("done")
            .split_whitespace()
        {
            match word.split_once(':') {
                Some(("wait", time)) => answer.wait = time.parse().unwrap(),
                Some((name, n)) if request.tools_allowed => {
                    let arguments = n
                        .parse::<i64>()
                        .map_or(n.to_owned(), |n| json!({ "n": n }).to_string());
                    let started = ModelEvent::ToolCallStarted {
                        index: calls,
                        id: "same".into(),
                        name: name.into(),
                    };
                    // In two pieces, as providers do.
                    let (a, b) = arguments.split_at(arguments.len() / 2);
                    let piece = |arguments: &str| ModelEvent::ToolCallArguments {
                        index: calls,
                        arguments: arguments.to_owned(),
                    };
                    answer.events.extend([started, piece(a), piece(b)]);
                    calls += 1;
                }
                None if word == "fail" => {
                    answer
                        .events
                        .push_back(ModelEvent::Failed(model_error(ModelErrorKind::Unavailable)));
                    return Ok(answer);
                }
                None if word == "cut" => return Ok(answer),
                _ => {
                    let blank = if answer.events.is_empty() { "" } else { " " };
                    answer
                        .events
                        .push_back(ModelEvent::Text(format!("{blank}{word}")));
                }
            }
        }
        answer.events.push_back(ModelEvent::Finished {
            reason: if calls > 0 {
                FinishReason::ToolCalls
            } else {
                FinishReason::Stop
            },
            usage: Usage {
                input_tokens: 10,
                cached_tokens: 1,
                output_tokens: 2,
            },
            model: "scripted".into(),
        });
        Ok(answer)
    }
}

impl Answer for ScriptedAnswer {
    async fn next(&mut self) -> Option<ModelEvent> {
        let wait = std::mem::take(&mut self.wait);
        if wait > 0 {
            self.clock.sleep(wait).await;
        }
        yield_once().await;
        self.events.pop_front()
    }
}

pub(super) fn model_error(kind: ModelErrorKind) -> ModelError {
    ModelError {
        kind,
        message: "the model is out".into(),
        retry_after: Some(7),
    }
}

pub(super) fn text(message: &Message) -> String {
    let text = |part: &Part| match part {
        Part::Text { text } => text.clone(),
        _ => String::new(),
    };
    message.parts.iter().map(text).collect()
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
    /// What tools answer, if not "… n is done".
    pub answer: Rc<RefCell<Option<ToolOutcome>>>,
}

impl Tools for RecordingTools {
    async fn list(&self, _: &str, _: &Caller) -> Result<Vec<ToolDefinition>, ToolError> {
        yield_once().await;
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
        let mut effects = self.effects.borrow_mut();
        let effect = effects.entry(call.idempotency_key).or_default();
        // An idempotent tool takes effect once for a key; the engine must see to it for the others.
        *effect = if call.tool == "once" { 1 } else { *effect + 1 };
        drop(effects);
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
}

// ---- the executor ---------------------------------------------------------------------------------------

struct Flag(AtomicBool);

impl ArcWake for Flag {
    fn wake_by_ref(flag: &Arc<Self>) {
        flag.0.store(true, Ordering::SeqCst);
    }
}

/// Tasks that run one poll at a time, in an order that the test chooses.
#[derive(Default)]
pub(super) struct Tasks(Vec<(Arc<Flag>, Option<Pin<Box<dyn Future<Output = ()>>>>)>);

impl Tasks {
    /// Adds a task.
    pub(super) fn spawn(&mut self, future: impl Future<Output = ()> + 'static) -> usize {
        self.0
            .push((Arc::new(Flag(AtomicBool::new(true))), Some(Box::pin(future))));
        self.0.len() - 1
    }

    /// Polls one of the tasks that can go on; `false` if none can.
    pub(super) fn poll_any(&mut self, choice: usize) -> bool {
        let can = |(flag, task): &(Arc<Flag>, Option<_>)| task.is_some() && flag.0.load(Ordering::SeqCst);
        let ready: Vec<usize> = (0..self.0.len()).filter(|index| can(&self.0[*index])).collect();
        if ready.is_empty() {
            return false;
        }
        self.poll(ready[choice % ready.len()])
    }

    /// Polls this task; `false` if it has nothing to do.
    pub(super) fn poll(&mut self, index: usize) -> bool {
        let (flag, task) = &mut self.0[index];
        let Some(future) = task.as_mut().filter(|_| flag.0.swap(false, Ordering::SeqCst)) else {
            return false;
        };
        if future
            .as_mut()
            .poll(&mut Context::from_waker(&waker(flag.clone())))
            .is_ready()
        {
            *task = None;
        }
        true
    }

    /// Drops a task wherever it is, as a crash does; `false` if it had ended.
    pub(super) fn crash(&mut self, index: usize) -> bool {
        self.0[index].1.take().is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, task)| task.is_none())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

pub(super) async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
