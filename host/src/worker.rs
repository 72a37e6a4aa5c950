//! Runs calls in an instance, which goes on whatever becomes of its caller.
//!
//! Somebody who hangs up does not stop a guest, which ends by itself or by its limits. The response is handed
//! over as soon as the guest returns it; its body flows on while the guest runs, and a guest that is stopped
//! half-way breaks the body off instead of ending it.
//!
//! A call from outside begins in the task of its connection, as far as it comes without waiting; for a small
//! request that is all of it. What is left goes on in a task of its own. Handing a whole request to another
//! task, and its answer back, costs more than instantiating a component: the caches are cold by then, and a
//! core that was idle is woken twice.
//!
//! An instance serves one call and is thrown away. Where reuse was asked for it then waits, for a while and
//! up to a number of calls, for another one; it never serves two at a time.

mod instance;

use crate::admission::Permit;
use crate::engine::limits::{Limits, Meter};
use crate::guest::{Call, Failure, Guest};
use crate::runtime::{Component, Runtime};
use crate::telemetry::traces::{Place, Span};
use bytes::Bytes;
use futures::channel::oneshot;
use instance::{Desk, Instance};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::time::Instant;
use wasmtime::{AsContextMut as _, Store, Trap, UpdateDeadline};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{Prepared, Proxy, Request};

/// What a call is answered with.
pub(crate) type Response = http::Response<GuestBody>;

/// Takes a guest's response, or what it answers instead.
type Respond = oneshot::Sender<Result<http::Response<WasiBody>, wasmtime::Error>>;

/// Instances of a component that wait for another call.
pub(crate) type Idle = instance::Idle<Job>;

/// A call and how it is answered. Dropped unanswered, it tells the caller so.
pub(crate) struct Job {
    call: Arc<Call>,
    request: Request,
    respond: Respond,
    running: Running,
}

/// A call that is under way. When this is dropped the place is free again and the reason of a failure, if
/// there was one, is known.
struct Running {
    call: Arc<Call>,
    span: Span,
    _permit: Permit,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.call.stopped.notify_one();
    }
}

/// Sends `request` to an instance of `component`, a fresh one unless instances are reused. `span` does not end before the
/// instance has.
pub(crate) async fn call(
    runtime: &Arc<Runtime>,
    component: &Arc<Component>,
    call: Arc<Call>,
    request: Request,
    permit: Permit,
    span: &Span,
) -> Result<Response, Failure> {
    let (respond, response) = oneshot::channel();
    let running = Running {
        call: Arc::clone(&call),
        span: span.clone(),
        _permit: permit,
    };
    let job = Job {
        call: Arc::clone(&call),
        request,
        respond,
        running,
    };
    let idle = match runtime.reuse {
        1 => None,
        _ => component.idle.take(),
    };
    let instance = match idle {
        Some(idle) => {
            idle.give(job);
            idle
        }
        None => {
            let desk = Desk::new();
            let work = run(Arc::clone(runtime), Arc::clone(component), job, Arc::clone(&desk));
            Instance::new(work, desk)
        }
    };
    // A call from a component is made on the stack of the caller's instance, and what it computes would be
    // counted as that instance's own.
    match call.depth {
        0 => instance.start(&component.idle),
        _ => instance.start_elsewhere(&component.idle),
    }
    match response.await {
        Ok(Ok(response)) => Ok(response.map(|body| GuestBody {
            body,
            call,
            ended: false,
        })),
        Ok(Err(error)) => {
            let failure = failure_of(&error, false);
            report(runtime, component, &call, &failure);
            Err(failure)
        }
        Err(oneshot::Canceled) => {
            call.stopped.notified().await;
            Err(call.failure.get().cloned().unwrap_or_else(|| {
                let failure = Failure::Error("it ended without a response".into());
                report(runtime, component, &call, &failure);
                failure
            }))
        }
    }
}

/// What an instance is doing, as its time limit needs to know it.
struct Activity {
    now: Mutex<(Option<Running>, Instant)>,
}

impl Activity {
    fn set(&self, running: Option<Running>, until: Instant) -> Option<Running> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.1 = until;
        std::mem::replace(&mut now.0, running)
    }

    fn until(&self) -> Instant {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

async fn run(runtime: Arc<Runtime>, component: Arc<Component>, job: Job, desk: Arc<Desk<Job>>) {
    let limits = runtime.limits;
    let meter = Arc::new(Meter::new());
    let mut store = store(&runtime, &component, &job.call, &limits, &meter);
    let Job {
        call,
        request,
        respond,
        running,
    } = job;
    let activity = Activity {
        now: Mutex::new((Some(running), Instant::now() + limits.wall)),
    };
    let mut instantiated = false;
    let result = {
        let work = metered(&meter, async {
            let proxy = component.http()?.instantiate_async(&mut store).await?;
            instantiated = true;
            serve(
                &runtime,
                &mut store,
                &proxy,
                &activity,
                (call, request, respond),
                &desk,
                &meter,
            )
            .await
        });
        let mut work = pin!(work);
        loop {
            let until = activity.until();
            match tokio::time::timeout_at(until, &mut work).await {
                Ok(result) => break Some(result),
                Err(_) if activity.until() > until => {}
                Err(_) => break None,
            }
        }
    };
    let running = activity.set(None, Instant::now());
    if let Some(running) = &running {
        let failure = match result {
            Some(Ok(())) => None,
            Some(Err(error)) if !instantiated && !error.is::<CpuTimeUsedUp>() => {
                Some(Failure::Instantiation(format!("{error:#}").into()))
            }
            Some(Err(error)) => Some(failure_of(&error, store.data().memory.refused)),
            None => Some(Failure::Wall),
        };
        if let Some(failure) = failure {
            report(&runtime, &component, &running.call, &failure);
            running.span.fail(failure.kind());
            let _ = running.call.failure.set(failure);
        }
    }
    // The end of the body becomes visible now, after the failure that may explain it; and the place is free
    // when the instance is gone.
    drop(store);
    drop(running);
}

/// Serves the first call, and others where instances are reused.
async fn serve(
    runtime: &Runtime,
    store: &mut Store<Guest>,
    proxy: &Proxy,
    activity: &Activity,
    first: (Arc<Call>, Request, Respond),
    desk: &Desk<Job>,
    meter: &Meter,
) -> wasmtime::Result<()> {
    store
        .run_concurrent(async |accessor| {
            let (mut call, mut request, mut respond) = first;
            let mut served = 0_u32;
            loop {
                let prepared = accessor.with(|mut store| {
                    store.data_mut().serve(call);
                    // Ticks that an idle instance did not see are none that it has to yield for.
                    store.as_context_mut().set_epoch_deadline(1);
                    Prepared::new(store.as_context_mut(), proxy, request, Guest::http_view, respond)
                })?;
                prepared.run(accessor, std::future::pending()).await?;
                poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
                served = served.saturating_add(1);
                if served >= runtime.reuse {
                    return Ok(());
                }
                drop(activity.set(None, Instant::now() + runtime.limits.wall));
                let job = desk.next().await;
                meter.reset();
                activity.set(Some(job.running), Instant::now() + runtime.limits.wall);
                (call, request, respond) = (job.call, job.request, job.respond);
            }
        })
        .await?
}

/// A store with its limits set.
pub(crate) fn store(
    runtime: &Arc<Runtime>,
    component: &Arc<Component>,
    call: &Arc<Call>,
    limits: &Limits,
    meter: &Arc<Meter>,
) -> Store<Guest> {
    let guest = Guest::new(
        Arc::clone(runtime),
        Arc::clone(component),
        Arc::clone(call),
        limits,
    );
    let mut store = Store::new(&runtime.engine, guest);
    store.limiter(|guest| &mut guest.memory);
    store.set_epoch_deadline(1);
    let (cpu, meter) = (limits.cpu, Arc::clone(meter));
    store.epoch_deadline_callback(move |_| {
        if meter.spent() > cpu {
            return Err(wasmtime::Error::from(CpuTimeUsedUp));
        }
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

/// Polls `work` and counts the time that it takes.
pub(crate) async fn metered<F: Future>(meter: &Meter, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|cx| {
        meter.begin();
        let poll = work.as_mut().poll(cx);
        meter.end();
        poll
    })
    .await
}

/// The error by which a guest is stopped that used up its CPU time.
#[derive(Debug, thiserror::Error)]
#[error("the CPU time is used up")]
struct CpuTimeUsedUp;

/// What an error of a call means.
pub(crate) fn failure_of(error: &wasmtime::Error, memory_refused: bool) -> Failure {
    if error.is::<CpuTimeUsedUp>() {
        Failure::Cpu
    } else if memory_refused {
        Failure::Memory
    } else if error.is::<Trap>() {
        Failure::Trap(format!("{error:?}").into())
    } else {
        Failure::Error(format!("{error:#}").into())
    }
}

/// Tells the log and the metrics; the client is told no internals.
pub(crate) fn report(runtime: &Runtime, component: &Component, call: &Call, failure: &Failure) {
    runtime.metrics.failed(&component.id, failure.kind());
    let (trace_id, span_id) = Place::ids(call.watch.place());
    tracing::error!(
        request_id = %call.request_id,
        trace_id,
        span_id,
        component = %component.id,
        kind = failure.kind(),
        after_ms = u64::try_from(call.started.elapsed().as_millis()).unwrap_or(u64::MAX),
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
