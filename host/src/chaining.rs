//! Calls from component to component, without a socket.
//!
//! The target runs in a fresh instance of its own, with its own permissions and limits. It sees the headers
//! that Spin would show it. A chain has at most [`DEPTH`] calls, so that components that call each other end.

use crate::guest::{Call, Failure};
use crate::runtime::Runtime;
use crate::server::headers;
use crate::server::routes::{self, Destination};
use crate::telemetry::conventions;
use crate::telemetry::traces::Place;
use crate::telemetry::watch::Watch;
use crate::worker;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use std::sync::Arc;
use std::time::Instant;
use wasmtime_wasi_http::{Error, WasiBody};

/// How long a chain of calls may be.
pub(crate) const DEPTH: u8 = 8;

/// Calls the component `id`.
pub(crate) async fn call(
    runtime: Arc<Runtime>,
    caller: &Call,
    place: Option<Place>,
    id: &str,
    mut request: Request<WasiBody>,
) -> Result<http::Response<WasiBody>, Error> {
    let Some(component) = runtime.chained(id).map(Arc::clone) else {
        return Err(Error::DestinationNotFound);
    };
    headers::of_chained(&mut request);
    dispatch(runtime, component, caller, place, request).await
}

/// Calls the component that serves the path of `request` to the outside.
pub(crate) async fn call_self(
    runtime: Arc<Runtime>,
    caller: &Call,
    place: Option<Place>,
    mut request: Request<WasiBody>,
) -> Result<http::Response<WasiBody>, Error> {
    let uri = request.uri().clone();
    let Some(routed) = runtime.routes().find(uri.path()) else {
        return not_found();
    };
    let component = match &routed.route.to {
        Destination::Component(component) => Arc::clone(component),
        Destination::Static(fixed) => {
            let body = |body| Full::new(body).map_err(|never| match never {}).boxed_unsync();
            return Ok(routes::respond(fixed, body));
        }
    };
    headers::of_routed(&mut request, &routed, None);
    drop(routed);
    dispatch(Arc::clone(&runtime), component, caller, place, request).await
}

async fn dispatch(
    runtime: Arc<Runtime>,
    component: Arc<crate::runtime::Component>,
    caller: &Call,
    place: Option<Place>,
    mut request: Request<WasiBody>,
) -> Result<http::Response<WasiBody>, Error> {
    let depth = caller.depth.saturating_add(1);
    if depth > DEPTH {
        return Err(Error::LoopDetected);
    }
    let permit = runtime
        .admission
        .admit_inside()
        .map_err(|_| Error::ConnectionLimitReached)?;
    let span = runtime.traces.part(place, |place| {
        conventions::call(
            &request,
            &component.id,
            Place::of_headers(request.headers()).or(place),
        )
    });
    if let Some(place) = span.place() {
        place.put(request.headers_mut());
    }
    let call = Call::new(caller.request_id.clone(), depth, Watch::of(&span));
    request
        .headers_mut()
        .entry(headers::REQUEST_ID)
        .or_insert_with(|| call.request_id.header());
    let started = Instant::now();
    let answer = worker::call(&runtime, &component, call, request, permit, &span).await;
    let status = answer.as_ref().ok().map(http::Response::status);
    component
        .series
        .called(status.map_or(0, |status| status.as_u16()), started.elapsed());
    conventions::answered(&span, status, false);
    let response = answer.map_err(error_of)?;
    Ok(response.map(|body| body.boxed_unsync()))
}

/// What a caller is told of a failure of the component that it called.
fn error_of(failure: Failure) -> Error {
    match failure {
        Failure::Wall => Error::HttpResponseTimeout,
        Failure::Instantiation(_) => Error::DestinationUnavailable,
        failure => Error::InternalError(Some(format!("the called component failed ({})", failure.kind()))),
    }
}

fn not_found() -> Result<http::Response<WasiBody>, Error> {
    let body = http_body_util::Empty::new()
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = http::Response::new(body);
    *response.status_mut() = http::StatusCode::NOT_FOUND;
    Ok(response)
}
