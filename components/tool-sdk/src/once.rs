//! Effects that happen once: the outcome is stored under the call's idempotency key, in the same commit as
//! the effect.

use anyturn_state::{Committed, Error as StateError, ExpectedVersion, Found, Query, Store, Write};
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
    /// The store did not do it. The number in a conflict counts the effect's own writes.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<OnceError> for Failure {
    fn from(error: OnceError) -> Failure {
        match error {
            OnceError::KeyReused => Failure::rejected(error.to_string()),
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
    /// The key of a tool's call.
    ///
    /// # Errors
    ///
    /// The key is empty or too long.
    pub fn of(call: &Call<'_>) -> Result<Once, Failure> {
        Once::new(call.idempotency_key, call.fingerprint)
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
        let recorded: Recorded<'_> = serde_json::from_slice(&document.value).map_err(corrupt)?;
        if recorded.fingerprint != self.fingerprint {
            return Err(OnceError::KeyReused);
        }
        serde_json::from_str(recorded.outcome.get())
            .map(Some)
            .map_err(corrupt)
    }

    /// Commits an effect and its outcome, or returns the outcome of the time before.
    ///
    /// # Errors
    ///
    /// The key stands for another call; or the store refuses, in which case nothing was applied, except
    /// after `unavailable`.
    pub async fn commit<S: Store, T: Serialize + DeserializeOwned>(
        &self,
        store: &S,
        scope: &str,
        mut writes: Vec<Write>,
        outcome: T,
    ) -> Result<Applied<T>, OnceError> {
        let Some(document) = &self.document else {
            let committed = store.commit(scope, writes, Vec::new()).await?;
            return Ok(Applied::Now(outcome, committed));
        };
        let record = Record {
            fingerprint: self.fingerprint,
            outcome: &outcome,
        };
        let put = Write::Put {
            document: document.clone(),
            expected: ExpectedVersion::Absent,
            value: serde_json::to_vec(&record).map_err(corrupt)?,
            ttl: Some(REMEMBER),
        };
        // First, so that a repeated call is told from one that has lost against somebody else.
        writes.insert(0, put);
        match store.commit(scope, writes, Vec::new()).await {
            Ok(mut committed) => {
                committed.written.remove(0);
                Ok(Applied::Now(outcome, committed))
            }
            Err(StateError::Conflict { write: 0, .. }) => {
                let found = store.read(scope, vec![Query::Document(document.clone())]).await?;
                match self.recorded(found.first())? {
                    Some(outcome) => Ok(Applied::Before(outcome)),
                    None => Err(OnceError::State(StateError::Unavailable(
                        "an outcome ran out of its time while it was read".into(),
                    ))),
                }
            }
            Err(StateError::Conflict { write, actual }) => Err(OnceError::State(StateError::Conflict {
                write: write - 1,
                actual,
            })),
            Err(error) => Err(OnceError::State(error)),
        }
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
