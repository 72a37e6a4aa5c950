//! One key-value store: values by their keys.

use crate::name::Key;
use crate::{Error, MAX_VALUE};
use anyturn_state::{Document, ExpectedVersion, Found, Query, Store, Write};

/// The scope that all of a store's state lies in.
pub(crate) const SCOPE: &str = "kv";
/// The index of keys.
pub(crate) const KEYS: &str = "keys";

/// A key-value store. Cheap to clone where the view of the state behind it is.
#[derive(Clone, Debug)]
pub struct Bucket<S> {
    pub(crate) state: S,
}

impl<S: Store> Bucket<S> {
    /// The key-value store in a namespace of the state that nothing else uses.
    pub fn new(state: S) -> Self {
        Self { state }
    }

    /// The value of a key, if it has one.
    ///
    /// # Errors
    /// When the key is too long, or the state fails.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let key = Key::new(key)?;
        Ok(self.document(&key).await?.map(|document| document.value))
    }

    /// Gives a key a value, in place of the one that it may have.
    ///
    /// # Errors
    /// When the key or the value is too long, or the state fails.
    pub async fn set(&self, key: &str, value: Vec<u8>) -> Result<(), Error> {
        let key = Key::new(key)?;
        let writes = put(&key, value, ExpectedVersion::Any)?;
        self.state.commit(SCOPE, writes.into(), Vec::new()).await?;
        Ok(())
    }

    /// Takes a key's value away, if it has one.
    ///
    /// # Errors
    /// When the key is too long, or the state fails.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        let key = Key::new(key)?;
        self.state.commit(SCOPE, remove(&key).into(), Vec::new()).await?;
        Ok(())
    }

    /// Whether a key has a value.
    ///
    /// # Errors
    /// When the key is too long, or the state fails.
    pub async fn exists(&self, key: &str) -> Result<bool, Error> {
        Ok(self.get(key).await?.is_some())
    }

    /// The document of a key.
    pub(crate) async fn document(&self, key: &Key) -> Result<Option<Document>, Error> {
        let found = self
            .state
            .read(SCOPE, vec![Query::Document(key.document())])
            .await?;
        Ok(found.into_iter().next().and_then(document_of))
    }
}

/// The document among what was found, where a document was asked for.
pub(crate) fn document_of(found: Found) -> Option<Document> {
    match found {
        Found::Document(document) => document,
        _ => None,
    }
}

/// The writes that give a key a value.
pub(crate) fn put(key: &Key, value: Vec<u8>, expected: ExpectedVersion) -> Result<[Write; 2], Error> {
    if value.len() > MAX_VALUE {
        return Err(Error::Value(value.len()));
    }
    Ok([
        Write::Put {
            document: key.document(),
            expected,
            value,
            ttl: None,
        },
        Write::IndexPut {
            index: KEYS.to_owned(),
            member: key.name.clone(),
            score: key.score(),
            value: key.text.clone().into_bytes(),
            only_existing: false,
        },
    ])
}

/// The writes that take a key's value away, and tell of it those who mean to swap one.
pub(crate) fn remove(key: &Key) -> [Write; 3] {
    [
        Write::Delete {
            document: key.document(),
            expected: ExpectedVersion::Any,
        },
        Write::IndexRemove {
            index: KEYS.to_owned(),
            member: key.name.clone(),
        },
        Write::Put {
            document: key.deletions(),
            expected: ExpectedVersion::Any,
            value: Vec::new(),
            ttl: None,
        },
    ]
}
