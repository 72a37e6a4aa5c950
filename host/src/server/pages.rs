//! The host's own pages: `/health`, `/ready` and `/metrics`.

use crate::drain::Drain;
use crate::metrics::Readings;
use crate::runtime::Runtime;
use anyturn_store::AnyStore;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;
use std::sync::Arc;

/// One of the pages.
#[derive(Clone, Copy, Debug)]
pub(super) enum Page {
    /// Whether everything that the application needs is there.
    Health,
    /// Whether new requests should be sent here.
    Ready,
    /// For Prometheus.
    Metrics,
}

/// Answers for the pages.
pub(super) struct Pages {
    runtime: Arc<Runtime>,
    drain: Drain,
}

impl Pages {
    /// The pages of a running application.
    pub(super) fn new(runtime: Arc<Runtime>, drain: Drain) -> Self {
        Self { runtime, drain }
    }

    /// The page at a path.
    pub(super) fn find(&self, path: &str) -> Option<Page> {
        match path {
            "/health" => Some(Page::Health),
            "/ready" => Some(Page::Ready),
            "/metrics" => Some(Page::Metrics),
            _ => None,
        }
    }

    /// The page.
    pub(super) async fn answer(&self, page: Page) -> Response<Bytes> {
        match page {
            Page::Health => self.health().await,
            Page::Ready => self.ready(),
            Page::Metrics => self.metrics(),
        }
    }

    /// 503 when the store cannot be reached. The model is told, not tried: it costs money and is not ours.
    async fn health(&self) -> Response<Bytes> {
        let status = &self.runtime.status;
        let healthy = match &status.store {
            Some(store) => match store.ping().await {
                Ok(()) => true,
                Err(error) => {
                    tracing::warn!(store = store.description(), %error, "the store is out of reach");
                    false
                }
            },
            None => true,
        };
        let store = status.store.as_ref().map(|store| {
            json!({
                "kind": match store {
                    AnyStore::Redis(_) => "redis",
                    AnyStore::Embedded(_) => "embedded",
                },
                "status": if healthy { "ok" } else { "unavailable" },
            })
        });
        let body = json!({
            "status": if healthy { "ok" } else { "degraded" },
            "version": env!("CARGO_PKG_VERSION"),
            "store": store,
            "model": status.model.as_ref().map(|model| json!({ "provider": model.provider, "name": model.name })),
        });
        json_page(
            if healthy {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            },
            &body,
        )
    }

    fn ready(&self) -> Response<Bytes> {
        if self.drain.has_begun() {
            json_page(
                StatusCode::SERVICE_UNAVAILABLE,
                &json!({ "ready": false, "reason": "shutting down" }),
            )
        } else {
            json_page(StatusCode::OK, &json!({ "ready": true }))
        }
    }

    fn metrics(&self) -> Response<Bytes> {
        let runtime = &self.runtime;
        let text = runtime.metrics.text(&Readings {
            live: runtime.admission.live(),
            waiting: runtime.admission.waiting(),
            store_round_trips: runtime.status.store.as_ref().map_or(0, AnyStore::round_trips),
        });
        let mut response = Response::new(Bytes::from(text));
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8"),
        );
        response
    }
}

fn json_page(status: StatusCode, body: &serde_json::Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
