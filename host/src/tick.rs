//! Requests that the host makes by itself, as the manifest asks (`[component.x.tool.anyturn] tick`).
//!
//! A tick is a POST in process to the component, with the variable `internal_secret` as its bearer token. Ticks
//! do not wait for each other, because one may have long work to do; but no more than [`AT_ONCE`] of a component
//! run at the same time, and none begins once the process is told to end.

use crate::drain::Drain;
use crate::engine::aot::hex;
use crate::guest::{Call, RequestId};
use crate::runtime::{Component, Runtime};
use crate::server::{headers, request_id};
use crate::telemetry::conventions;
use crate::telemetry::traces::Span;
use crate::telemetry::watch::Watch;
use crate::worker;
use anyhow::Result;
use anyturn_manifest::{Application, Tick, Values};
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt as _, Empty};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use wasmtime_wasi_http::WasiBody;

/// How many ticks of one component run at the same time.
const AT_ONCE: usize = 4;

/// The variable that ticks prove with that the host makes them.
const SECRET: &str = "internal_secret";

/// Chooses the secret where nobody has: it is only known to this process then.
pub(crate) fn choose_secret(values: &mut Values) -> Result<()> {
    if values.get(SECRET).is_some() && values.text(SECRET).is_empty() {
        values.set(SECRET, hex(&crate::cli::key::random()?));
    }
    Ok(())
}

/// Starts the ticks of all components.
pub(crate) fn start(application: &Application, runtime: &Arc<Runtime>, drain: &Drain) {
    for component in application.triggered() {
        let ready = runtime.components.get(component.id().as_str());
        if let (Some(tick), Some(ready)) = (component.tick(), ready) {
            tokio::spawn(run(
                tick.clone(),
                Arc::clone(ready),
                Arc::clone(runtime),
                drain.clone(),
            ));
        }
    }
}

async fn run(tick: Tick, component: Arc<Component>, runtime: Arc<Runtime>, drain: Drain) {
    let Some(authorization) = authorization(&component) else {
        tracing::error!(component = component.id, "ticks need the variable {SECRET}");
        return;
    };
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut interval = tokio::time::interval(tick.every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = drain.left() => return,
            _ = interval.tick() => {}
        }
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        let (tick, component, runtime) = (tick.clone(), Arc::clone(&component), Arc::clone(&runtime));
        let authorization = authorization.clone();
        tokio::spawn(async move {
            if let Err(reason) = once(&tick.path, authorization, &component, &runtime).await {
                tracing::warn!(
                    component = component.id,
                    path = tick.path,
                    "a tick failed: {reason}"
                );
            }
            drop(place);
        });
    }
}

fn authorization(component: &Component) -> Option<HeaderValue> {
    let secret = component
        .variables
        .get(SECRET)
        .filter(|secret| !secret.is_empty())?;
    let mut value = HeaderValue::try_from(format!("Bearer {secret}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Makes one, and reads its answer to the end.
async fn once(
    path: &str,
    authorization: HeaderValue,
    component: &Arc<Component>,
    runtime: &Arc<Runtime>,
) -> Result<(), String> {
    let Ok(permit) = runtime.admission.admit_inside() else {
        return Ok(()); // The host is full: what the tick looks after is still there for the next one.
    };
    let id = request_id::new();
    let watch = Watch::tick(&runtime.traces, &component.id, path);
    let call = Call::new(RequestId::from(&id), 0, watch);
    let body: WasiBody = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = format!("http://{}.spin.internal{path}", component.id)
        .parse()
        .map_err(|error| format!("{error}"))?;
    request.headers_mut().insert(headers::REQUEST_ID, id);
    request.headers_mut().insert(header::AUTHORIZATION, authorization);
    headers::of_chained(&mut request);
    let watched = Arc::clone(&call);
    let answer = worker::call(runtime, component, call, request, permit, &Span::default()).await;
    let status = answer.as_ref().ok().map(http::Response::status);
    let ended = match answer {
        Ok(response) => response
            .into_body()
            .collect()
            .await
            .map(drop)
            .map_err(|error| error.to_string()),
        Err(failure) => Err(failure.to_string()),
    };
    if let Some(span) = watched.watch.told() {
        conventions::answered(span, status, false);
        span.end();
    }
    ended?;
    let status = status.unwrap_or_default();
    match status.is_success() {
        true => Ok(()),
        false => Err(format!("it was answered with {status}")),
    }
}
