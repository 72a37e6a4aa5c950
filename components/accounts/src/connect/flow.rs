//! What is remembered of a flow while the user is at Google: under the hash of a one-time code, for ten minutes.

use anyturn_state::{Document, Error, ExpectedVersion, Found, Query, Store, Write};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::account::Account;
use crate::secret::Secret;
use crate::token::hex;

/// How long a flow may take: milliseconds.
pub(crate) const FLOW_TTL: u64 = 10 * 60 * 1000;
const DOCUMENT: &str = "flow";

/// A flow that has begun.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Flow {
    /// Who connects an account.
    pub user: String,
    /// The sealed code verifier.
    pub verifier: String,
    /// Where the browser goes in the end.
    pub return_to: Option<String>,
}

/// An account whose owner has yet to say that it shall be connected to this user.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// To whom.
    pub user: String,
    /// What.
    pub account: Account,
    /// Where the browser goes in the end.
    pub return_to: Option<String>,
}

/// A scope by its code, of which nothing can be told from the scope. A name tells flows and answers apart.
fn scope(kind: &str, code: &Secret) -> String {
    format!("{kind}/{}", hex(&Sha256::digest(code.expose())))
}

/// Remembers a flow under its `state`.
pub(crate) async fn begin<S: Store>(store: &S, state: &Secret, flow: &Flow) -> Result<(), Error> {
    remember(store, &scope("connect", state), flow).await
}

/// Takes a flow: whoever takes it first has it, and nobody after them.
pub(crate) async fn take<S: Store>(store: &S, state: &Secret) -> Result<Option<Flow>, Error> {
    take_once(store, &scope("connect", state)).await
}

/// Remembers an account that waits for its owner's yes, under a code.
pub(crate) async fn wait<S: Store>(store: &S, code: &Secret, pending: &Pending) -> Result<(), Error> {
    remember(store, &scope("confirm", code), pending).await
}

/// Takes what waits, once.
pub(crate) async fn answered<S: Store>(store: &S, code: &Secret) -> Result<Option<Pending>, Error> {
    take_once(store, &scope("confirm", code)).await
}

async fn remember<S: Store, T: Serialize>(store: &S, scope: &str, value: &T) -> Result<(), Error> {
    let put = Write::Put {
        document: DOCUMENT.to_owned(),
        expected: ExpectedVersion::Absent,
        value: serde_json::to_vec(value).unwrap_or_default(),
        ttl: Some(FLOW_TTL),
    };
    store.commit(scope, vec![put], Vec::new()).await.map(drop)
}

async fn take_once<S: Store, T: DeserializeOwned>(store: &S, scope: &str) -> Result<Option<T>, Error> {
    let found = store
        .read(scope, vec![Query::Document(DOCUMENT.to_owned())])
        .await?;
    let Some(Found::Document(Some(Document { version, value }))) = found.into_iter().next() else {
        return Ok(None);
    };
    let delete = Write::Delete {
        document: DOCUMENT.to_owned(),
        expected: ExpectedVersion::Exactly(version),
    };
    match store.commit(scope, vec![delete], Vec::new()).await {
        Ok(_) => anyturn_json::from_slice(&value)
            .map(Some)
            .map_err(|error| Error::Corrupt(format!("a flow: {error}"))),
        // Somebody else was quicker.
        Err(Error::Conflict { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
