//! Runs one call in an instance, in a task of its own.
//!
//! The task outlives the caller: somebody who hangs up does not stop a guest, which ends by itself or by its
//! limits. The response is handed over as soon as the guest returns it; its body flows on while the guest
//! runs, and a guest that is stopped half-way breaks the body off instead of ending it.

use crate::admission::Permit;
use crate::engine::limits::Limits;
use crate::guest::{Call, Failure, Guest};
use crate::runtime::{Component, Runtime};
use bytes::Bytes;
use futures::channel::oneshot;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use wasmtime::{AsContextMut as _, Store, Trap, UpdateDeadline};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{Prepared, Request};

/// What a call is answered with.
pub(crate) type Response = http::Response<GuestBody>;

/// Sends `request` to a fresh instance of `component`.
pub(crate) async fn call(
    runtime: Arc<Runtime>,
    component: Arc<Component>,
    call: Arc<Call>,
    request: Request,
    permit: Permit,
) -> Result<Response, Failure> {
    let (respond, response) = oneshot::channel();
    let task = tokio::spawn(run(runtime, component, Arc::clone(&call), request, respond, permit));
    match response.await {
        Ok(Ok(response)) => Ok(response.map(|body| GuestBody { body, call, ended: false })),
        Ok(Err(error)) => Err(failure_of(&error, &call, false)),
        // The instance was stopped before it answered; its task ends now and says why.
        Err(oneshot::Canceled) => {
            let _ = task.await;
            Err(call.failure.get().cloned().unwrap_or_else(|| Failure::Trap("no response".into())))
        }
    }
}

type Respond = oneshot::Sender<Result<http::Response<WasiBody>, wasmtime::Error>>;

async fn run(
    runtime: Arc<Runtime>,
    component: Arc<Component>,
    call: Arc<Call>,
    request: Request,
    respond: Respond,
    permit: Permit,
) {
    let limits = runtime.limits;
    let mut store = store(&runtime, &component, &call, &limits);
    let mut refused_room = false;
    let work = async {
        let proxy = component.pre.instantiate_async(&mut store).await.inspect_err(|_| refused_room = true)?;
        store
            .run_concurrent(async |accessor| {
                let prepared = accessor.with(|mut store| {
                    Prepared::new(store.as_context_mut(), &proxy, request, Guest::http_view, respond)
                })?;
                prepared.run(accessor, std::future::pending()).await?;
                poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
                wasmtime::error::Ok(())
            })
            .await?
    };
    let failure = match tokio::time::timeout(limits.wall, metered(&call, work)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) if refused_room => Some(Failure::Instantiation(format!("{error:#}").into())),
        Ok(Err(error)) => Some(failure_of(&error, &call, store.data().memory.refused)),
        Err(_) => Some(Failure::Wall),
    };
    if let Some(failure) = failure {
        report(&runtime, &component, &call, &failure);
        let _ = call.failure.set(failure);
    }
    // The body's end becomes visible now, after the failure that may explain it.
    drop(store);
    drop(permit);
}

/// A store with its limits set.
fn store(runtime: &Arc<Runtime>, component: &Arc<Component>, call: &Arc<Call>, limits: &Limits) -> Store<Guest> {
    let guest = Guest::new(Arc::clone(runtime), Arc::clone(component), Arc::clone(call), limits);
    let mut store = Store::new(&runtime.engine, guest);
    store.limiter(|guest| &mut guest.memory);
    store.set_epoch_deadline(1);
    let cpu = limits.cpu;
    store.epoch_deadline_callback(move |store| {
        if store.data().call().meter.spent() > cpu {
            return Err(wasmtime::Error::from(CpuTimeUsedUp));
        }
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

/// Polls `work` and counts the time that it takes.
async fn metered<F: Future>(call: &Call, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|cx| {
        call.meter.begin();
        let poll = work.as_mut().poll(cx);
        call.meter.end();
        poll
    })
    .await
}

/// The error by which a guest is stopped that used up its CPU time.
#[derive(Debug, thiserror::Error)]
#[error("the CPU time is used up")]
struct CpuTimeUsedUp;

/// What an error of a call means.
fn failure_of(error: &wasmtime::Error, call: &Call, memory_refused: bool) -> Failure {
    if let Some(failure) = call.failure.get() {
        failure.clone()
    } else if error.is::<CpuTimeUsedUp>() {
        Failure::Cpu
    } else if memory_refused {
        Failure::Memory
    } else if error.is::<Trap>() || error.is::<wasmtime::WasmBacktrace>() {
        Failure::Trap(format!("{error:#}").into())
    } else {
        Failure::Error(format!("{error:#}").into())
    }
}

/// Tells the log and the metrics; the client is told no internals.
fn report(runtime: &Runtime, component: &Component, call: &Call, failure: &Failure) {
    runtime.metrics.failed(&component.id, failure.kind());
    tracing::error!(
        request_id = %call.request_id,
        component = %component.id,
        kind = failure.kind(),
        cpu_ms = call.meter.spent().as_millis(),
        age_ms = call.meter.age().as_millis(),
        "{failure}"
    );
}

/// A response's body, which breaks off with an error when its instance was stopped.
pub(crate) struct GuestBody {
    body: WasiBody,
    call: Arc<Call>,
    ended: bool,
}

impl http_body::Body for GuestBody {
    type Data = Bytes;
    type Error = wasmtime_wasi_http::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let poll = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(None) = poll {
            self.ended = true;
            if self.call.failure.get().is_some() {
                return Poll::Ready(Some(Err(wasmtime_wasi_http::Error::HttpResponseIncomplete)));
            }
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.ended || (self.body.is_end_stream() && self.call.failure.get().is_none())
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
