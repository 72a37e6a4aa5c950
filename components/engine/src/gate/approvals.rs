//! The gates that wait for somebody with a role, listed in the role's scope.
//!
//! A list is an index and nothing more: what counts is in the conversation. A gate is listed when it is durable
//! and before its turn says that it waits; who finds a turn waiting lists its gates again, which changes nothing
//! if they are listed. An entry whose gate is decided, or gone with its conversation, leads nowhere, and is taken
//! from the list by whoever meets it.

use super::{Approval, Decider, GateKind};
use crate::conversation::Progress;
use crate::engine::Engine;
use crate::journal::GateOpened;
use crate::loading;
use crate::port::{Environment, Model, Tools};
use crate::scope;
use anyturn_state::{Error, Found, Member, Query, Store, Write};
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Gates on a page if none are asked for, and at most.
const PAGE: u32 = 50;

/// How long gates stay listed after they have expired, in milliseconds; they are not shown then.
const LEFT: u64 = 60 * 60 * 1000;

/// The most roles of one person that are looked at.
const ROLES: usize = 32;

/// Where a gate is.
#[derive(Serialize, Deserialize)]
struct Place<'a> {
    user: Cow<'a, str>,
    session: Cow<'a, str>,
}

/// The writes that list the open gates of a turn, each with the scope that it belongs to.
pub(crate) fn list(
    user: &str,
    session: &str,
    turn: &Progress,
    now: u64,
) -> Result<Vec<(String, Vec<Write>)>, Error> {
    let mut scopes: BTreeMap<&str, Vec<Write>> = BTreeMap::new();
    for gated in turn.open_gates().filter(|gated| !gated.is_due(now)) {
        let Some(role) = role(&gated.opened) else {
            continue;
        };
        let place = Place {
            user: user.into(),
            session: session.into(),
        };
        let writes = scopes.entry(role).or_insert_with(|| {
            // What expired waits for nobody any more; by whatever clock.
            vec![Write::IndexTrim {
                index: scope::APPROVALS.to_owned(),
                below: score(now.saturating_sub(LEFT)),
            }]
        });
        writes.push(Write::IndexPut {
            index: scope::APPROVALS.to_owned(),
            member: gated.opened.gate.clone(),
            score: score(gated.opened.expires),
            value: serde_json::to_vec(&place).map_err(|error| Error::Invalid(error.to_string()))?,
            only_existing: false,
        });
    }
    Ok(scopes
        .into_iter()
        .map(|(role, writes)| (scope::approvals(role), writes))
        .collect())
}

/// The role whose list a gate is on.
fn role(opened: &GateOpened) -> Option<&str> {
    (opened.kind == GateKind::Approve).then_some(())?;
    opened.role.as_deref()
}

fn score(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX)
}

fn remove(gate: &str) -> Write {
    Write::IndexRemove {
        index: scope::APPROVALS.to_owned(),
        member: gate.to_owned(),
    }
}

impl<S: Store, M: Model, T: Tools, E: Environment> Engine<S, M, T, E> {
    /// Takes gates that were decided from their lists. That one stays there if this fails does no harm.
    pub(crate) async fn unlist(&self, opened: impl IntoIterator<Item = &GateOpened>) {
        for opened in opened {
            if let Some(role) = role(opened) {
                let removed = vec![remove(&opened.gate)];
                let _ = self
                    .store
                    .commit(&scope::approvals(role), removed, Vec::new())
                    .await;
            }
        }
    }

    /// Lists the open gates of a turn that waits.
    pub(crate) async fn list_gates(&self, user: &str, session: &str, turn: &Progress) -> Result<(), Error> {
        for (scope, writes) in list(user, session, turn, self.environment.now())? {
            self.store.commit(&scope, writes, Vec::new()).await?;
        }
        Ok(())
    }

    /// Gates that wait for one of the decider's roles, those that expire first before others, and the offset of
    /// the next page; none after the last. What the decider has asked for themselves is left out, so a page may
    /// be shorter than `limit`.
    pub async fn approvals(
        &self,
        decider: &Decider,
        offset: u32,
        limit: u32,
    ) -> Result<(Vec<Approval>, Option<u32>), Error> {
        let limit = if limit == 0 { PAGE } else { limit.min(PAGE) };
        let end = offset.saturating_add(limit);
        let mut roles: Vec<&String> = decider.roles.iter().take(ROLES).collect();
        roles.sort();
        roles.dedup();
        let Some(first) = roles.first() else {
            return Ok((Vec::new(), None));
        };
        let now = self.store_time(&scope::approvals(first)).await?;
        let lists = roles.into_iter().map(async |role| {
            let query = Query::Index {
                index: scope::APPROVALS.to_owned(),
                min: score(now),
                max: i64::MAX,
                descending: false,
                offset: 0,
                limit: end.saturating_add(1),
            };
            let found = self.store.read(&scope::approvals(role), vec![query]).await?;
            Ok::<_, Error>(match found.into_iter().next() {
                Some(Found::Index(members)) => members.into_iter().map(|member| (role, member)).collect(),
                _ => Vec::new(),
            })
        });
        let mut members: Vec<(&String, Member)> = Vec::new();
        for list in join_all(lists).await {
            members.extend(list?);
        }
        members.sort_by(|(_, one), (_, other)| (one.score, &one.member).cmp(&(other.score, &other.member)));
        let more = members.len() > end as usize;
        let page = members.into_iter().skip(offset as usize).take(limit as usize);
        let page: Vec<(&String, Member)> = page.collect();
        let found = join_all(page.iter().map(|(_, member)| self.open_gate(member, now))).await;
        let mut approvals = Vec::new();
        let mut gone = 0;
        for ((role, member), found) in page.iter().zip(found) {
            match found? {
                Some(approval) if approval.user == decider.user => {}
                Some(approval) => approvals.push(approval),
                None => {
                    gone += 1;
                    let removed = vec![remove(&member.member)];
                    self.store
                        .commit(&scope::approvals(role), removed, Vec::new())
                        .await?;
                }
            }
        }
        // What was taken from the list is not to be skipped on the next page.
        Ok((approvals, more.then(|| end.saturating_sub(gone))))
    }

    /// The gate of an entry, if it is open.
    async fn open_gate(&self, member: &Member, now: u64) -> Result<Option<Approval>, Error> {
        let Ok(Place { user, session }) = anyturn_json::from_slice(&member.value) else {
            return Ok(None);
        };
        let scope = scope::conversation(&user, &session);
        let found = self.store.read(&scope, loading::queries().into()).await?;
        let conversation = loading::load(&self.store, &scope, found).await?.conversation;
        let Some(turn) = conversation.turn_of_gate(&member.member) else {
            return Ok(None);
        };
        let gated = turn.gate(&member.member);
        let Some(gated) = gated.filter(|gated| gated.is_open() && !gated.is_due(now)) else {
            return Ok(None);
        };
        Ok(Some(Approval {
            user: user.into_owned(),
            session: session.into_owned(),
            assistant: conversation
                .head
                .as_ref()
                .map(|head| head.assistant.clone())
                .unwrap_or_default(),
            gate: gated.report(&turn.turn),
        }))
    }
}
