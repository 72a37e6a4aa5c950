//! HTTP requests that guests send, held to `allowed_outbound_hosts`.
//!
//! Where a request goes is decided by its address alone: `<component>.spin.internal` is another component of
//! the application and is called in this process ([`crate::chaining`]); everything else goes over the
//! network ([`client`]). Permission is asked first, in both cases.

pub(crate) mod client;
mod errors;

use crate::guest::Call;
use crate::runtime::{Component, Runtime};
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
        Box::new(async move {
            let response = send(runtime, component, call, request, options.unwrap_or_default()).await?;
            Ok((response, Box::new(std::future::ready(Ok(()))) as Box<_>))
        })
    }
}

async fn send(
    runtime: Arc<Runtime>,
    component: Arc<Component>,
    call: Arc<Call>,
    request: http::Request<WasiBody>,
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
        tracing::warn!(
            request_id = %call.request_id,
            component = %component.id,
            destination = %request.uri().authority().map_or("self", |authority| authority.as_str()),
            "the component may not call this; allowed_outbound_hosts in spin.toml does not list it"
        );
        return Err(Error::HttpRequestDenied);
    }
    match target {
        Target::Component(id) => crate::chaining::call(runtime, &call, &id, request).await,
        Target::Origin => crate::chaining::call_self(runtime, &call, request).await,
        Target::Network => {
            let result = runtime.outbound.send(request, options).await;
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
