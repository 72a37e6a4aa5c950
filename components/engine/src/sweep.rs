//! Finding turns whose instance died while nobody asks for them.
//!
//! The register of running turns ([`crate::register`]) says which conversations to look at, and when. A look is
//! one read. Most of what is looked at has long ended and is dropped from the register; where somebody is at
//! work, another look comes when the lease could have run out; where decisions are waited for, when nobody can take
//! them any more, and then that is written down; the rest is finished here.

use crate::address::Address;
use crate::assistant::Assistants;
use crate::engine::Engine;
use crate::port::{Environment, Model, Tools};
use crate::register;
use crate::scope::{self, SHARDS};
use crate::settle::State;
use crate::turn::TurnError;
use anyturn_state::{Error, Found, Member, Query, Store, Write};
use futures::future::{join_all, try_join_all};

/// The most that is looked at in one shard at once: what is put back has to fit into one commit.
const MOST: u32 = 100;

/// Milliseconds after a lease's end, as it is now, at which a conversation is looked at again.
const AFTER_LEASE: u64 = 200;

/// Milliseconds after gates have expired at which their conversation is looked at: by the store's clock they then have.
const AFTER_EXPIRY: u64 = 200;

/// Milliseconds after which a conversation is looked at again that could not be seen to, at the latest.
const AGAIN: u64 = 5_000;

/// What a sweep met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Conversations that were looked at.
    pub looked: u32,
    /// Of these, where nothing is left to do; they are not looked at again.
    pub settled: u32,
    /// Of these, where an instance is at work.
    pub running: u32,
    /// Of these, where somebody may still decide what a turn waits for.
    pub waiting: u32,
    /// Of these, where nobody was, and this instance did what was left to do.
    pub taken_over: u32,
    /// Of these, where that did not succeed; they are looked at again.
    pub failed: u32,
}

impl std::ops::AddAssign for Swept {
    fn add_assign(&mut self, other: Swept) {
        let Swept {
            looked,
            settled,
            running,
            waiting,
            taken_over,
            failed,
        } = other;
        self.looked += looked;
        self.settled += settled;
        self.running += running;
        self.waiting += waiting;
        self.taken_over += taken_over;
        self.failed += failed;
    }
}

/// What a look showed.
enum Look {
    /// Nothing is left to do, or the entry is none of ours.
    Settled,
    /// Somebody is at work; to be looked at again after so many milliseconds.
    Later(u64),
    /// Somebody may decide; to be looked at again after so many milliseconds.
    Waits(u64),
    /// Nobody is at work, and something is left to do.
    Left(Address),
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// Looks at conversations of the register that are due, up to `limit` (1 to 100) in each of the shards, and goes on
    /// with turns whose instance died, and with messages that wait. Returns when those have ended. Any number of
    /// instances may do so at the same time.
    pub async fn sweep(&self, assistants: &impl Assistants, limit: u32) -> Result<Swept, Error> {
        let shards = (0..SHARDS).map(|shard| self.sweep_shard(shard, assistants, limit));
        let mut swept = Swept::default();
        for shard in join_all(shards).await {
            swept += shard?;
        }
        Ok(swept)
    }

    async fn sweep_shard(&self, shard: u8, assistants: &impl Assistants, limit: u32) -> Result<Swept, Error> {
        let shard = scope::numbered_shard(shard);
        let limit = limit.clamp(1, MOST);
        let due = Query::Index {
            index: scope::RUNNING.to_owned(),
            min: 0,
            max: register::due_by(self.environment.now()),
            descending: false,
            offset: 0,
            limit,
        };
        let members = match self.store.read(&shard, vec![due]).await?.into_iter().next() {
            Some(Found::Index(members)) => members,
            _ => Vec::new(),
        };
        let Some(last) = members.last().map(|member| member.score) else {
            return Ok(Swept::default());
        };
        let full = u32::try_from(members.len()).is_ok_and(|found| found >= limit);
        let mut swept = Swept {
            looked: u32::try_from(members.len()).unwrap_or(u32::MAX),
            ..Swept::default()
        };
        let looks = try_join_all(members.iter().map(|member| self.look(member))).await?;
        let now = self.environment.now();
        let mut writes = Vec::new();
        let mut left = Vec::new();
        for (member, look) in members.into_iter().zip(looks) {
            let again = match look {
                Look::Settled => {
                    swept.settled += 1;
                    continue;
                }
                Look::Later(again) => {
                    swept.running += 1;
                    again
                }
                Look::Waits(again) => {
                    swept.waiting += 1;
                    again
                }
                // Nobody else needs to look while this instance is at it.
                Look::Left(address) => {
                    left.push(address);
                    AGAIN.min(self.settings.lease.saturating_add(AFTER_LEASE))
                }
            };
            writes.push(later(member, now.saturating_add(again)));
        }
        // What was not put back is dropped: all that is due no later than the last one, unless it was entered
        // again meanwhile and so has a later score. Where there are more with the last one's score than were
        // looked at, those stay.
        writes.push(Write::IndexTrim {
            index: scope::RUNNING.to_owned(),
            below: if full { last } else { last.saturating_add(1) },
        });
        self.store.commit(&shard, writes, Vec::new()).await?;
        for settled in join_all(left.iter().map(|address| self.settle_all(address, assistants))).await {
            match settled {
                Ok(()) => swept.taken_over += 1,
                Err(_) => swept.failed += 1,
            }
        }
        Ok(swept)
    }

    async fn look(&self, member: &Member) -> Result<Look, Error> {
        let Some((user, session)) = register::conversation(member) else {
            return Ok(Look::Settled);
        };
        let address = Address::new(&user, &session);
        let state = match self.state(&address, None).await {
            Ok(state) => state,
            Err(TurnError::Store(error)) => return Err(error),
            Err(_) => return Ok(Look::Later(AGAIN)),
        };
        Ok(if state.is_busy() {
            Look::Later(state.lease.remaining.saturating_add(AFTER_LEASE))
        } else if !state.is_settled() {
            Look::Left(address)
        } else {
            match state.waits_until {
                None => Look::Settled,
                Some(until) => match until.saturating_sub(self.environment.now()) {
                    0 => Look::Left(address),
                    left => Look::Waits(left.saturating_add(AFTER_EXPIRY)),
                },
            }
        })
    }

    /// Does all that is left to do in a conversation.
    async fn settle_all(&self, address: &Address, assistants: &impl Assistants) -> Result<(), TurnError> {
        loop {
            let state: State = self.state(address, None).await?;
            if state.is_busy() {
                return Ok(());
            }
            if state.is_settled() {
                return match state.waits_until {
                    Some(until) if until <= self.environment.now() => {
                        self.close_expired(address, assistants).await
                    }
                    _ => Ok(()),
                };
            }
            self.settle(address, assistants).await?;
        }
    }
}

/// The write that has an entry looked at again at a later time.
fn later(member: Member, at: u64) -> Write {
    let Member {
        member,
        score: _,
        value,
    } = member;
    Write::IndexPut {
        index: scope::RUNNING.to_owned(),
        score: register::due(&member, at),
        member,
        value,
        only_existing: false,
    }
}
