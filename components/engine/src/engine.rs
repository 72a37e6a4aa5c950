//! The engine: from a request to a turn that is in the journal.

use crate::admission::{Admitted, Application, Decision};
use crate::agent::Agent;
use crate::assistant::{Assistant, Assistants, Kind, OnBusy};
use crate::catalog::Catalog;
use crate::event::{Event, EventKind};
use crate::id;
use crate::journal::writer::Writer;
use crate::journal::{Failure, Key, TurnStarted};
use crate::port::{Caller, Environment, Model, Part, Role, Sink, Tools};
use crate::run::{Run, Stop, refuse};
use crate::scope;
use crate::turn::{SessionTarget, Turn, TurnError, TurnRequest};
use anyturn_state::{ExpectedLength, Store};
use futures::future::{Either, maybe_done, select};
use sha2::{Digest, Sha256};
use std::future::{Future, poll_fn};
use std::pin::pin;

/// The longest session id or idempotency key, in bytes.
const LONGEST_ID: usize = 255;

/// The longest title, in characters.
const LONGEST_TITLE: usize = 200;

/// Runs turns and shows sessions. Keeps nothing: any number of engines, in any number of processes, may work
/// on the same store.
pub struct Engine<S, M, T, E> {
    pub(crate) store: S,
    model: M,
    tools: T,
    pub(crate) environment: E,
    settings: Settings,
}

/// Times, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long an instance has a turn without renewing its lease; it renews when a third has passed. A turn
    /// whose instance died can be taken over after so long.
    pub lease: u64,
    /// How long a request waits for the running turn of its idempotency key.
    pub attach: u64,
    /// How long a conversation of [`SessionTarget::Detached`] is kept.
    pub detached_ttl: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            lease: 5_000,
            attach: 60_000,
            detached_ttl: 120_000,
        }
    }
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// An engine over these ports.
    pub fn new(store: S, model: M, tools: T, environment: E, settings: Settings) -> Self {
        Engine {
            store,
            model,
            tools,
            environment,
            settings,
        }
    }

    /// The id for a new session; the same for every try of a request with an idempotency key.
    pub fn new_session_id(&self, user: &str, idempotency_key: Option<&str>) -> String {
        match idempotency_key {
            Some(key) => id::session_for_key(user, key),
            None => id::new("ses", self.environment.random()),
        }
    }

    /// Runs a turn to its end and tells the sink what happens meanwhile.
    ///
    /// When this returns a turn, it is durable. When the future is dropped, the turn stays as far as it has
    /// come: the same idempotency key goes on with it once the lease has run out.
    ///
    /// Round trips to the store: 2 without tools (admission, end), 4 with one call of a tool.
    pub async fn turn(
        &self,
        assistants: &impl Assistants,
        request: TurnRequest,
        sink: &impl Sink,
    ) -> Result<Turn, TurnError> {
        validate(&request)?;
        let session = request.session.id().to_owned();
        let scope = scope::conversation(&request.user, &session);
        let assistant = match &request.assistant {
            Some(name) => Some(assistants.load(name).await?),
            None if matches!(request.session, SessionTarget::Existing { .. }) => None,
            None => {
                return Err(TurnError::InvalidMessage(
                    "a new session needs an assistant".to_owned(),
                ));
            }
        };
        if let Some(assistant) = &assistant {
            check_length(assistant, &request)?;
        }
        let caller = Caller {
            user: request.user.clone(),
            roles: request.roles.clone(),
            session: session.clone(),
            timezone: request.timezone.clone(),
        };
        let application = self.application(&scope, &request, assistant.as_ref());
        // What the tools are does not depend on the admission: both are asked for at the same time. Nobody
        // waits for a slow tool server to be refused, and the lease is kept while one is waited for.
        let mut listing = pin!(maybe_done(async {
            match &assistant {
                Some(assistant) => Some(Catalog::list(assistant, &self.tools, &caller).await),
                None => None,
            }
        }));
        let mut deciding = pin!(application.decide());
        let decision = poll_fn(|context| {
            let decision = deciding.as_mut().poll(context);
            if decision.is_pending() {
                let _ = listing.as_mut().poll(context);
            }
            decision
        })
        .await?;
        let admitted = match decision {
            Decision::Run(admitted) => *admitted,
            Decision::Recorded { progress, assistant } => {
                let turn = progress.turn(&session, &assistant);
                retell(&turn, sink);
                return Ok(turn);
            }
        };
        let head = admitted.loaded.conversation.head.clone();
        let (own, detached) = head
            .map(|head| (head.assistant, head.detached))
            .unwrap_or_default();
        let writer = Writer::new(
            &self.store,
            &self.environment,
            &scope,
            admitted.epoch,
            admitted.loaded.length,
            self.settings.lease,
        );

        // What could not be checked before the conversation was known.
        let loaded = match &assistant {
            Some(_) => None,
            None => Some(assistants.load(&own).await),
        };
        let problem = match (&assistant, &loaded, &request.session) {
            (Some(assistant), ..) if assistant.name != own => Some(TurnError::OtherAssistant {
                assistant: own.clone(),
            }),
            (_, _, SessionTarget::Existing { .. } | SessionTarget::Either { .. }) if detached => {
                Some(TurnError::UnknownSession)
            }
            (_, Some(Err(error)), _) => Some(error.clone().into()),
            (_, Some(Ok(assistant)), _) => check_length(assistant, &request).err(),
            _ => None,
        };
        if let Some(problem) = problem {
            // Back to what it was; the admission may have set another assistant's.
            let own = admitted.loaded.expires.map(|(_, ttl)| ttl);
            writer.set_ttl(if detached {
                Some(self.settings.detached_ttl)
            } else {
                own
            });
            return Err(refuse(&self.environment, &writer, &admitted.loaded.conversation, problem).await);
        }
        let loaded = loaded.and_then(Result::ok);
        let Some(assistant) = assistant.as_ref().or(loaded.as_ref()) else {
            return Err(TurnError::UnknownAssistant(own));
        };
        writer.set_ttl(Some(if detached {
            self.settings.detached_ttl
        } else {
            assistant.session.ttl
        }));
        let urgent = application.ttl.is_none() && self.about_to_expire(&admitted);
        let run = Run::new(
            &self.environment,
            &writer,
            sink,
            assistant,
            caller.clone(),
            admitted,
        )?;
        let listed = async {
            listing.as_mut().await;
            listing.as_mut().take_output().flatten()
        };
        let work = async {
            if urgent && let Err(error) = writer.renew().await {
                return run.close(Err(error.into())).await;
            }
            let outcome = self.work(&run, assistant, listed).await;
            run.close(outcome).await
        };
        match select(pin!(work), pin!(writer.keep())).await {
            Either::Left((turn, _)) => turn,
            Either::Right((lost, _)) => run.close(Err(Stop::Lost(lost))).await,
        }
    }

    /// Everything between admission and end.
    async fn work<K: Sink>(
        &self,
        run: &Run<'_, S, E, K>,
        assistant: &Assistant,
        listed: impl Future<Output = Option<Result<Catalog, Failure>>>,
    ) -> Result<(), Stop> {
        let catalog = match listed.await {
            Some(catalog) => catalog?,
            None => Catalog::list(assistant, &self.tools, &run.caller).await?,
        };
        match assistant.kind {
            Kind::Agent => {
                Agent {
                    run,
                    environment: &self.environment,
                    model: &self.model,
                    tools: &self.tools,
                    catalog: &catalog,
                }
                .answer()
                .await
            }
        }
    }

    fn application<'a>(
        &'a self,
        scope: &'a str,
        request: &TurnRequest,
        assistant: Option<&Assistant>,
    ) -> Application<'a, S, E> {
        let (expected, history) = match &request.session {
            SessionTarget::New { .. } => (ExpectedLength::Exactly(0), None),
            SessionTarget::Existing { .. } => (ExpectedLength::AtLeast(1), None),
            SessionTarget::Either { .. } => (ExpectedLength::Any, None),
            SessionTarget::Detached { history, .. } => (ExpectedLength::Exactly(0), Some(history.clone())),
        };
        let ttl = match (&history, assistant) {
            (Some(_), _) => Some(self.settings.detached_ttl),
            (None, assistant) => assistant.map(|assistant| assistant.session.ttl),
        };
        let key = request.idempotency_key.as_ref().map(|key| Key {
            document: scope::idempotency(key),
            request: fingerprint(request),
        });
        let started = TurnStarted {
            assistant: request.assistant.clone(),
            title: request.title.clone(),
            message: request.message.clone(),
            history,
            roles: request.roles.clone(),
            timezone: request.timezone.clone(),
            options: request.options.clone(),
            key,
        };
        Application {
            store: &self.store,
            environment: &self.environment,
            settings: self.settings,
            scope,
            nonce: id::new("run", self.environment.random()),
            started,
            expected,
            ttl,
            on_busy: assistant.map_or(OnBusy::Reject, |assistant| assistant.on_busy),
        }
    }

    /// Whether the conversation could expire before the turn's next write.
    fn about_to_expire(&self, admitted: &Admitted) -> bool {
        let soon = self
            .environment
            .now()
            .saturating_add(self.settings.lease.saturating_mul(2));
        admitted.loaded.expires.is_none_or(|(expires, _)| expires < soon)
    }
}

/// Checks what needs neither the assistant nor the store.
fn validate(request: &TurnRequest) -> Result<(), TurnError> {
    let invalid = |problem: &str| Err(TurnError::InvalidMessage(problem.to_owned()));
    let blank = |part: &Part| matches!(part, Part::Text { text } if text.trim().is_empty());
    if request.message.iter().all(blank) {
        return invalid("the message is empty");
    }
    let said = |part: &Part| matches!(part, Part::Text { .. } | Part::Image { .. });
    if !request.message.iter().all(said) {
        return invalid("a message consists of text and images");
    }
    let id = request.session.id();
    if id.is_empty() || id.len() > LONGEST_ID {
        return invalid("a session's id has 1 to 255 bytes");
    }
    if request
        .idempotency_key
        .as_ref()
        .is_some_and(|key| key.is_empty() || key.len() > LONGEST_ID)
    {
        return invalid("an idempotency key has 1 to 255 bytes");
    }
    if request
        .title
        .as_ref()
        .is_some_and(|title| title.chars().count() > LONGEST_TITLE)
    {
        return invalid("a title has at most 200 characters");
    }
    if let SessionTarget::Detached { history, .. } = &request.session
        && history
            .iter()
            .any(|message| message.parts.is_empty() || message.role == Role::Tool)
    {
        return invalid("a history consists of what people and assistants said");
    }
    Ok(())
}

/// Checks the message against the assistant's limit.
fn check_length(assistant: &Assistant, request: &TurnRequest) -> Result<(), TurnError> {
    let most = assistant.limits.message_chars;
    let length: usize = request
        .message
        .iter()
        .map(|part| {
            if let Part::Text { text } = part {
                text.chars().count()
            } else {
                0
            }
        })
        .sum();
    if length > most {
        let problem = format!(
            "the message has {length} characters; {} takes at most {most}",
            assistant.title
        );
        return Err(TurnError::InvalidMessage(problem));
    }
    Ok(())
}

/// What makes two requests the same: everything that the user asks for, and nothing about when and how.
fn fingerprint(request: &TurnRequest) -> String {
    let history = match &request.session {
        SessionTarget::Detached { history, .. } => Some(history),
        _ => None,
    };
    let parts = (
        &request.assistant,
        &request.message,
        &history,
        &request.title,
        &request.options,
    );
    // Nothing in it can fail to become JSON; if that changes, requests of one key are taken for the same.
    let json = serde_json::to_vec(&parts).unwrap_or_default();
    scope::hex(Sha256::digest(json).get(..16).unwrap_or_default())
}

/// Tells the listener of a turn that has ended already.
fn retell(turn: &Turn, sink: &impl Sink) {
    let mut kinds = vec![EventKind::TurnStarted(crate::event::TurnStarted {
        session: turn.session.clone(),
        turn: turn.turn.clone(),
        assistant: turn.assistant.clone(),
        created_at: turn.created_at,
    })];
    for call in &turn.tool_calls {
        kinds.push(EventKind::ToolStarted(crate::event::ToolStarted {
            id: call.id.clone(),
            tool: call.tool.clone(),
            title: call.tool.clone(),
            server: call.server.clone(),
            arguments: call.arguments.clone(),
        }));
        kinds.push(EventKind::ToolFinished(call.clone()));
    }
    if !turn.message.content.is_empty() {
        kinds.push(EventKind::TextDelta {
            text: turn.message.content.clone(),
        });
    }
    kinds.push(match turn.error {
        None => EventKind::TurnFinished(Box::new(turn.clone())),
        Some(_) => EventKind::TurnFailed(Box::new(turn.clone())),
    });
    for (n, kind) in (0..).zip(kinds) {
        sink.emit(Event {
            id: crate::event::EventId {
                turn: turn.turn.clone(),
                epoch: 0,
                n,
            },
            kind,
        });
    }
}
