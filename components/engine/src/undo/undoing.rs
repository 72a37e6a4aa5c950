//! The turn that undoes.

use super::{UndoError, UndoRequest};
use crate::address::Address;
use crate::admission::{Application, Decision, holding};
use crate::assistant::Assistants;
use crate::attach::Listener;
use crate::conversation::{Action, End, Progress};
use crate::engine::{Engine, key};
use crate::id;
use crate::journal::{Key, ToUndo, TurnStarted};
use crate::loading::Loaded;
use crate::port::{Environment, Model, Part, Sink, Tools};
use crate::settle::{Ready, head};
use crate::turn::{SessionTarget, Turn, TurnError, TurnRequest};
use crate::words;
use anyturn_state::{ExpectedLength, Store};
use std::cell::{Cell, RefCell};

/// How often an undoing that meets other turns is tried.
const ROUNDS: u32 = 16;

/// What is said in the conversation where nobody has said anything.
const SAID: &str = "Undo that.";

/// Who wants what undone.
struct Wish<'a> {
    roles: &'a [String],
    timezone: Option<&'a str>,
    /// What was said.
    message: Vec<Part>,
    key: Option<Key>,
    call: Option<&'a str>,
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// Undoes a call of the conversation, in a turn of its own. The same call again gives the same turn, unless
    /// something of it is left to be undone.
    pub async fn undo(
        &self,
        assistants: &impl Assistants,
        request: UndoRequest,
        sink: &impl Sink,
    ) -> Result<Turn, UndoError> {
        let address = Address::new(&request.user, &request.session);
        let wish = Wish {
            roles: &request.roles,
            timezone: request.timezone.as_deref(),
            message: vec![Part::Text {
                text: SAID.to_owned(),
            }],
            key: None,
            call: request.call.as_deref(),
        };
        self.undo_wished(&address, wish, assistants, sink).await
    }

    /// Takes a message as the wish to undo that it is; `None` if it is a message like any other.
    pub(crate) async fn undo_said(
        &self,
        address: &Address,
        request: &TurnRequest,
        assistants: &impl Assistants,
        sink: &impl Sink,
    ) -> Result<Option<Turn>, TurnError> {
        let known = matches!(
            request.session,
            SessionTarget::Existing { .. } | SessionTarget::Either { .. }
        );
        if !known || !words::undo(&request.message) {
            return Ok(None);
        }
        let key = key(request);
        let seen = self.see(address, None, key.as_ref()).await?;
        let own = request
            .assistant
            .as_deref()
            .is_none_or(|name| name == head(&seen.loaded));
        if seen.key_taken || !own {
            return Ok(None);
        }
        let wish = Wish {
            roles: &request.roles,
            timezone: request.timezone.as_deref(),
            message: request.message.clone(),
            key,
            call: None,
        };
        match self.undo_wished(address, wish, assistants, sink).await {
            Ok(turn) => Ok(Some(turn)),
            // The model can say what it has to say about that.
            Err(UndoError::Nothing | UndoError::UnknownCall | UndoError::TooLate) => Ok(None),
            Err(UndoError::Turn(error)) => Err(error),
        }
    }

    async fn undo_wished(
        &self,
        address: &Address,
        wish: Wish<'_>,
        assistants: &impl Assistants,
        sink: &impl Sink,
    ) -> Result<Turn, UndoError> {
        for _ in 0..ROUNDS {
            let loaded = self.load(address).await?;
            let head_of = loaded.conversation.head.as_ref();
            if head_of.is_none_or(|head| head.detached) {
                return Err(TurnError::UnknownSession.into());
            }
            let Some(action) = loaded.conversation.standing.find(wish.call) else {
                return Err(match wish.call {
                    Some(_) => UndoError::UnknownCall,
                    None => UndoError::Nothing,
                });
            };
            let over = action.is_settled() || self.environment.now() > action.until;
            if let Some(turn) = self.undone_by(address, &loaded, action, over).await? {
                let listener =
                    Listener::repeating(Some(turn.first), self.settings.attach, self.environment.now());
                return Ok(self
                    .follow(address, &turn.turn, listener, assistants, sink)
                    .await?);
            }
            if self.environment.now() > action.until {
                return Err(UndoError::TooLate);
            }
            if action.is_settled() {
                return Err(UndoError::Nothing);
            }
            let assistant = assistants.load(head(&loaded)).await.map_err(TurnError::from)?;
            let application = self.undoing(address, &wish, action, loaded.length, assistant.session.ttl);
            match application.decide().await {
                Ok(Decision::Run(admitted)) => {
                    let ready = Ready {
                        admitted: *admitted,
                        assistant,
                    };
                    return Ok(self.finish(address, ready, assistants, sink).await?);
                }
                Ok(Decision::Known { turn, first }) => {
                    let listener = Listener::repeating(first, self.settings.attach, self.environment.now());
                    return Ok(self.follow(address, &turn, listener, assistants, sink).await?);
                }
                Ok(Decision::Busy(lease)) => {
                    let busy = TurnError::Busy {
                        turn: holding(&lease).to_owned(),
                        retry_after: lease.remaining.clamp(1, 1000),
                    };
                    return Err(busy.into());
                }
                Ok(Decision::Unsettled) => self.settle(address, assistants).await?,
                // The conversation has gone on since it was looked at: what is to be undone may be another thing.
                Err(TurnError::SessionExists) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(TurnError::Busy {
            turn: String::new(),
            retry_after: 1000,
        }
        .into())
    }

    /// The turn that undoes an action, or has; none if it is to be tried (again). `over`: whether nothing is left to
    /// be undone, or it is too late for that.
    async fn undone_by(
        &self,
        address: &Address,
        loaded: &Loaded,
        action: &Action,
        over: bool,
    ) -> Result<Option<Progress>, TurnError> {
        let Some(by) = &action.by else {
            return Ok(None);
        };
        let found = self.find(address, loaded, by, None).await?;
        let answers = |turn: &Progress| {
            let open = turn.end.is_none() || turn.can_go_on() || turn.is_waiting();
            turn.started.undo_only && (open || over && turn.end == Some(End::Finished))
        };
        Ok(found.filter(answers))
    }

    /// The application for the turn that undoes an action, if the conversation is still as it was seen.
    fn undoing<'a>(
        &'a self,
        address: &'a Address,
        wish: &Wish<'_>,
        action: &Action,
        length: u64,
        ttl: u64,
    ) -> Application<'a, S, E> {
        let undo = ToUndo {
            call: action.call.clone(),
            server: action.server.clone(),
            title: action.title.clone(),
            inverses: action.inverses.clone(),
            settled: action.settled.clone(),
            unknown: action.unknown.clone(),
        };
        let started = TurnStarted {
            message: wish.message.clone(),
            roles: wish.roles.to_vec(),
            timezone: wish.timezone.map(str::to_owned),
            key: wish.key.clone(),
            undo: vec![undo],
            undo_only: true,
            trace: self.environment.trace().cloned(),
            ..TurnStarted::default()
        };
        Application {
            store: &self.store,
            environment: &self.environment,
            settings: self.settings,
            scope: &address.scope,
            address,
            // Nobody has entered it; the admission does when the store says so.
            entered: Cell::default(),
            nonce: id::new("run", self.environment.random()),
            started,
            expected: ExpectedLength::Exactly(length),
            ttl: Some(ttl),
            unanswered: RefCell::default(),
        }
    }
}
