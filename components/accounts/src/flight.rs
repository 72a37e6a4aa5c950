//! One does it, the others wait: a fetch that many instances want at the same time happens once.
//!
//! Whoever acquires the lease does the work and gives the lease up in the commit that stores the outcome. The others
//! look for the outcome until it is there. If the work fails, the lease passes for a while to nobody ([`FAILED`]):
//! until then the others are told at once, and nobody asks a server that is in trouble again.

use anyturn_state::{Actual, Error, Found, Query, Store, Write, Written};

/// Who holds a lease while nobody shall try.
const FAILED: &str = "failed";
/// How long one may work, in milliseconds: longer than [`crate::platform::FETCH_TIMEOUT`].
const WORK: u64 = 15_000;
/// How long the others look for the outcome before they give up, in milliseconds.
pub const PATIENCE: u64 = 12_000;
/// How often they look, in milliseconds.
pub const GLANCE: u64 = 50;

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flight {
    /// The caller, under this epoch.
    Ours(u64),
    /// Somebody else, at present.
    Theirs,
    /// Nobody for so many milliseconds: it has just failed.
    Failed(u64),
}

/// Asks to do the work. The queries are answered as of the moment at which the lease was granted, and not at all if
/// it was not.
pub async fn board<S: Store>(
    store: &S,
    scope: &str,
    lease: &str,
    holder: &str,
    queries: Vec<Query>,
) -> Result<(Flight, Vec<Found>), Error> {
    let acquire = Write::Acquire {
        lease: lease.to_owned(),
        holder: holder.to_owned(),
        ttl: WORK,
    };
    match store.commit(scope, vec![acquire], queries).await {
        Ok(committed) => match committed.written.first() {
            Some(Written::Granted { epoch, .. }) => Ok((Flight::Ours(*epoch), committed.found)),
            other => Err(Error::Corrupt(format!("an acquired lease is {other:?}"))),
        },
        Err(Error::Conflict {
            actual: Actual::Lease(state),
            ..
        }) if state.holder == FAILED => Ok((Flight::Failed(state.remaining), Vec::new())),
        Err(Error::Conflict { .. }) => Ok((Flight::Theirs, Vec::new())),
        Err(error) => Err(error),
    }
}

/// Gives the lease up, as a part of a commit.
pub fn landed(lease: &str, epoch: u64) -> Write {
    Write::Release {
        lease: lease.to_owned(),
        epoch,
    }
}

/// Gives the lease up without an outcome. If that cannot be stored, it runs out by itself.
pub async fn land<S: Store>(store: &S, scope: &str, lease: &str, epoch: u64) {
    let _ = store.commit(scope, vec![landed(lease, epoch)], Vec::new()).await;
}

/// Keeps everybody from trying for so many milliseconds. If that cannot be stored, the lease runs out by itself.
pub async fn failed<S: Store>(store: &S, scope: &str, lease: &str, epoch: u64, pause: u64) {
    let writes = vec![
        landed(lease, epoch),
        Write::Acquire {
            lease: lease.to_owned(),
            holder: FAILED.to_owned(),
            ttl: pause.max(1),
        },
    ];
    let _ = store.commit(scope, writes, Vec::new()).await;
}
