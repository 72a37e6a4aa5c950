//! Effects that happen once: the outcome is stored under the call's idempotency key, in the same commit as
//! the effect. And never late: the moment after which the call must not take effect is a condition of that
//! commit, so that an instance that was paused and has lost its turn can do no harm.

use anyturn_state::{
    Actual, Committed, Error as StateError, ExpectedVersion, Found, Query, Store, Write, limits,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Call, Failure, escape};

/// How long outcomes are remembered, in milliseconds: a day. Whoever repeats a call does so within
/// minutes.
const REMEMBER: u64 = 24 * 60 * 60 * 1000;
/// The longest key, after escaping; names have 256 bytes.
const MAX_KEY: usize = 240;

/// The idempotency key of one call; without a key, every call takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    document: Option<String>,
    fingerprint: u64,
    not_after: Option<u64>,
}

/// What [`Once::commit`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied<T> {
    /// The effect took place now.
    Now(T, Committed),
    /// It had taken place before, with this outcome, and nothing was done.
    Before(T),
}

impl<T> Applied<T> {
    /// The outcome, whenever it came about.
    pub fn outcome(self) -> T {
        match self {
            Applied::Now(outcome, _) | Applied::Before(outcome) => outcome,
        }
    }
}

/// Why an effect did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnceError {
    /// The key stands for another call.
    #[error("This idempotency key was used for another call. Use a new key for a new call.")]
    KeyReused,
    /// The moment has passed after which the call must not take effect any more.
    #[error("The call came too late: its moment was {not_after}, and it is {now}. Nothing was done.")]
    TooLate {
        /// The moment that the call named.
        not_after: u64,
        /// The store's clock.
        now: u64,
    },
    /// The store did not do it. The number in a conflict counts the effect's own writes.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<OnceError> for Failure {
    fn from(error: OnceError) -> Failure {
        match error {
            OnceError::KeyReused => Failure::rejected(error.to_string()),
            OnceError::TooLate { not_after, now } => Failure::TooLate { not_after, now },
            OnceError::State(error) => error.into(),
        }
    }
}

#[derive(Serialize)]
struct Record<'a, T> {
    fingerprint: u64,
    outcome: &'a T,
}

#[derive(Deserialize)]
struct Recorded<'a> {
    fingerprint: u64,
    #[serde(borrow)]
    outcome: &'a RawValue,
}

impl Once {
    /// The key of a tool's call, and the moment after which it must not take effect.
    ///
    /// # Errors
    ///
    /// The key is empty or too long.
    pub fn of(call: &Call<'_>) -> Result<Once, Failure> {
        Ok(Once {
            // A moment that the store cannot express never passes.
            not_after: call.not_after.map(|moment| moment.min(limits::MAX_INTEGER)),
            ..Once::new(call.idempotency_key, call.fingerprint)?
        })
    }

    /// A key, and a fingerprint of what it stands for (see [`Once::fingerprint`]).
    ///
    /// # Errors
    ///
    /// The key is empty or too long.
    pub fn new(key: Option<&str>, fingerprint: u64) -> Result<Once, Failure> {
        let document = match key.map(escape) {
            None => None,
            Some(key) if key.is_empty() || key.len() > MAX_KEY => {
                return Err(Failure::rejected(format!(
                    "An idempotency key has 1 to {MAX_KEY} characters; characters other than ASCII letters, \
                     digits and . _ ~ : @ + - count for three or more."
                )));
            }
            Some(key) => Some(format!("once/{key}")),
        };
        Ok(Once {
            document,
            fingerprint,
            not_after: None,
        })
    }

    /// A fingerprint of what a key stands for: FNV-1a of all parts, each closed by a byte that no text
    /// holds. It guards against mistakes, not against malice: a user's keys are the user's own.
    pub fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for part in parts {
            for &byte in part.iter().chain(&[0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        hash
    }

    /// What to read along with what the effect depends on, so that a repeated call is recognized before
    /// anything is decided; none without a key.
    pub fn query(&self) -> Option<Query> {
        self.document.clone().map(Query::Document)
    }

    /// The outcome that [`Once::query`] found, if there is one.
    ///
    /// # Errors
    ///
    /// The key stands for another call, or the record is not understood.
    pub fn recorded<T: DeserializeOwned>(&self, found: Option<&Found>) -> Result<Option<T>, OnceError> {
        let Some(Found::Document(Some(document))) = found else {
            return Ok(None);
        };
        let recorded: Recorded<'_> = anyturn_json::from_slice(&document.value).map_err(corrupt)?;
        if recorded.fingerprint != self.fingerprint {
            return Err(OnceError::KeyReused);
        }
        anyturn_json::from_str(recorded.outcome.get())
            .map(Some)
            .map_err(corrupt)
    }

    /// The outcome of the time before, if there was one; changes nothing. This answers
    /// [`Toolbox::check`](crate::Toolbox::check).
    ///
    /// # Errors
    ///
    /// The key stands for another call, or the store refuses.
    pub async fn outcome<S: Store, T: DeserializeOwned>(
        &self,
        store: &S,
        scope: &str,
    ) -> Result<Option<T>, OnceError> {
        let Some(query) = self.query() else {
            return Ok(None);
        };
        let found = store.read(scope, vec![query]).await?;
        self.recorded(found.first())
    }

    /// Commits an effect and its outcome, or returns the outcome of the time before.
    ///
    /// # Errors
    ///
    /// The key stands for another call; or it is too late; or the store refuses. Nothing was applied then,
    /// except after `unavailable`, when it is unknown.
    pub async fn commit<S: Store, T: Serialize + DeserializeOwned>(
        &self,
        store: &S,
        scope: &str,
        mut writes: Vec<Write>,
        outcome: T,
    ) -> Result<Applied<T>, OnceError> {
        // These come first, so that a repeated call, even a late one, is told from one that is too late, and
        // both from one that has lost against somebody else.
        let mut conditions = self.record(&outcome)?;
        conditions.extend(self.not_after.map(Write::NotAfter));
        let own = conditions.len();
        conditions.append(&mut writes);
        match store.commit(scope, conditions, Vec::new()).await {
            Ok(mut committed) => {
                committed.written.drain(..own.min(committed.written.len()));
                Ok(Applied::Now(outcome, committed))
            }
            Err(StateError::Conflict { write, actual }) => {
                let place = usize::try_from(write).unwrap_or(usize::MAX);
                if place >= own {
                    let write = u32::try_from(place - own).unwrap_or(u32::MAX);
                    return Err(OnceError::State(StateError::Conflict { write, actual }));
                }
                if let (Actual::Time(now), Some(not_after)) = (&actual, self.not_after) {
                    return Err(OnceError::TooLate { not_after, now: *now });
                }
                match self.outcome(store, scope).await? {
                    Some(outcome) => Ok(Applied::Before(outcome)),
                    None => Err(OnceError::State(StateError::Unavailable(
                        "an outcome ran out of its time while it was read".into(),
                    ))),
                }
            }
            Err(error) => Err(OnceError::State(error)),
        }
    }

    /// The write that remembers an outcome, where there is a key to remember it under.
    fn record<T: Serialize>(&self, outcome: &T) -> Result<Vec<Write>, OnceError> {
        let Some(document) = &self.document else {
            return Ok(Vec::new());
        };
        let record = Record {
            fingerprint: self.fingerprint,
            outcome,
        };
        Ok(vec![Write::Put {
            document: document.clone(),
            expected: ExpectedVersion::Absent,
            value: serde_json::to_vec(&record).map_err(corrupt)?,
            ttl: Some(REMEMBER),
        }])
    }

    /// [`Once::commit`], for when only the outcome matters.
    ///
    /// # Errors
    ///
    /// As of [`Once::commit`].
    pub async fn apply<S: Store, T: Serialize + DeserializeOwned>(
        &self,
        store: &S,
        scope: &str,
        writes: Vec<Write>,
        outcome: T,
    ) -> Result<T, OnceError> {
        Ok(self.commit(store, scope, writes, outcome).await?.outcome())
    }
}

fn corrupt(error: serde_json::Error) -> OnceError {
    OnceError::State(StateError::Corrupt(format!("the outcome of a call: {error}")))
}
