//! Taking decisions: one commit, which decides gates or changes nothing.
//!
//! It appends `gate-decided` on the condition that nothing else was appended since the gates were seen to be
//! open, writes the audit, and, if no other gate of the turn is open then, acquires the turn's lease and takes it
//! up again. So a gate is decided once, whoever decides at the same time, and a turn of which everything is
//! decided is taken up with the decision or not at all.

use crate::address::Address;
use crate::admission::{acquire, lease_of, unfinished};
use crate::assistant::Assistants;
use crate::attach::Listener;
use crate::audit::{self, Audited};
use crate::conversation::{Gated, Progress, waiting_until};
use crate::engine::Engine;
use crate::event::outbox::Nobody;
use crate::id;
use crate::journal::{Entry, GateDecided, Key, Record, Ruling, VERSION, unreadable};
use crate::loading::{self, Loaded};
use crate::port::{Environment, Model, Sink, Tools};
use crate::register;
use crate::scope;
use crate::settle::{Ready, Resumption, head};
use crate::turn::{Turn, TurnError};
use crate::watch;
use crate::working::Work;
use anyturn_state::{Actual, Error, ExpectedLength, ExpectedVersion, Found, LeaseState, Query, Store, Write};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cell::Cell;
use std::pin::pin;

/// How often gates are dropped when somebody else is quicker.
const TRIES: u32 = 4;

/// A gate that was decided, as it is kept for those who ask again.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept<'a> {
    v: u32,
    /// Its turn.
    pub turn: Cow<'a, str>,
    /// Where the turn's first entry stands.
    pub first: u64,
    /// The gate.
    pub gated: Cow<'a, Gated>,
}

/// A conversation as whoever decides sees it.
pub(crate) struct Seen {
    pub loaded: Loaded,
    /// Who works on it.
    pub lease: LeaseState,
    /// Whether a turn has begun and not ended.
    pub unfinished: bool,
    /// Whether the idempotency key of the request is taken.
    pub key_taken: bool,
    /// The gate that was asked for, if it is one that was decided.
    pub(super) kept: Option<Kept<'static>>,
}

impl Seen {
    /// Whether nobody works on the conversation, and nobody has to.
    pub(crate) fn is_idle(&self) -> bool {
        self.lease.holder.is_empty() && !self.unfinished
    }
}

/// Decisions to be taken on gates of one turn that waits.
pub(super) struct Taking<'a> {
    pub turn: &'a Progress,
    pub decisions: Vec<GateDecided>,
    /// What is written along.
    pub also: Vec<Write>,
    /// The last moment, by the store's clock, at which they count.
    pub not_after: Option<u64>,
}

/// What came of decisions.
pub(super) enum Taken {
    /// They are taken, and the turn goes on, here.
    GoesOn(Box<Ready>),
    /// They are taken, and the turn waits for others.
    Waits(Box<Progress>),
    /// They come too late, by the store's clock.
    Late,
    /// Something else was written before, or it is not known; looking again tells.
    Elsewhere,
}

/// The decision that time takes.
pub(crate) fn by_itself(gated: &Gated, verdict: Ruling) -> GateDecided {
    GateDecided {
        gate: gated.opened.gate.clone(),
        verdict,
        by: None,
        arguments: None,
        hash: gated.opened.hash.clone(),
        always: false,
        comment: None,
    }
}

/// What is written of decisions on gates of a turn, besides the journal: the audit, and what is kept for those who
/// ask again.
pub(crate) fn beside(
    turn: &Progress,
    at: u64,
    decisions: &[GateDecided],
    ttl: Option<u64>,
) -> Result<Vec<Write>, Error> {
    let mut audited = Vec::with_capacity(decisions.len());
    let mut writes = Vec::with_capacity(decisions.len() + 1);
    for decided in decisions {
        let Some(gated) = turn.gate(&decided.gate) else {
            continue;
        };
        audited.push(Audited::decision(&turn.turn, at, gated, decided));
        let kept = Kept {
            v: VERSION,
            turn: Cow::Borrowed(&turn.turn),
            first: turn.first,
            gated: Cow::Owned(Gated {
                decided: Some((at, decided.clone())),
                ..gated.clone()
            }),
        };
        writes.push(Write::Put {
            document: scope::gate(&decided.gate),
            expected: ExpectedVersion::Any,
            value: serde_json::to_vec(&kept).map_err(|error| Error::Invalid(error.to_string()))?,
            ttl,
        });
    }
    writes.push(audit::append(&audited)?);
    Ok(writes)
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// Looks at a conversation in order to decide something in it.
    pub(crate) async fn see(
        &self,
        address: &Address,
        gate: Option<&str>,
        key: Option<&Key>,
    ) -> Result<Seen, TurnError> {
        let mut queries: Vec<Query> = loading::queries().into();
        queries.push(Query::Lease(scope::TURN.to_owned()));
        queries.push(Query::Document(scope::UNFINISHED.to_owned()));
        queries.extend(gate.map(|gate| Query::Document(scope::gate(gate))));
        queries.extend(key.map(|key| Query::Document(key.document.clone())));
        let mut found = self.store.read(&address.scope, queries).await?;
        let rest = found.split_off(found.len().min(2));
        let loaded = loading::load(&self.store, &address.scope, found).await?;
        let lease = lease_of(&rest);
        let mut documents = rest.into_iter().filter_map(|found| match found {
            Found::Document(document) => Some(document),
            _ => None,
        });
        let unfinished = documents.next().flatten().is_some();
        let kept = match gate.and_then(|_| documents.next().flatten()) {
            None => None,
            Some(document) => {
                let unreadable = |problem| unreadable("the record of a decision", &document.value, problem);
                let kept: Kept<'static> =
                    anyturn_json::from_slice(&document.value).map_err(|problem| unreadable(Some(problem)))?;
                if kept.v > VERSION {
                    return Err(unreadable(None).into());
                }
                Some(kept)
            }
        };
        let key_taken = key.and_then(|_| documents.next().flatten()).is_some();
        Ok(Seen {
            loaded,
            lease,
            unfinished,
            key_taken,
            kept,
        })
    }

    /// Takes decisions on a turn that waits, along with those that time has taken by now.
    pub(super) async fn take(
        &self,
        address: &Address,
        loaded: &Loaded,
        taking: Taking<'_>,
        assistants: &impl Assistants,
    ) -> Result<Taken, TurnError> {
        let Taking {
            turn,
            mut decisions,
            also,
            not_after,
        } = taking;
        let now = self.environment.now();
        let time = self.store_time(&address.scope).await?;
        for gated in turn.open_gates().filter(|gated| gated.is_due(time)) {
            if !decisions.iter().any(|decided| decided.gate == gated.opened.gate) {
                decisions.push(by_itself(gated, Ruling::Expired));
            }
        }
        let mut after = turn.clone();
        for decided in &decisions {
            after.apply(now, Record::GateDecided(Box::new(decided.clone())));
        }
        let goes_on = after.open_gates().next().is_none();
        let assistant = assistants.load(head(loaded)).await?;
        let own = assistant.session.ttl;
        let open = loaded.conversation.waiting().flat_map(Progress::open_gates);
        let ttl = open.map(|gated| gated.keeps(now, own)).chain([own]).max();
        let nonce = id::new("run", self.environment.random());
        let mut writes = Vec::new();
        if goes_on {
            writes.push(acquire(&turn.turn, &nonce, self.settings));
            writes.push(unfinished(&turn.turn));
        }
        writes.extend(not_after.map(Write::NotAfter));
        let mut records: Vec<Record> = Vec::with_capacity(decisions.len() + 1);
        records.extend(
            decisions
                .iter()
                .cloned()
                .map(|decided| Record::GateDecided(Box::new(decided))),
        );
        if goes_on {
            records.push(Record::TurnResumed {
                holder: format!("{}/{nonce}", turn.turn),
            });
        }
        let mut entries = Vec::with_capacity(records.len());
        for what in records {
            let entry = Entry {
                v: VERSION,
                at: now,
                turn: turn.turn.clone(),
                what,
            };
            entries.push(entry.encode()?);
        }
        writes.push(Write::Append {
            journal: scope::TURNS.to_owned(),
            expected: ExpectedLength::Exactly(loaded.length),
            entries,
            ttl,
        });
        writes.extend(beside(turn, now, &decisions, ttl)?);
        writes.extend(also);
        let taken = if goes_on {
            // Should this instance die right after, the sweep finds the turn.
            let enter = register::enter(&address.user, &address.session, now, self.settings.lease);
            let shard = scope::shard(&address.user);
            self.store.commit(&shard, vec![enter], Vec::new()).await?;
            match self
                .admit(address, &turn.turn, &nonce, writes, true, assistant)
                .await?
            {
                Resumption::Ready(ready) => Taken::GoesOn(ready),
                Resumption::Late => Taken::Late,
                Resumption::Elsewhere | Resumption::Gone => Taken::Elsewhere,
            }
        } else {
            let others = loaded
                .conversation
                .waiting()
                .filter(|other| other.turn != turn.turn);
            writes.push(waiting_until(others.chain([&after]), ttl));
            match self.store.commit(&address.scope, writes, Vec::new()).await {
                Ok(_) => Taken::Waits(Box::new(after)),
                Err(Error::Conflict {
                    actual: Actual::Time(_),
                    ..
                }) => Taken::Late,
                Err(Error::Conflict { .. } | Error::Unavailable(_)) => Taken::Elsewhere,
                Err(error) => return Err(error.into()),
            }
        };
        if matches!(taken, Taken::GoesOn(_) | Taken::Waits(_)) {
            let decided = |gated: &&Gated| decisions.iter().any(|decided| decided.gate == gated.opened.gate);
            for decided in &decisions {
                if let Some(gated) = turn.gate(&decided.gate) {
                    watch::gate_decided(&self.environment, turn, &gated.opened, decided.verdict);
                }
            }
            let gates = turn.open_gates().filter(decided).map(|gated| &gated.opened);
            self.unlist(gates).await;
        }
        Ok(taken)
    }

    /// Takes up a turn that waits for nothing but decisions that nobody can take any more.
    pub(crate) async fn expire(
        &self,
        address: &Address,
        loaded: &Loaded,
        turn: &Progress,
        assistants: &impl Assistants,
    ) -> Result<Resumption, TurnError> {
        let taking = Taking {
            turn,
            decisions: Vec::new(),
            also: Vec::new(),
            not_after: None,
        };
        Ok(match self.take(address, loaded, taking, assistants).await? {
            Taken::GoesOn(ready) => Resumption::Ready(ready),
            Taken::Waits(_) | Taken::Late | Taken::Elsewhere => Resumption::Elsewhere,
        })
    }

    /// Drops the gates of a turn that waits, which then goes on without the calls; `false` if it does not wait.
    pub(crate) async fn drop_gates(
        &self,
        address: &Address,
        turn: &str,
        assistants: &impl Assistants,
    ) -> Result<bool, TurnError> {
        for _ in 0..TRIES {
            let loaded = self.load(address).await?;
            let waiting = loaded.conversation.waiting().find(|waiting| waiting.turn == turn);
            let Some(turn) = waiting else {
                return Ok(false);
            };
            let dropped = |gated: &Gated| by_itself(gated, Ruling::Dropped);
            let taking = Taking {
                turn,
                decisions: turn.open_gates().map(dropped).collect(),
                also: Vec::new(),
                not_after: None,
            };
            if let Taken::GoesOn(ready) = self.take(address, &loaded, taking, assistants).await? {
                self.finish(address, *ready, assistants, &Nobody).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Runs a turn that was taken up to its end, or follows whoever does.
    pub(crate) async fn finish(
        &self,
        address: &Address,
        ready: Ready,
        assistants: &impl Assistants,
        sink: &dyn Sink,
    ) -> Result<Turn, TurnError> {
        let Ready { admitted, assistant } = ready;
        let heard = Cell::default();
        let work = Work {
            address,
            admitted,
            assistant: &assistant,
            urgent: false,
            sink,
            heard: &heard,
        };
        match self.run(work, pin!(std::future::ready(None))).await {
            Err(TurnError::Fenced { turn }) => {
                let listener = Listener::after(heard.get());
                self.follow(address, &turn, listener, assistants, sink).await
            }
            result => result,
        }
    }
}
