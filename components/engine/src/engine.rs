//! The engine: from a request to a turn that is in the journal.

use crate::address::Address;
use crate::admission::{Admitted, Application, Decision, holding};
use crate::assistant::{Assistant, Assistants, OnBusy};
use crate::attach::Listener;
use crate::catalog::Catalog;
use crate::conversation::{Head, Progress};
use crate::event::log;
use crate::event::outbox::{Nobody, Outbox};
use crate::id;
use crate::journal::writer::Writer;
use crate::journal::{Key, TurnStarted};
use crate::port::{Caller, Environment, Model, Part, Role, Sink, Tools};
use crate::register;
use crate::run::refuse;
use crate::scope;
use crate::turn::{SessionTarget, Turn, TurnError, TurnRequest};
use crate::working::Work;
use anyturn_state::{ExpectedLength, LeaseState, Store};
use futures::future::maybe_done;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;

/// How often a request that meets other turns tries to get its own.
const ROUNDS: u32 = 32;

/// The longest session id or idempotency key, in bytes.
const LONGEST_ID: usize = 255;

/// The longest title, in characters.
const LONGEST_TITLE: usize = 200;

/// Runs turns and shows sessions. Keeps nothing: any number of engines, in any number of processes, may work
/// on the same store.
pub struct Engine<S, M, T, E> {
    pub(crate) store: S,
    pub(crate) model: M,
    pub(crate) tools: T,
    pub(crate) environment: E,
    pub(crate) settings: Settings,
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
    /// For how long what a tool did can be undone.
    pub undo: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            lease: 5_000,
            attach: 60_000,
            detached_ttl: 120_000,
            undo: 5 * 60 * 1000,
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

    /// The times that it keeps to.
    pub fn settings(&self) -> Settings {
        self.settings
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
    /// come: whoever attaches to it, repeats its idempotency key or sends the next message goes on with it once
    /// the lease has run out.
    ///
    /// Round trips to the store: 2 without tools (admission, end), 4 with one call of a tool.
    pub async fn turn(
        &self,
        assistants: &impl Assistants,
        request: TurnRequest,
        sink: &impl Sink,
    ) -> Result<Turn, TurnError> {
        validate(&request)?;
        let address = Address::new(&request.user, request.session.id());
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
            session: address.session.clone(),
            timezone: request.timezone.clone(),
        };
        if let Some(turn) = self.answer(&address, &request, assistants, sink).await? {
            return Ok(turn);
        }
        if let Some(turn) = self.undo_said(&address, &request, assistants, sink).await? {
            return Ok(turn);
        }
        let application = self.application(&address, &request, assistant.as_ref());
        let ttl = application.ttl;
        // What the tools are does not depend on the admission: both are asked for at the same time. Nobody
        // waits for a slow tool server to be refused, and the lease is kept while one is waited for.
        let mut listing = pin!(maybe_done(async {
            match &assistant {
                Some(assistant) => Some(Catalog::list(assistant, &self.tools, &caller).await),
                None => None,
            }
        }));
        let way = {
            let mut entering =
                pin!(self.enter(&address, application, &request, assistant.as_ref(), assistants));
            poll_fn(|context| {
                let way = entering.as_mut().poll(context);
                if way.is_pending() {
                    let _ = listing.as_mut().poll(context);
                }
                way
            })
            .await?
        };
        let admitted = match way {
            Way::Run(admitted) => *admitted,
            Way::Follow { turn, listener } => {
                return self.follow(&address, &turn, listener, assistants, sink).await;
            }
        };
        let assistant = match self
            .check_admitted(&admitted, assistant.as_ref(), &request, assistants)
            .await
        {
            Ok(assistant) => assistant,
            Err(problem) => return Err(self.refuse(&address, admitted, problem).await),
        };
        let listed = pin!(async {
            listing.as_mut().await;
            listing.as_mut().take_output().flatten()
        });
        let work = Work {
            address: &address,
            urgent: ttl.is_none() && self.about_to_expire(&admitted),
            admitted,
            assistant: &assistant,
            sink,
            heard: &Cell::default(),
        };
        let heard = work.heard;
        match self.run(work, listed).await {
            // Somebody else has the turn now; the listener hears on from where it is.
            Err(TurnError::Fenced { turn }) => {
                let listener = Listener::after(heard.get());
                match self.follow(&address, &turn, listener, assistants, sink).await {
                    Err(TurnError::UnknownTurn | TurnError::UnknownSession) => {
                        Err(TurnError::Fenced { turn })
                    }
                    followed => followed,
                }
            }
            result => result,
        }
    }

    /// Applies, and does what the policies say, until the turn can begin or is found to have.
    async fn enter(
        &self,
        address: &Address,
        mut application: Application<'_, S, E>,
        request: &TurnRequest,
        assistant: Option<&Assistant>,
        assistants: &impl Assistants,
    ) -> Result<Way, TurnError> {
        let mut rounds = 0;
        loop {
            rounds += 1;
            let lease = match application.decide().await? {
                Decision::Run(admitted) => return Ok(Way::Run(admitted)),
                Decision::Known { turn, first } => {
                    let listener = Listener::repeating(first, self.settings.attach, self.environment.now());
                    return Ok(Way::Follow { turn, listener });
                }
                Decision::Unsettled if rounds < ROUNDS => {
                    self.settle(address, assistants).await?;
                    continue;
                }
                Decision::Unsettled => LeaseState::default(),
                Decision::Busy(lease) => lease,
            };
            let busy = || TurnError::Busy {
                turn: holding(&lease).to_owned(),
                retry_after: lease.remaining.clamp(1, 1000),
            };
            let policy = match (request.on_busy, assistant) {
                (Some(policy), _) => policy,
                (None, Some(assistant)) => assistant.on_busy,
                (None, None) => self.assistant(address, assistants).await?.on_busy,
            };
            match policy {
                OnBusy::Enqueue => {
                    let turn = self
                        .enqueue(address, &application, request, assistant, assistants)
                        .await?;
                    let listener = Listener::default();
                    return Ok(Way::Follow { turn, listener });
                }
                OnBusy::Interrupt | OnBusy::Rollback if rounds < ROUNDS => {
                    let stopped = self.interrupt(address, holding(&lease), assistants).await?;
                    if policy == OnBusy::Rollback {
                        let undo = stopped.iter().flat_map(Progress::to_undo);
                        application.started.undo.extend(undo);
                    }
                }
                OnBusy::Reject | OnBusy::Interrupt | OnBusy::Rollback => return Err(busy()),
            }
        }
    }

    /// The assistant of an admitted turn; or what could not be known before the conversation was, and is wrong.
    async fn check_admitted<'r>(
        &self,
        admitted: &Admitted,
        assistant: Option<&'r Assistant>,
        request: &TurnRequest,
        assistants: &impl Assistants,
    ) -> Result<Cow<'r, Assistant>, TurnError> {
        let head = admitted.loaded.conversation.head.as_ref();
        check_session(head, assistant, request, assistants).await
    }

    /// Ends a turn that should not have been admitted.
    async fn refuse(&self, address: &Address, admitted: Admitted, problem: TurnError) -> TurnError {
        let conversation = &admitted.loaded.conversation;
        let detached = conversation.head.as_ref().is_some_and(|head| head.detached);
        let outbox = Outbox::new(admitted.turn().to_owned(), admitted.grant.epoch, 0, &Nobody, None);
        let writer = Writer::new(
            &self.store,
            &self.environment,
            admitted.held(address, self.settings),
            outbox,
        );
        // Back to what it was; the admission may have set another assistant's.
        let own = admitted.loaded.expires.map(|(_, ttl)| ttl);
        let ttl = if detached {
            Some(self.settings.detached_ttl)
        } else {
            own
        };
        writer.set_ttl(ttl, log::TTL);
        refuse(&self.environment, &writer, conversation, problem).await
    }

    fn application<'a>(
        &'a self,
        address: &'a Address,
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
        let started = TurnStarted {
            assistant: request.assistant.clone(),
            title: request.title.clone(),
            message: request.message.clone(),
            history,
            roles: request.roles.clone(),
            timezone: request.timezone.clone(),
            options: request.options.clone(),
            key: key(request),
            undo: Vec::new(),
            undo_only: false,
            trace: self.environment.trace().cloned(),
        };
        Application {
            store: &self.store,
            environment: &self.environment,
            settings: self.settings,
            scope: &address.scope,
            address,
            // The front has done so just now.
            entered: Cell::new(
                self.environment
                    .now()
                    .saturating_add(register::certain(self.settings.lease)),
            ),
            nonce: id::new("run", self.environment.random()),
            started,
            expected,
            ttl,
            unanswered: RefCell::default(),
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

/// How a request goes on.
enum Way {
    /// Its turn is this instance's to run.
    Run(Box<Admitted>),
    /// Its turn is somewhere else, or has ended, or waits.
    Follow {
        /// The turn.
        turn: String,
        /// What is to be heard of it.
        listener: Listener,
    },
}

/// The assistant for a request to a conversation that is known; or what is wrong with the request.
pub(crate) async fn check_session<'r>(
    head: Option<&Head>,
    assistant: Option<&'r Assistant>,
    request: &TurnRequest,
    assistants: &impl Assistants,
) -> Result<Cow<'r, Assistant>, TurnError> {
    let (own, detached) = head.map_or(("", false), |head| (&head.assistant, head.detached));
    match (assistant, &request.session) {
        (Some(assistant), _) if assistant.name != own => Err(TurnError::OtherAssistant {
            assistant: own.to_owned(),
        }),
        (_, SessionTarget::Existing { .. } | SessionTarget::Either { .. }) if detached => {
            Err(TurnError::UnknownSession)
        }
        (Some(assistant), _) => Ok(Cow::Borrowed(assistant)),
        (None, _) => {
            let assistant = assistants.load(own).await?;
            check_length(&assistant, request)?;
            Ok(Cow::Owned(assistant))
        }
    }
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

/// The idempotency key of a request, as it is stored.
pub(crate) fn key(request: &TurnRequest) -> Option<Key> {
    request.idempotency_key.as_ref().map(|key| Key {
        document: scope::idempotency(key),
        request: fingerprint(request),
    })
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
