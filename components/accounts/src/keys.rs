//! Google's published keys (RFC 7517), kept in the store for as long as Google says.
//!
//! One instance fetches them and all use them. A token with a key id that is not among them has them fetched again,
//! since keys rotate, but at most once in [`FLOOR`]: made-up key ids cannot make us a burden to Google. Keys whose
//! time is over are not used, even when Google cannot be asked for new ones.

use anyturn_state::{Document, ExpectedVersion, Found, Query, Store, Write};
use serde::{Deserialize, Serialize};

use crate::answer::Refusal;
use crate::flight::{self, Flight, GLANCE, PATIENCE};
use crate::google;
use crate::platform::Platform;

/// Keys that are younger than this are not fetched again for an unknown key id: milliseconds.
pub const FLOOR: u64 = 60_000;
/// The longest that keys are kept, whatever Google says: milliseconds.
pub const CEILING: u64 = 24 * 60 * 60 * 1000;

const SCOPE: &str = "google";
const DOCUMENT: &str = "keys";
const LEASE: &str = "keys";

/// A key for RS256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its id.
    pub kid: String,
    /// The modulus, in base64url (RFC 7518, section 6.3.1).
    pub n: String,
    /// The exponent, in base64url.
    pub e: String,
}

/// Keys as they are stored.
#[derive(Debug, Serialize, Deserialize)]
struct Keys {
    /// When they were fetched: milliseconds since the Unix epoch.
    fetched: u64,
    /// Until when they may be used.
    until: u64,
    keys: Vec<Key>,
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// Google has no such key.
    Unknown,
    /// It could not be found out.
    Refused(Refusal),
}

impl From<anyturn_state::Error> for NoKey {
    fn from(error: anyturn_state::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// The key with this id.
///
/// # Errors
/// When there is none, or nobody can tell.
pub async fn find<P: Platform>(platform: &P, certs_url: &str, kid: &str) -> Result<Key, NoKey> {
    let store = platform.store();
    let mut waited = 0;
    loop {
        let found = store.read(SCOPE, vec![query()]).await?;
        if let Some(outcome) = judge(found.first(), kid, platform.now()) {
            return outcome;
        }
        let holder = google::holder(platform).map_err(NoKey::Refused)?;
        let (flight, found) = flight::board(store, SCOPE, LEASE, &holder, vec![query()]).await?;
        match flight {
            Flight::Ours(epoch) => {
                // Somebody may have landed in between.
                if let Some(outcome) = judge(found.first(), kid, platform.now()) {
                    flight::land(store, SCOPE, LEASE, epoch).await;
                    return outcome;
                }
                return fetch(platform, certs_url, kid, epoch).await;
            }
            Flight::Theirs if waited < PATIENCE => {
                platform.sleep(GLANCE).await;
                waited += GLANCE;
            }
            Flight::Theirs => return Err(unavailable("they are being fetched", 1000)),
            Flight::Failed(remaining) => return Err(unavailable("it did not give them", remaining)),
        }
    }
}

fn query() -> Query {
    Query::Document(DOCUMENT.to_owned())
}

/// What the stored keys say about a key id; nothing if they have to be fetched.
fn judge(found: Option<&Found>, kid: &str, now: u64) -> Option<Result<Key, NoKey>> {
    let Some(Found::Document(Some(Document { value, .. }))) = found else {
        return None;
    };
    let keys: Keys = anyturn_json::from_slice(value).ok()?;
    if now >= keys.until || now < keys.fetched {
        return None;
    }
    match keys.keys.into_iter().find(|key| key.kid == kid) {
        Some(key) => Some(Ok(key)),
        None if now - keys.fetched < FLOOR => Some(Err(NoKey::Unknown)),
        None => None,
    }
}

async fn fetch<P: Platform>(platform: &P, certs_url: &str, kid: &str, epoch: u64) -> Result<Key, NoKey> {
    let store = platform.store();
    let (keys, age) = match google::certs(platform, certs_url).await {
        Ok(fetched) => fetched,
        Err(failure) => {
            let pause = failure.pause();
            flight::failed(store, SCOPE, LEASE, epoch, pause).await;
            return Err(unavailable(&failure.to_string(), pause));
        }
    };
    let fetched = platform.now();
    // For less than the floor they would be fetched for every request.
    let ttl = age.clamp(FLOOR, CEILING);
    let keys = Keys {
        fetched,
        until: fetched + ttl,
        keys,
    };
    let put = Write::Put {
        document: DOCUMENT.to_owned(),
        expected: ExpectedVersion::Any,
        value: serde_json::to_vec(&keys).unwrap_or_default(),
        ttl: Some(ttl),
    };
    store
        .commit(SCOPE, vec![put, flight::landed(LEASE, epoch)], Vec::new())
        .await?;
    keys.keys
        .into_iter()
        .find(|key| key.kid == kid)
        .ok_or(NoKey::Unknown)
}

fn unavailable(why: &str, after: u64) -> NoKey {
    NoKey::Refused(Refusal::unavailable(
        format!("Google's keys are not here at present: {why}. Try again."),
        after,
    ))
}
