//! `anyturn:state`, provided by the host: the store that all components share, each its own namespace of it.
//!
//! A call waits for the store without holding the instance, so that a component can have several under way.

mod convert;

use crate::guest::Guest;
use crate::metrics::is_failure;
use crate::runtime::Runtime;
use crate::telemetry::conventions;
use anyturn_state::{Queue as _, Store as _};
use anyturn_store::NamespacedStore;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::component::{Accessor, HasData, Linker};

/// The interface as the component model has it.
pub(super) mod bindings {
    wasmtime::component::bindgen!({ path: "../wit/state", world: "imports" });
}

use bindings::anyturn::state::{queue, store, types};

/// Ties the interface to an instance's data.
struct State;

impl HasData for State {
    type Data<'a> = &'a mut Guest;
}

/// Adds the interface.
pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, State>(linker, |guest| guest)?;
    store::add_to_linker::<_, State>(linker, |guest| guest)?;
    queue::add_to_linker::<_, State>(linker, |guest| guest)
}

impl types::Host for Guest {}
impl store::Host for Guest {}
impl queue::Host for Guest {}

/// Runs one operation on the component's namespace, and measures it.
async fn operate<T, F, R>(
    accessor: &Accessor<T, State>,
    name: &'static str,
    operation: impl FnOnce(NamespacedStore) -> F,
) -> Result<R, types::Error>
where
    T: 'static,
    F: Future<Output = Result<R, anyturn_state::Error>>,
{
    let (view, runtime, place): (_, Arc<Runtime>, _) = accessor.with(|mut access| {
        let guest = access.get();
        let runtime = Arc::clone(guest.runtime());
        (guest.component().state.clone(), runtime, guest.place())
    });
    let Some(view) = view else {
        return Err(types::Error::Unavailable(
            "this component has no state".to_owned(),
        ));
    };
    let span = runtime.traces.part(place, |place| {
        conventions::operation(runtime.status.store.as_ref(), name, place)
    });
    let started = Instant::now();
    let result = operation(view).await;
    let failed = is_failure(&result);
    let operations = runtime.metrics.store();
    operations.ended(name, started.elapsed(), !failed);
    if failed {
        span.fail("unavailable");
    }
    result.map_err(convert::error)
}

impl<T: Send + 'static> store::HostWithStore<T> for State {
    async fn read(
        accessor: &Accessor<T, Self>,
        scope: String,
        queries: Vec<store::Query>,
    ) -> Result<Vec<store::Found>, types::Error> {
        let queries = queries.into_iter().map(convert::query).collect();
        let found = operate(accessor, "read", async |view| view.read(&scope, queries).await).await?;
        Ok(found.into_iter().map(convert::found).collect())
    }

    async fn commit(
        accessor: &Accessor<T, Self>,
        scope: String,
        writes: Vec<store::Write>,
        queries: Vec<store::Query>,
    ) -> Result<store::Committed, types::Error> {
        let writes = writes.into_iter().map(convert::write).collect();
        let queries = queries.into_iter().map(convert::query).collect();
        let committed = operate(accessor, "commit", async |view| {
            view.commit(&scope, writes, queries).await
        })
        .await?;
        Ok(store::Committed {
            written: committed.written.into_iter().map(convert::written).collect(),
            found: committed.found.into_iter().map(convert::found).collect(),
        })
    }

    async fn watch(
        accessor: &Accessor<T, Self>,
        scope: String,
        journal: String,
        start: u64,
        limit: u32,
        timeout: u64,
    ) -> Result<store::JournalSlice, types::Error> {
        let slice = operate(accessor, "watch", async |view| {
            view.watch(&scope, &journal, start, limit, timeout).await
        });
        Ok(convert::slice(slice.await?))
    }
}

impl<T: Send + 'static> queue::HostWithStore<T> for State {
    async fn enqueue(
        accessor: &Accessor<T, Self>,
        queue: String,
        job: queue::NewJob,
    ) -> Result<bool, types::Error> {
        let job = convert::new_job(job);
        operate(accessor, "enqueue", async |view| view.enqueue(&queue, job).await).await
    }

    async fn claim(
        accessor: &Accessor<T, Self>,
        queue: String,
        limit: u32,
        visibility: u64,
    ) -> Result<Vec<queue::Job>, types::Error> {
        let jobs = operate(accessor, "claim", async |view| {
            view.claim(&queue, limit, visibility).await
        })
        .await?;
        Ok(jobs.into_iter().map(convert::job).collect())
    }

    async fn extend(
        accessor: &Accessor<T, Self>,
        queue: String,
        id: String,
        receipt: u64,
        visibility: u64,
    ) -> Result<bool, types::Error> {
        operate(accessor, "extend", async |view| {
            view.extend(&queue, &id, receipt, visibility).await
        })
        .await
    }

    async fn acknowledge(
        accessor: &Accessor<T, Self>,
        queue: String,
        id: String,
        receipt: u64,
    ) -> Result<bool, types::Error> {
        operate(accessor, "acknowledge", async |view| {
            view.acknowledge(&queue, &id, receipt).await
        })
        .await
    }

    async fn retry(
        accessor: &Accessor<T, Self>,
        queue: String,
        id: String,
        receipt: u64,
        delay: u64,
        reason: String,
    ) -> Result<bool, types::Error> {
        operate(accessor, "retry", async |view| {
            view.retry(&queue, &id, receipt, delay, &reason).await
        })
        .await
    }

    async fn dead_letters(
        accessor: &Accessor<T, Self>,
        queue: String,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<queue::DeadJob>, types::Error> {
        let jobs = operate(accessor, "dead-letters", async |view| {
            view.dead_letters(&queue, offset, limit).await
        })
        .await?;
        Ok(jobs.into_iter().map(convert::dead_job).collect())
    }

    async fn replay(accessor: &Accessor<T, Self>, queue: String, id: String) -> Result<bool, types::Error> {
        operate(accessor, "replay", async |view| view.replay(&queue, &id).await).await
    }

    async fn depth(accessor: &Accessor<T, Self>, queue: String) -> Result<queue::QueueDepth, types::Error> {
        let depth = operate(accessor, "depth", async |view| view.depth(&queue).await).await?;
        Ok(convert::depth(depth))
    }
}
