//! HTTP requests that guests send, held to `allowed_outbound_hosts`.
//!
//! Where a request goes is decided by its address alone: `<component>.spin.internal` is another component of
//! the application and is called in this process ([`crate::chaining`]); everything else goes over the
//! network ([`client`]). Permission is asked first, in both cases.

pub(crate) mod client;
mod errors;

use crate::guest::Call;
use crate::runtime::{Component, Runtime};
use crate::telemetry::conventions;
use crate::telemetry::traces::Place;
use crate::telemetry::watch::Open;
use std::sync::Arc;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

/// A response, and what becomes of the connection while its body is read.
type Sent = (
    http::Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
);

/// What `wasi:http` asks the host for, with the instance that it is asked for.
pub(crate) struct Hooks {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) component: Arc<Component>,
    pub(crate) call: Arc<Call>,
    /// The spans that the instance has not ended.
    pub(crate) spans: Open,
}

impl Hooks {
    /// Where something belongs in a trace that the instance asks for now.
    pub(crate) fn place(&self) -> Option<Place> {
        self.spans.place().or_else(|| self.call.watch.place()).cloned()
    }
}

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &http::HeaderName) -> bool {
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::clone(&self.runtime.forbidden_headers)
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let runtime = Arc::clone(&self.runtime);
        let component = Arc::clone(&self.component);
        let call = Arc::clone(&self.call);
        let place = self.place();
        Box::new(async move {
            let options = options.unwrap_or_default();
            let response = send(runtime, component, call, place, request, options).await?;
            Ok((response, Box::new(std::future::ready(Ok(()))) as Box<_>))
        })
    }
}

async fn send(
    runtime: Arc<Runtime>,
    component: Arc<Component>,
    call: Arc<Call>,
    place: Option<Place>,
    mut request: http::Request<WasiBody>,
    options: RequestOptions,
) -> Result<http::Response<WasiBody>, Error> {
    let target = Target::of(request.uri());
    let uri = request.uri();
    let scheme = uri.scheme_str().unwrap_or("https");
    let allowed = match &target {
        Target::Origin => ["http", "https"]
            .iter()
            .any(|scheme| component.allowed_hosts.allows_self(scheme)),
        _ => component
            .allowed_hosts
            .allows(scheme, uri.host().unwrap_or_default(), uri.port_u16()),
    };
    if !allowed {
        runtime.metrics.outbound(&component.id, "denied");
        let (trace_id, span_id) = Place::ids(call.watch.place());
        tracing::warn!(
            request_id = %call.request_id,
            trace_id,
            span_id,
            component = %component.id,
            destination = %request.uri().authority().map_or("self", |authority| authority.as_str()),
            "the component may not call this; allowed_outbound_hosts in spin.toml does not list it"
        );
        return Err(Error::HttpRequestDenied);
    }
    match target {
        Target::Component(id) => crate::chaining::call(runtime, &call, place, &id, request).await,
        Target::Origin => crate::chaining::call_self(runtime, &call, place, request).await,
        Target::Network => {
            let span = runtime.traces.part(place, |place| {
                conventions::sent(
                    &request,
                    &component.id,
                    Place::of_headers(request.headers()).or(place),
                )
            });
            runtime.traces.tell(request.headers_mut(), &span);
            let result = runtime.outbound.send(request, options, span.clone()).await;
            let status = result.as_ref().ok().map(http::Response::status);
            conventions::answered(&span, status, true);
            runtime
                .metrics
                .outbound(&component.id, if result.is_ok() { "ok" } else { "error" });
            result
        }
    }
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// Another component, by its id.
    Component(String),
    /// The application itself, by its public routes.
    Origin,
    /// Elsewhere.
    Network,
}

impl Target {
    /// An address without a host, or with the host `self.alt`, is the application itself.
    fn of(uri: &http::Uri) -> Self {
        let host = uri.host().unwrap_or_default();
        if host.is_empty() || host == "self.alt" {
            Self::Origin
        } else if let Some(id) = host.strip_suffix(".spin.internal") {
            Self::Component(id.to_owned())
        } else {
            Self::Network
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn the_address_alone_decides_where_a_request_goes() {
        let target = |uri: &str| Target::of(&uri.parse().unwrap());
        assert_eq!(
            target("http://tasks.spin.internal/mcp"),
            Target::Component("tasks".into())
        );
        assert_eq!(target("/v1/models"), Target::Origin);
        assert_eq!(target("http://self.alt/v1/models"), Target::Origin);
        assert_eq!(target("https://api.openai.com/v1"), Target::Network);
        assert_eq!(target("https://spin.internal/"), Target::Network);
    }
}
