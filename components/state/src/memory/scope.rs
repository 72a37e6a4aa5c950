//! One scope: what each write does to it, and what each query finds in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::limits;
use crate::port::*;

/// Everything in one scope.
#[derive(Clone, Default)]
pub(super) struct Scope {
    journals: BTreeMap<String, Journal>,
    documents: BTreeMap<String, Stored>,
    counters: BTreeMap<String, Count>,
    indexes: BTreeMap<String, BTreeMap<String, Entry>>,
    leases: BTreeMap<String, Lease>,
}

/// Why a write was not applied.
pub(super) enum Refusal {
    Conflict(Actual),
    Invalid(String),
}

#[derive(Clone, Default)]
struct Journal {
    entries: Vec<Arc<[u8]>>,
    checkpoint: u64,
    expires: Option<u64>,
}

#[derive(Clone)]
struct Stored {
    document: Document,
    expires: Option<u64>,
}

#[derive(Clone)]
struct Count {
    value: i64,
    expires: Option<u64>,
}

#[derive(Clone)]
struct Entry {
    score: i64,
    value: Vec<u8>,
}

/// Stays when nobody holds it, so that its epoch goes on growing.
#[derive(Clone, Default)]
struct Lease {
    holder: String,
    epoch: u64,
    expires: u64,
}

fn lives(expires: Option<u64>, now: u64) -> bool {
    expires.is_none_or(|expires| now < expires)
}

fn from_now(ttl: Option<u64>, now: u64) -> Option<u64> {
    ttl.map(|ttl| now.saturating_add(ttl))
}

fn require(holds: bool, actual: Actual) -> Result<(), Refusal> {
    if holds {
        Ok(())
    } else {
        Err(Refusal::Conflict(actual))
    }
}

impl Journal {
    fn length(&self) -> u64 {
        self.entries.len() as u64
    }
}

impl Count {
    fn seen(&self, now: u64) -> Counter {
        Counter {
            value: self.value,
            remaining: self.expires.map(|expires| expires.saturating_sub(now)),
        }
    }
}

impl Lease {
    fn seen(&self, now: u64) -> LeaseState {
        LeaseState {
            holder: self.holder.clone(),
            epoch: self.epoch,
            remaining: self.expires.saturating_sub(now),
        }
    }

    fn granted(&self) -> Written {
        Written::Granted {
            epoch: self.epoch,
            until: self.expires.saturating_sub(1),
        }
    }

    fn free(&mut self) {
        self.holder.clear();
        self.expires = 0;
    }
}

impl Scope {
    /// Removes what has run out.
    pub(super) fn expire(&mut self, now: u64) {
        self.journals.retain(|_, journal| lives(journal.expires, now));
        self.documents.retain(|_, stored| lives(stored.expires, now));
        self.counters.retain(|_, count| lives(count.expires, now));
        for lease in self.leases.values_mut().filter(|lease| lease.expires <= now) {
            lease.free();
        }
    }

    /// Answers a query.
    pub(super) fn find(&self, query: &Query, now: u64) -> Found {
        match query {
            Query::Document(name) => {
                Found::Document(self.documents.get(name).map(|stored| stored.document.clone()))
            }
            Query::Counter(name) => Found::Counter(
                self.counters
                    .get(name)
                    .map(|count| count.seen(now))
                    .unwrap_or_default(),
            ),
            Query::Journal {
                journal,
                start,
                limit,
            } => Found::Journal(self.journal(journal, *start, *limit)),
            Query::Index {
                index,
                min,
                max,
                descending,
                offset,
                limit,
            } => Found::Index(self.index(index, *min, *max, *descending, *offset, *limit)),
            Query::Lease(name) => Found::Lease(self.lease(name, now)),
        }
    }

    /// A part of a journal; one that does not exist is empty.
    pub(super) fn journal(&self, name: &str, start: Position, limit: u32) -> JournalSlice {
        let absent = Journal::default();
        let journal = self.journals.get(name).unwrap_or(&absent);
        let first = match start {
            Position::At(position) => position,
            Position::Checkpoint => journal.checkpoint,
            Position::Last(count) => journal.length().saturating_sub(u64::from(count)),
        };
        let entries = journal
            .entries
            .iter()
            .skip(usize::try_from(first).unwrap_or(usize::MAX));
        JournalSlice {
            length: journal.length(),
            checkpoint: journal.checkpoint,
            first,
            entries: entries.take(limit as usize).map(|entry| entry.to_vec()).collect(),
        }
    }

    fn index(
        &self,
        name: &str,
        min: i64,
        max: i64,
        descending: bool,
        offset: u32,
        limit: u32,
    ) -> Vec<Member> {
        let members = self.indexes.get(name).into_iter().flatten();
        let mut members: Vec<_> = members
            .filter(|(_, entry)| (min..=max).contains(&entry.score))
            .collect();
        // Stable: members of equal score stay in the order of their bytes, which is the map's.
        members.sort_by_key(|(_, entry)| entry.score);
        if descending {
            members.reverse();
        }
        let chosen = members.into_iter().skip(offset as usize).take(limit as usize);
        chosen
            .map(|(member, entry)| Member {
                member: member.clone(),
                score: entry.score,
                value: entry.value.clone(),
            })
            .collect()
    }

    fn lease(&self, name: &str, now: u64) -> LeaseState {
        self.leases
            .get(name)
            .map(|lease| lease.seen(now))
            .unwrap_or_default()
    }

    /// Applies one write, or says why not; what has run out must be gone already.
    pub(super) fn apply(&mut self, write: Write, now: u64) -> Result<Written, Refusal> {
        match write {
            Write::Append {
                journal,
                expected,
                entries,
                ttl,
            } => {
                let length = self.journals.get(&journal).map_or(0, Journal::length);
                let holds = match expected {
                    ExpectedLength::Any => true,
                    ExpectedLength::Exactly(expected) => length == expected,
                    ExpectedLength::AtLeast(least) => length >= least,
                };
                require(holds, Actual::Length(length))?;
                if entries.is_empty() && length == 0 {
                    return Ok(Written::Length(0));
                }
                let journal = self.journals.entry(journal).or_default();
                journal.entries.extend(entries.into_iter().map(Arc::from));
                journal.expires = from_now(ttl, now).or(journal.expires);
                Ok(Written::Length(journal.length()))
            }
            Write::SetCheckpoint { journal, position } => {
                let length = self.journals.get(&journal).map_or(0, Journal::length);
                if position > length {
                    return Err(Refusal::Invalid(format!(
                        "the checkpoint of {journal:?} cannot be {position}: its length is {length}"
                    )));
                }
                if let Some(journal) = self.journals.get_mut(&journal) {
                    journal.checkpoint = position;
                }
                Ok(Written::Done)
            }
            Write::DeleteJournal(journal) => {
                self.journals.remove(&journal);
                Ok(Written::Done)
            }
            Write::Put {
                document,
                expected,
                value,
                ttl,
            } => {
                let present = self.version(&document, expected)?;
                let kept = self.documents.get(&document).and_then(|stored| stored.expires);
                let version = present + 1;
                let expires = from_now(ttl, now).or(kept);
                self.documents.insert(
                    document,
                    Stored {
                        document: Document { version, value },
                        expires,
                    },
                );
                Ok(Written::Version(version))
            }
            Write::Delete { document, expected } => {
                self.version(&document, expected)?;
                self.documents.remove(&document);
                Ok(Written::Done)
            }
            Write::Add { counter, delta, ttl } => self.add(counter, delta, ttl, now),
            Write::IndexPut {
                index,
                member,
                score,
                value,
                only_existing,
            } => {
                let members = self.indexes.entry(index).or_default();
                if !only_existing || members.contains_key(&member) {
                    members.insert(member, Entry { score, value });
                }
                Ok(Written::Done)
            }
            Write::IndexRemove { index, member } => {
                self.indexes.entry(index).or_default().remove(&member);
                Ok(Written::Done)
            }
            Write::IndexTrim { index, below } => {
                self.indexes
                    .entry(index)
                    .or_default()
                    .retain(|_, entry| entry.score >= below);
                Ok(Written::Done)
            }
            Write::Acquire { lease, holder, ttl } => {
                let present = self.lease(&lease, now);
                let free = present.holder.is_empty() || present.holder == holder;
                require(free, Actual::Lease(present))?;
                let lease = self.leases.entry(lease).or_default();
                lease.epoch += 1;
                lease.holder = holder;
                lease.expires = now.saturating_add(ttl);
                Ok(lease.granted())
            }
            Write::Hold { lease, epoch, ttl } => {
                let lease = self.held(lease, epoch, now)?;
                lease.expires = from_now(ttl, now).unwrap_or(lease.expires);
                Ok(lease.granted())
            }
            Write::Release { lease, epoch } => {
                self.held(lease, epoch, now)?.free();
                Ok(Written::Done)
            }
            Write::NotAfter(moment) => {
                require(now <= moment, Actual::Time(now))?;
                Ok(Written::Done)
            }
        }
    }

    /// A document's version, if it is as expected.
    fn version(&self, document: &str, expected: ExpectedVersion) -> Result<u64, Refusal> {
        let version = self
            .documents
            .get(document)
            .map_or(0, |stored| stored.document.version);
        let holds = match expected {
            ExpectedVersion::Any => true,
            ExpectedVersion::Absent => version == 0,
            ExpectedVersion::Present => version > 0,
            ExpectedVersion::Exactly(expected) => version == expected,
        };
        require(holds, Actual::Version(version))?;
        Ok(version)
    }

    fn add(&mut self, name: String, delta: i64, ttl: Option<u64>, now: u64) -> Result<Written, Refusal> {
        let present = self.counters.get(&name);
        let value = present.map_or(0, |count| count.value).saturating_add(delta);
        if value.unsigned_abs() > limits::MAX_INTEGER {
            return Err(Refusal::Invalid(format!(
                "the counter {name:?} would leave the range of ±(2^53 − 1)"
            )));
        }
        let expires = present.map_or(from_now(ttl, now), |count| count.expires);
        let count = Count { value, expires };
        let seen = count.seen(now);
        self.counters.insert(name, count);
        Ok(Written::Counter(seen))
    }

    /// A lease, if it is held with this epoch.
    fn held(&mut self, name: String, epoch: u64, now: u64) -> Result<&mut Lease, Refusal> {
        let present = self.lease(&name, now);
        require(
            !present.holder.is_empty() && present.epoch == epoch,
            Actual::Lease(present),
        )?;
        Ok(self.leases.entry(name).or_default())
    }
}
