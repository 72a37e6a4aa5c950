//! The requests that a component sends: over HTTP to whomever it wants, without TLS.

use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// What sends them.
#[derive(Clone)]
pub(crate) struct Network(Client<HttpConnector, WasiBody>);

impl Network {
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }
}

/// What happened to the request's body while the response came.
type Rest = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Network {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Rest,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Rest), Error>> + Send> {
        let client = self.0.clone();
        Box::new(async move {
            let response = client.request(request).await;
            let response = response.map_err(|error| Error::Connect(std::io::Error::other(error)))?;
            let response = response.map(|body| body.map_err(Error::from).boxed_unsync());
            let rest: Rest = Box::new(std::future::ready(Ok(())));
            Ok((response, rest))
        })
    }
}
