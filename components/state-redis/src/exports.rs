//! The exported interfaces.

use std::cell::RefCell;
use std::rc::Rc;

use anyturn_state::schema::Client;
use anyturn_state::{self as port, Queue as _, Store as _};

use crate::bindings::exports::anyturn::state::types::Error;
use crate::bindings::exports::anyturn::state::{queue, store};
use crate::connection::{SpinRedis, open};

/// Implements the world `provider`.
#[cfg_attr(
    not(target_family = "wasm"),
    allow(dead_code, reason = "only a host calls it")
)]
struct Component;

#[allow(
    unsafe_code,
    reason = "what the macro writes are the entry points that the component model calls"
)]
#[cfg(target_family = "wasm")]
mod entry_points {
    crate::bindings::export!(Component with_types_in crate::bindings);
    use super::Component;
}

thread_local! {
    static CLIENT: RefCell<Option<Rc<Client<SpinRedis>>>> = const { RefCell::new(None) };
}

/// This instance's client; what the variables say is read once.
async fn client() -> Result<Rc<Client<SpinRedis>>, port::Error> {
    if let Some(client) = CLIENT.with_borrow(Clone::clone) {
        return Ok(client);
    }
    let client = Rc::new(open().await?);
    // Whoever came first stays, so that all operations share its connection.
    Ok(CLIENT.with_borrow_mut(|slot| Rc::clone(slot.get_or_insert(client))))
}

impl store::Guest for Component {
    async fn read(scope: String, queries: Vec<store::Query>) -> Result<Vec<store::Found>, Error> {
        let found = client()
            .await?
            .read(&scope, queries.into_iter().map(Into::into).collect())
            .await?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    async fn commit(
        scope: String,
        writes: Vec<store::Write>,
        queries: Vec<store::Query>,
    ) -> Result<store::Committed, Error> {
        let writes = writes.into_iter().map(Into::into).collect();
        let queries = queries.into_iter().map(Into::into).collect();
        Ok(client().await?.commit(&scope, writes, queries).await?.into())
    }

    async fn watch(
        scope: String,
        journal: String,
        start: u64,
        limit: u32,
        timeout: u64,
    ) -> Result<store::JournalSlice, Error> {
        Ok(client()
            .await?
            .watch(&scope, &journal, start, limit, timeout)
            .await?
            .into())
    }
}

impl queue::Guest for Component {
    async fn enqueue(queue: String, job: queue::NewJob) -> Result<bool, Error> {
        Ok(client().await?.enqueue(&queue, job.into()).await?)
    }

    async fn claim(queue: String, limit: u32, visibility: u64) -> Result<Vec<queue::Job>, Error> {
        let jobs = client().await?.claim(&queue, limit, visibility).await?;
        Ok(jobs.into_iter().map(Into::into).collect())
    }

    async fn extend(queue: String, id: String, receipt: u64, visibility: u64) -> Result<bool, Error> {
        Ok(client().await?.extend(&queue, &id, receipt, visibility).await?)
    }

    async fn acknowledge(queue: String, id: String, receipt: u64) -> Result<bool, Error> {
        Ok(client().await?.acknowledge(&queue, &id, receipt).await?)
    }

    async fn retry(
        queue: String,
        id: String,
        receipt: u64,
        delay: u64,
        reason: String,
    ) -> Result<bool, Error> {
        Ok(client()
            .await?
            .retry(&queue, &id, receipt, delay, &reason)
            .await?)
    }

    async fn dead_letters(queue: String, offset: u32, limit: u32) -> Result<Vec<queue::DeadJob>, Error> {
        let dead = client().await?.dead_letters(&queue, offset, limit).await?;
        Ok(dead.into_iter().map(Into::into).collect())
    }

    async fn replay(queue: String, id: String) -> Result<bool, Error> {
        Ok(client().await?.replay(&queue, &id).await?)
    }

    async fn depth(queue: String) -> Result<queue::QueueDepth, Error> {
        Ok(client().await?.depth(&queue).await?.into())
    }
}
