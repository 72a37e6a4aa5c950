//! Runs a turn for either dialect: as one answer, or as a stream that begins when the turn does.
//!
//! A streamed turn runs in a task of its own and tells what happens through a channel. What goes wrong before it has
//! begun is an ordinary answer with its status; what goes wrong later is the stream's last event. A client that goes
//! away closes the channel, which the turn does not notice.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;

use anyturn_engine::port::{Environment, Sink};
use anyturn_engine::{
    Assistant, Engine, Event, EventKind, SessionTarget, Settings, Turn, TurnError, TurnRequest, session_index,
};
use anyturn_state::{Store, Write};
use futures::channel::oneshot;

use crate::assistants::{self, Files};
use crate::exchange::{Caller, Exchange, sentence};
use crate::http::{Kind, Problem, Response, respond, sse};
use crate::platform::Platform;
use crate::tools::Servers;

/// The engine over a platform's ports.
pub type PlatformEngine<P> =
    Engine<<P as Platform>::Store, <P as Platform>::Model, Servers<P>, <P as Platform>::Environment>;

/// Somebody who writes a turn down in a dialect.
pub trait Writer: 'static {
    /// An event as a piece of the stream; `None` where the dialect has no word for it.
    fn write(&mut self, event: &Event) -> Option<String>;

    /// Whether the answer begins with this event: from then on its status cannot change.
    fn begins(&self, event: &EventKind) -> bool;

    /// What is left to say when the turn has ended: the end itself, if no event has told it.
    fn end(&mut self, turn: &Turn) -> String;

    /// The end of a stream that cannot go on.
    fn break_off(&mut self, problem: &Problem) -> String;

    /// A turn that ended before the answer began, where the dialect tells that by a status.
    fn refuse(&self, turn: &Turn) -> Option<Problem>;
}

/// A platform's engine.
pub fn engine<P: Platform>(platform: &P, servers: Servers<P>) -> PlatformEngine<P> {
    Engine::new(
        platform.store().clone(),
        platform.model().clone(),
        servers,
        platform.environment().clone(),
        Settings::default(),
    )
}

/// A turn that was counted and may begin.
pub struct Admitted<P> {
    platform: P,
    files: Files<P>,
    servers: Servers<P>,
    request: TurnRequest,
}

/// Counts the request and lists its session, in one commit on the user's shard.
///
/// # Errors
/// 429 and 503.
pub async fn admit<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    files: Files<P>,
    request: TurnRequest,
) -> Result<Admitted<P>, Problem> {
    let now = exchange.platform.environment().now();
    let user = caller.user();
    let writes = match &request.session {
        SessionTarget::New { id } | SessionTarget::Either { id } => session_index::touch(user, id, now, true),
        SessionTarget::Existing { id } => session_index::touch(user, id, now, false),
        SessionTarget::Detached { id, .. } => session_index::touch_detached(user, id, now),
    };
    let counted = exchange.count(caller, writes, Vec::new()).await;
    let admitted = Admitted {
        platform: exchange.platform.clone(),
        servers: Servers::new(exchange.platform),
        files,
        request,
    };
    match counted {
        Ok(_) => Ok(admitted),
        Err(problem) => {
            if problem.kind == Kind::RateLimited {
                Listed::of(&admitted.request).remove(&admitted.platform).await;
            }
            Err(problem)
        }
    }
}

impl<P: Platform> Admitted<P> {
    /// Runs the turn to its end.
    ///
    /// # Errors
    /// Why there is no turn.
    pub async fn run(self) -> Result<Turn, Problem> {
        self.drive(&Telling::default()).await
    }

    /// Runs the turn in a task of its own; returns when it has begun.
    ///
    /// # Errors
    /// Why it did not begin.
    pub async fn stream(self, writer: impl Writer) -> Result<Response, Problem> {
        let clock = Ticking(self.platform.environment().clone());
        let session = self.request.session.id().to_owned();
        let (sender, events) = sse::stream(Box::new(clock));
        let (begun, has_begun) = oneshot::channel();
        let telling = Telling(RefCell::new(Some(Inner {
            writer: Box::new(writer),
            held: String::new(),
            begun: Some(begun),
            sender,
        })));
        let platform = self.platform.clone();
        platform.spawn(async move {
            let outcome = self.drive(&telling).await;
            if let Some(inner) = telling.0.into_inner() {
                inner.conclude(outcome);
            }
        });
        match has_begun.await {
            Ok(Ok(())) => {
                let mut response = respond::events(events);
                respond::put_text(&mut response, "anyturn-session", &session);
                Ok(response)
            }
            Ok(Err(problem)) => Err(problem),
            Err(_) => Err(Problem::new(Kind::Internal, "The turn ended without a word.")),
        }
    }

    /// Both ways of running a turn go through here, with one type of sink, so that a component holds the engine once.
    fn drive<'a>(self, telling: &'a Telling) -> Pin<Box<dyn Future<Output = Result<Turn, Problem>> + 'a>> {
        let Self {
            platform,
            files,
            servers,
            request,
        } = self;
        let listed = Listed::of(&request);
        Box::pin(async move {
            let engine = engine(&platform, servers.clone());
            match engine.turn(&Loading { files, servers }, request, telling).await {
                Ok(turn) => Ok(turn),
                Err(error) => {
                    // A session that was listed for this turn and never came to be.
                    if matches!(
                        error,
                        TurnError::UnknownAssistant(_)
                            | TurnError::Assistant(_)
                            | TurnError::InvalidMessage(_)
                    ) {
                        listed.remove(&platform).await;
                    }
                    Err(problem(error))
                }
            }
        })
    }
}

/// A new session that was put into its user's list before it came to be.
struct Listed(Option<(String, Write)>);

impl Listed {
    fn of(request: &TurnRequest) -> Self {
        Self(match &request.session {
            SessionTarget::New { id } => Some((
                anyturn_engine::scope::shard(&request.user),
                session_index::remove(&request.user, id),
            )),
            _ => None,
        })
    }

    /// Takes it from the list again. That it stays there if this fails does no harm: lists skip sessions that do not
    /// exist.
    async fn remove<P: Platform>(self, platform: &P) {
        if let Some((scope, write)) = self.0 {
            let _ = platform.store().commit(&scope, vec![write], Vec::new()).await;
        }
    }
}

/// Loads assistants for the engine, and lets the tool servers know which of them may know who is asking.
struct Loading<P> {
    files: Files<P>,
    servers: Servers<P>,
}

impl<P: Platform> anyturn_engine::Assistants for Loading<P> {
    async fn load(&self, name: &str) -> Result<Assistant, anyturn_engine::LoadError> {
        let assistant = self.files.read(name)?;
        self.servers.allow(&assistant);
        Ok(assistant)
    }
}

/// Tells whoever listens, if anybody does.
#[derive(Default)]
struct Telling(RefCell<Option<Inner>>);

struct Inner {
    writer: Box<dyn Writer>,
    /// What was written before the answer began.
    held: String,
    begun: Option<oneshot::Sender<Result<(), Problem>>>,
    sender: sse::Sender,
}

impl Sink for Telling {
    fn emit(&self, event: Event) {
        let mut inner = self.0.borrow_mut();
        let Some(inner) = inner.as_mut() else { return };
        let begins = inner.begun.is_some() && inner.writer.begins(&event.kind);
        if let Some(text) = inner.writer.write(&event) {
            inner.send(text);
        }
        if begins {
            inner.begin();
        }
    }
}

impl Inner {
    fn send(&mut self, text: String) {
        if self.begun.is_some() {
            self.held.push_str(&text);
        } else if !text.is_empty() {
            // Whether anybody still listens is no matter.
            let _ = self.sender.unbounded_send(text);
        }
    }

    fn begin(&mut self) {
        if let Some(begun) = self.begun.take() {
            let held = std::mem::take(&mut self.held);
            self.send(held);
            let _ = begun.send(Ok(()));
        }
    }

    fn conclude(mut self, outcome: Result<Turn, Problem>) {
        let refused = match &outcome {
            Ok(turn) => self.writer.refuse(turn),
            Err(problem) => Some(problem.clone()),
        };
        if let Some(problem) = refused
            && let Some(begun) = self.begun.take()
        {
            let _ = begun.send(Err(problem));
            return;
        }
        let last = match &outcome {
            Ok(turn) => self.writer.end(turn),
            Err(problem) => self.writer.break_off(problem),
        };
        self.send(last);
        self.begin();
    }
}

/// The keep-alive's clock.
struct Ticking<E>(E);

impl<E: Environment + Clone + 'static> sse::Clock for Ticking<E> {
    fn now(&self) -> u64 {
        self.0.now()
    }

    fn sleep(&self, milliseconds: u64) -> Pin<Box<dyn Future<Output = ()>>> {
        let environment = self.0.clone();
        Box::pin(async move { environment.sleep(milliseconds).await })
    }
}

/// Why there is no turn, in native words.
#[must_use]
pub fn problem(error: TurnError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        TurnError::UnknownAssistant(name) => assistants::unknown(&name),
        TurnError::Assistant(error) => assistants::invalid(&error),
        TurnError::UnknownSession => Problem::new(Kind::UnknownSession, detail),
        TurnError::SessionExists => Problem::new(Kind::Internal, detail),
        TurnError::OtherAssistant { assistant } => {
            Problem::new(Kind::OtherAssistant, detail).with("assistant", assistant)
        }
        TurnError::Busy { turn, retry_after } | TurnError::StillRunning { turn, retry_after } => {
            Problem::new(Kind::TurnRunning, detail)
                .with("turn", turn)
                .header(http::header::RETRY_AFTER, seconds(retry_after))
        }
        TurnError::UnknownTurn => Problem::new(Kind::UnknownSession, detail),
        TurnError::LaterVersion(_) => Problem::new(Kind::StoreUnavailable, detail),
        TurnError::KeyReused => Problem::new(Kind::IdempotencyMismatch, detail),
        TurnError::InvalidMessage(_) => Problem::message("/message", detail),
        TurnError::Store(error) => error.into(),
        TurnError::Fenced { turn } => Problem::new(Kind::TurnRunning, detail)
            .with("turn", turn)
            .header(http::header::RETRY_AFTER, "1"),
    }
}

/// Milliseconds as whole seconds, at least one.
#[must_use]
pub fn seconds(milliseconds: u64) -> String {
    milliseconds.div_ceil(1000).max(1).to_string()
}
