//! Work on an admitted turn, from its lease to its end.

use crate::address::Address;
use crate::admission::Admitted;
use crate::agent::Agent;
use crate::assistant::{Assistant, Kind};
use crate::catalog::Catalog;
use crate::engine::Engine;
use crate::event::outbox::Outbox;
use crate::event::{Place, log};
use crate::flow::Work as Flow;
use crate::journal::writer::{WriteError, Writer};
use crate::journal::{Failure, FailureKind};
use crate::port::{Caller, Environment, Model, Sink, Tools};
use crate::run::{Run, Stop};
use crate::turn::{Turn, TurnError};
use crate::watch::{self, Span};
use anyturn_state::{Error, Store};
use futures::future::{Either, select};
use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};

/// How often in a row a turn is taken over without getting any further: whatever kills its instances would kill
/// the next one too.
const TAKE_OVERS: u32 = 5;

/// How often the gates of a turn are listed when the store does not answer.
const TRIES: u32 = 4;

/// Milliseconds before that is tried again; each further time waits twice as long.
const PAUSE: u64 = 25;

/// A turn to be worked on.
pub(crate) struct Work<'a> {
    pub address: &'a Address,
    pub admitted: Admitted,
    pub assistant: &'a Assistant,
    /// Whether the conversation could expire before the turn's next write.
    pub urgent: bool,
    /// Who listens.
    pub sink: &'a dyn Sink,
    /// The last event that the listener has heard: before this work, and after it.
    pub heard: &'a Cell<Option<Place>>,
}

/// The tools, if somebody has asked for them already.
pub(crate) type Listed<'a> = Pin<&'a mut dyn Future<Output = Option<Result<Catalog, Failure>>>>;

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// Runs an admitted turn to its end.
    pub(crate) async fn run(&self, work: Work<'_>, listed: Listed<'_>) -> Result<Turn, TurnError> {
        let Work {
            address,
            admitted,
            assistant,
            urgent,
            sink,
            heard,
        } = work;
        let next = admitted.told.as_ref().map_or(0, |told| told.next);
        let turn = admitted.turn().to_owned();
        let outbox = Outbox::new(turn, admitted.grant.epoch, next, sink, heard.get());
        let held = admitted.held(address, self.settings);
        let writer = Writer::new(&self.store, &self.environment, held, outbox);
        let Admitted {
            grant,
            loaded,
            told,
            stopped,
        } = admitted;
        let detached = loaded
            .conversation
            .head
            .as_ref()
            .is_some_and(|head| head.detached);
        if detached {
            let ttl = self.settings.detached_ttl;
            writer.set_ttl(Some(ttl), ttl);
        } else {
            writer.set_ttl(Some(assistant.session.ttl), log::TTL);
        }
        if stopped {
            writer.stop.give();
        }
        let current = loaded.conversation.current.as_ref();
        let hopeless = current.is_some_and(|current| current.resumed > TAKE_OVERS);
        let caller = Caller {
            user: address.user.clone(),
            roles: current.map(|turn| turn.started.roles.clone()).unwrap_or_default(),
            session: address.session.clone(),
            timezone: current.and_then(|turn| turn.started.timezone.clone()),
        };
        let span = match current {
            Some(current) => watch::turn(&self.environment, assistant, &address.session, current),
            None => Span::default(),
        };
        let run = Run::new(
            &self.environment,
            &writer,
            assistant,
            caller,
            loaded.conversation,
            told,
            span.clone(),
        )?;
        let working = async {
            if (urgent || grant.until == 0)
                && let Err(error) = writer.renew().await
            {
                return run.close(Err(error.into())).await;
            }
            let outcome = if hopeless {
                Err(Failure::lasting(FailureKind::Interrupted, HOPELESS).into())
            } else {
                match self.work(&run, assistant, listed).await {
                    Err(Stop::Waiting) => Err(self.announce(address, &run).await),
                    outcome => outcome,
                }
            };
            run.close(outcome).await
        };
        let (working, keeping) = (pin!(working), pin!(writer.keep()));
        let result = match select(span.around(working), span.around(keeping)).await {
            Either::Left((turn, _)) => turn,
            Either::Right((lost, _)) => run.close(Err(Stop::Lost(lost))).await,
        };
        span.turn_ended(&result);
        heard.set(writer.outbox.heard());
        result
    }

    /// Lists the gates of a turn that is about to wait, for those who can decide them: when they are durable, and
    /// before the turn says that it waits, so that whoever goes on with it should this instance die does it again.
    async fn announce(&self, address: &Address, run: &Run<'_, S, E>) -> Stop {
        let turn = run.progress(|progress| Some(progress.clone()));
        let Some(turn) = turn.filter(|turn| turn.open_gates().any(|gated| gated.opened.role.is_some()))
        else {
            return Stop::Waiting;
        };
        if let Err(stop) = run.flush().await {
            return stop;
        }
        let mut tries = 0;
        loop {
            tries += 1;
            match self.list_gates(&address.user, &address.session, &turn).await {
                Ok(()) => return Stop::Waiting,
                Err(Error::Unavailable(_)) if tries < TRIES => self.environment.sleep(PAUSE << tries).await,
                Err(error) => return Stop::Lost(WriteError::Store(error)),
            }
        }
    }

    /// Everything between admission and end.
    async fn work(&self, run: &Run<'_, S, E>, assistant: &Assistant, listed: Listed<'_>) -> Result<(), Stop> {
        run.go_on()?;
        let listing = pin!(async {
            match listed.await {
                Some(catalog) => catalog,
                None => Catalog::list(assistant, &self.tools, &run.caller).await,
            }
        });
        let catalog = match select(listing, pin!(run.stopped())).await {
            Either::Left((catalog, _)) => catalog?,
            Either::Right(_) => return Err(Stop::Stopped { text: String::new() }),
        };
        let agent = Agent {
            run,
            environment: &self.environment,
            model: &self.model,
            tools: &self.tools,
            catalog: &catalog,
            undo: self.settings.undo,
            span: &run.span,
        };
        match &assistant.kind {
            Kind::Agent => agent.answer().await,
            Kind::FourPrompt(flow) => Flow::new(agent, flow).answer().await,
        }
    }
}

/// Why a turn is given up.
const HOPELESS: &str = "the turn was taken over again and again without getting any further, and is given up";
