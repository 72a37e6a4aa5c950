//! Runs what takes a while, for either dialect: as one answer, or as a stream that begins when there is something to
//! tell.
//!
//! That is a turn, undoing (a turn of its own), and listening to a turn that was begun elsewhere. A stream's work runs
//! in a task of its own and tells what happens through a channel. What goes wrong before there is anything to tell is
//! an ordinary answer with its status; what goes wrong later is the stream's last event. A client that goes away closes
//! the channel, which the turn does not notice.

pub mod problem;
mod telling;

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;

use anyturn_engine::port::Environment;
use anyturn_engine::{
    Assistant, DecideOutcome, DecideRequest, Engine, Event, EventId, EventKind, SessionTarget, Settings,
    Stopping, Swept, Turn, TurnError, TurnRequest, UndoRequest, session_index,
};
use anyturn_state::{Store, Write};
use futures::channel::oneshot;
use futures::future::{Either, select};
use http::StatusCode;

use crate::assistants::Files;
use crate::exchange::{Caller, Exchange};
use crate::http::{Kind, Problem, Response, respond, sse};
use crate::platform::Platform;
use crate::tools::Servers;
use telling::{Telling, Ticking};

/// The engine over a platform's ports.
pub type PlatformEngine<P> =
    Engine<<P as Platform>::Store, <P as Platform>::Model, Servers<P>, <P as Platform>::Environment>;

/// The shortest and the longest lease that can be configured, in milliseconds.
const LEASE: std::ops::RangeInclusive<u64> = 500..=600_000;

/// Somebody who writes a turn down in a dialect.
pub trait Writer: 'static {
    /// An event as a piece of the stream; `None` where the dialect has no word for it.
    fn write(&mut self, event: &Event) -> Option<String>;

    /// Whether the answer begins with this event: from then on its status cannot change.
    fn begins(&self, event: &EventKind) -> bool;

    /// Milliseconds after which the answer begins although nothing has happened; none where it never does.
    fn patience(&self) -> Option<u64>;

    /// What is left to say when the turn has ended: the end itself, if no event has told it.
    fn end(&mut self, turn: &Turn) -> String;

    /// The end of a stream that cannot go on.
    fn break_off(&mut self, problem: &Problem) -> String;

    /// A turn that ended before the answer began, where the dialect tells that by a status.
    fn refuse(&self, turn: &Turn) -> Option<Problem>;
}

/// A platform's engine, for what takes no lease.
pub fn engine<P: Platform>(platform: &P) -> PlatformEngine<P> {
    configured(platform, Servers::new(platform), Settings::default())
}

fn configured<P: Platform>(platform: &P, servers: Servers<P>, settings: Settings) -> PlatformEngine<P> {
    Engine::new(
        platform.store().clone(),
        platform.model().clone(),
        servers,
        platform.environment().clone(),
        settings,
    )
}

/// The engine's times as they are configured.
///
/// # Errors
/// When one of them is wrong.
pub async fn settings<P: Platform>(exchange: &Exchange<'_, P>) -> Result<Settings, Problem> {
    let text = exchange.variable("turn_lease_ms").await?;
    let mut settings = Settings::default();
    if !text.trim().is_empty() {
        let lease = text.trim().parse().ok().filter(|lease| LEASE.contains(lease));
        settings.lease = lease.ok_or_else(|| {
            let detail = format!(
                "The variable `turn_lease_ms` is `{text}`; it must be a whole number from {} to {}.",
                LEASE.start(),
                LEASE.end()
            );
            Problem::new(Kind::Misconfigured, detail).with("variable", "turn_lease_ms")
        })?;
    }
    Ok(settings)
}

/// The engine as it is configured, with what it loads assistants by.
pub struct Configured<P: Platform> {
    engine: PlatformEngine<P>,
    loading: Loading<P>,
}

impl<P: Platform> Configured<P> {
    /// Reads the configuration.
    ///
    /// # Errors
    /// When it is wrong.
    pub async fn read(exchange: &Exchange<'_, P>, files: Files<P>) -> Result<Self, Problem> {
        let settings = settings(exchange).await?;
        let servers = Servers::new(exchange.platform);
        Ok(Self {
            engine: configured(exchange.platform, servers.clone(), settings),
            loading: Loading { files, servers },
        })
    }

    /// How long instances have their turns, in milliseconds.
    #[must_use]
    pub fn lease(&self) -> u64 {
        self.engine.settings().lease
    }

    /// Decides a gate, and goes on with its turn.
    ///
    /// # Errors
    /// Why it is not decided.
    pub async fn decide(&self, request: DecideRequest) -> Result<DecideOutcome, Problem> {
        let nobody = Telling::default();
        let deciding = self.engine.decide(&self.loading, request, &nobody);
        Box::pin(deciding).await.map_err(problem::decision)
    }

    /// Stops a turn.
    ///
    /// # Errors
    /// Why it is not stopped.
    pub async fn stop(&self, user: &str, session: &str, turn: &str) -> Result<Stopping, Problem> {
        let stopping = self.engine.stop(user, session, turn, &self.loading);
        Box::pin(stopping).await.map_err(problem::turn)
    }

    /// Goes on with turns that were left behind.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn sweep(&self, limit: u32) -> Result<Swept, Problem> {
        Ok(Box::pin(self.engine.sweep(&self.loading, limit)).await?)
    }
}

/// What takes a while.
pub enum Work {
    /// A turn.
    Turn(TurnRequest),
    /// Undoing, in a turn of its own.
    Undo(UndoRequest),
    /// Listening to a turn.
    Attach {
        /// Whose conversation it is.
        user: String,
        /// The conversation.
        session: String,
        /// The turn.
        turn: String,
        /// What the listener has heard last.
        after: Option<EventId>,
    },
}

impl Work {
    fn session(&self) -> &str {
        match self {
            Work::Turn(request) => request.session.id(),
            Work::Undo(request) => &request.session,
            Work::Attach { session, .. } => session,
        }
    }

    /// What is written into the user's shard before it begins: the session was used, and is to be looked at should
    /// this instance die.
    fn writes(&self, now: u64, lease: u64) -> Vec<Write> {
        match self {
            Work::Turn(TurnRequest { user, session, .. }) => match session {
                SessionTarget::New { id } | SessionTarget::Either { id } => {
                    session_index::touch(user, id, now, lease, true)
                }
                SessionTarget::Existing { id } => session_index::touch(user, id, now, lease, false),
                SessionTarget::Detached { id, .. } => session_index::touch_detached(user, id, now, lease),
            },
            Work::Undo(UndoRequest { user, session, .. }) => {
                session_index::touch(user, session, now, lease, false)
            }
            Work::Attach { .. } => Vec::new(),
        }
    }
}

/// Work that was counted and may begin.
pub struct Admitted<P: Platform> {
    platform: P,
    configured: Configured<P>,
    work: Work,
}

/// Admits work of a request that was counted before.
///
/// # Errors
/// When the configuration is wrong.
pub async fn admit_counted<P: Platform>(
    exchange: &Exchange<'_, P>,
    files: Files<P>,
    work: Work,
) -> Result<Admitted<P>, Problem> {
    Ok(Admitted {
        platform: exchange.platform.clone(),
        configured: Configured::read(exchange, files).await?,
        work,
    })
}

/// Counts the request and lists its session, in one commit on the user's shard.
///
/// # Errors
/// 429 and 503.
pub async fn admit<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    files: Files<P>,
    work: Work,
) -> Result<Admitted<P>, Problem> {
    let admitted = admit_counted(exchange, files, work).await?;
    let lease = admitted.configured.lease();
    let writes = admitted.work.writes(exchange.platform.environment().now(), lease);
    match exchange.count(caller, writes, Vec::new()).await {
        Ok(_) => Ok(admitted),
        Err(problem) => {
            if problem.kind == Kind::RateLimited {
                Listed::of(&admitted.work).remove(&admitted.platform).await;
            }
            Err(problem)
        }
    }
}

impl<P: Platform> Admitted<P> {
    /// Does it to its end.
    ///
    /// # Errors
    /// Why there is no turn.
    pub async fn run(self) -> Result<Turn, Problem> {
        self.drive(&Telling::default()).await
    }

    /// Does it in a task of its own; returns when there is something to tell. Where there never is, the answer is 204,
    /// which also keeps a browser's `EventSource` from asking again.
    ///
    /// # Errors
    /// Why it did not begin.
    pub async fn stream(self, writer: impl Writer) -> Result<Response, Problem> {
        let environment = self.platform.environment().clone();
        let session = self.work.session().to_owned();
        let patience = writer.patience();
        let (sender, events) = sse::stream(Box::new(Ticking(environment.clone())));
        let (begun, has_begun) = oneshot::channel();
        let telling = Rc::new(Telling::new(Box::new(writer), begun, sender));
        let told = Rc::clone(&telling);
        let platform = self.platform.clone();
        platform.spawn(async move {
            let outcome = self.drive(&told).await;
            told.conclude(outcome);
        });
        let begun = match patience {
            None => has_begun.await,
            Some(milliseconds) => match select(has_begun, pin!(environment.sleep(milliseconds))).await {
                Either::Left((begun, _)) => begun,
                Either::Right(((), has_begun)) => {
                    telling.begin();
                    has_begun.await
                }
            },
        };
        let mut response = match begun {
            Ok(Ok(true)) => respond::events(events),
            Ok(Ok(false)) => respond::empty(StatusCode::NO_CONTENT),
            Ok(Err(problem)) => return Err(problem),
            Err(_) => return Err(Problem::new(Kind::Internal, "The turn ended without a word.")),
        };
        respond::put_text(&mut response, "anyturn-session", &session);
        Ok(response)
    }

    /// All ways of doing it go through here, with one type of sink, so that a component holds the engine once.
    fn drive<'a>(self, telling: &'a Telling) -> Pin<Box<dyn Future<Output = Result<Turn, Problem>> + 'a>> {
        let Self {
            platform,
            configured: Configured { engine, loading },
            work,
        } = self;
        let listed = Listed::of(&work);
        Box::pin(async move {
            let outcome = match work {
                Work::Turn(request) => engine.turn(&loading, request, telling).await,
                Work::Undo(request) => {
                    return engine
                        .undo(&loading, request, telling)
                        .await
                        .map_err(problem::undo);
                }
                Work::Attach {
                    user,
                    session,
                    turn,
                    after,
                } => {
                    engine
                        .attach(&user, &session, &turn, after, &loading, telling)
                        .await
                }
            };
            // A session that was listed for this turn and never came to be.
            if let Err(
                TurnError::UnknownAssistant(_) | TurnError::Assistant(_) | TurnError::InvalidMessage(_),
            ) = &outcome
            {
                listed.remove(&platform).await;
            }
            outcome.map_err(problem::turn)
        })
    }
}

/// A new session that was put into its user's list before it came to be.
struct Listed(Option<(String, Write)>);

impl Listed {
    fn of(work: &Work) -> Self {
        Self(match work {
            Work::Turn(TurnRequest {
                user,
                session: SessionTarget::New { id },
                ..
            }) => Some((
                anyturn_engine::scope::shard(user),
                session_index::remove(user, id),
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
