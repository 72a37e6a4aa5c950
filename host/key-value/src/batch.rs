//! Several keys at once: in as few round trips as the state's limits allow. Each round trip is atomic, the whole is not.

use crate::bucket::{Bucket, SCOPE, document_of, put, remove};
use crate::name::Key;
use crate::{Error, MAX_ANSWER};
use anyturn_state::limits::{MAX_ITEMS, MAX_OPERATION};
use anyturn_state::{ExpectedVersion, Query, Store, Write};

/// Keys that are read in one round trip: what comes back is at most so many of the longest values.
const READ: usize = 32;
/// More than the names of one key's writes take.
const NAMES: usize = 2 << 10;

impl<S: Store> Bucket<S> {
    /// The values of several keys, in the order of the keys.
    ///
    /// # Errors
    /// When a key is too long, the values together are, or the state fails.
    pub async fn get_many(&self, keys: Vec<String>) -> Result<Vec<(String, Option<Vec<u8>>)>, Error> {
        let mut size = 0_usize;
        let mut values = Vec::with_capacity(keys.len());
        for texts in keys.chunks(READ) {
            let queries = texts
                .iter()
                .map(|text| Ok(Query::Document(Key::new(text)?.document())))
                .collect::<Result<Vec<_>, Error>>()?;
            let found = self.state.read(SCOPE, queries).await?;
            for (text, found) in texts.iter().zip(found) {
                let value = document_of(found).map(|document| document.value);
                size = size.saturating_add(text.len() + value.as_ref().map_or(0, Vec::len));
                if size > MAX_ANSWER {
                    return Err(Error::Answer);
                }
                values.push((text.clone(), value));
            }
        }
        Ok(values)
    }

    /// Gives several keys their values. All are checked before the first is written.
    ///
    /// # Errors
    /// When a key or a value is too long, or the state fails: some may have been written then.
    pub async fn set_many(&self, values: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        let writes = values
            .into_iter()
            .map(|(key, value)| {
                let size = value.len() + NAMES;
                Ok((put(&Key::new(&key)?, value, ExpectedVersion::Any)?.into(), size))
            })
            .collect::<Result<Vec<(Vec<Write>, usize)>, Error>>()?;
        self.apply(writes).await
    }

    /// Takes the values of several keys away.
    ///
    /// # Errors
    /// When a key is too long, or the state fails: some may have been taken away then.
    pub async fn delete_many(&self, keys: Vec<String>) -> Result<(), Error> {
        let writes = keys
            .iter()
            .map(|key| Ok((remove(&Key::new(key)?).into(), NAMES)))
            .collect::<Result<Vec<(Vec<Write>, usize)>, Error>>()?;
        self.apply(writes).await
    }

    /// Commits groups of writes, each with its size, without taking a group apart.
    async fn apply(&self, groups: Vec<(Vec<Write>, usize)>) -> Result<(), Error> {
        let mut batch = Vec::new();
        let mut filled = 0;
        for (writes, size) in groups {
            if batch.len() + writes.len() > MAX_ITEMS || filled + size > MAX_OPERATION {
                self.state
                    .commit(SCOPE, std::mem::take(&mut batch), Vec::new())
                    .await?;
                filled = 0;
            }
            batch.extend(writes);
            filled += size;
        }
        if !batch.is_empty() {
            self.state.commit(SCOPE, batch, Vec::new()).await?;
        }
        Ok(())
    }
}
