//! Changes that depend on what was there: a swap, and an increment.
//!
//! A document's version tells two writes apart, but begins anew when it was deleted. So deletions are counted, for 256
//! groups of keys, and a change is conditional on that count too. It counts itself, since a condition is a write; two
//! changes in one group can therefore meet, and the later one is told that it saw an old state though its key did not
//! change. That is never wrong, and rare.

use crate::bucket::{Bucket, SCOPE, document_of, put};
use crate::name::Key;
use crate::{Error, MAX_ANSWER};
use anyturn_state::{Document, ExpectedVersion, Query, Store, Write};

/// How often an increment is tried.
const ATTEMPTS: usize = 100;

/// What was seen of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The value, if there was one.
    pub value: Option<Vec<u8>>,
    version: ExpectedVersion,
    deletions: ExpectedVersion,
}

impl<S: Store> Bucket<S> {
    /// Looks at a key, to change it on the condition that it has not changed.
    ///
    /// # Errors
    /// When the key is too long, or the state fails.
    pub async fn look(&self, key: &str) -> Result<Seen, Error> {
        let key = Key::new(key)?;
        let queries = vec![Query::Document(key.document()), Query::Document(key.deletions())];
        let mut found = self.state.read(SCOPE, queries).await?.into_iter();
        let document = found.next().and_then(document_of);
        let deletions = found.next().and_then(document_of);
        let expected = |document: &Option<Document>| match document {
            Some(document) => ExpectedVersion::Exactly(document.version),
            None => ExpectedVersion::Absent,
        };
        let seen = Seen {
            version: expected(&document),
            deletions: expected(&deletions),
            value: document.map(|document| document.value),
        };
        match &seen.value {
            Some(value) if value.len() > MAX_ANSWER => Err(Error::Answer),
            _ => Ok(seen),
        }
    }

    /// Gives a key a value if it still is as it was seen. Says whether it was.
    ///
    /// # Errors
    /// When the key or the value is too long, or the state fails.
    pub async fn swap(&self, key: &str, seen: &Seen, value: Vec<u8>) -> Result<bool, Error> {
        let key = Key::new(key)?;
        let mut writes = Vec::from(put(&key, value, seen.version)?);
        writes.push(Write::Put {
            document: key.deletions(),
            expected: seen.deletions,
            value: Vec::new(),
            ttl: None,
        });
        match self.state.commit(SCOPE, writes, Vec::new()).await {
            Ok(_) => Ok(true),
            Err(anyturn_state::Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds to a number, and returns the sum. A number is 8 bytes, the lowest first, as in the stores of Spin's own; a
    /// key without a value counts as 0.
    ///
    /// # Errors
    /// When the value is no number, the sum none of 64 bits, the key too long, others change the key all the time, or the
    /// state fails.
    pub async fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        for _ in 0..ATTEMPTS {
            let seen = self.look(key).await?;
            let number = match &seen.value {
                None => 0,
                Some(value) => {
                    let bytes = <[u8; 8]>::try_from(value.as_slice());
                    i64::from_le_bytes(bytes.map_err(|_| Error::NoNumber(value.len()))?)
                }
            };
            let sum = number.checked_add(delta).ok_or(Error::Overflow)?;
            if self.swap(key, &seen, sum.to_le_bytes().into()).await? {
                return Ok(sum);
            }
        }
        Err(Error::Contention)
    }
}
