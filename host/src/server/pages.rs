//! The host's own pages: `/live`, `/ready`, `/health` and `/metrics`.
//!
//! They need no place among the requests, so that they answer however busy the host is.

use crate::drain::Drain;
use crate::readiness::Readiness;
use crate::runtime::Runtime;
use anyturn_store::AnyStore;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;
use std::sync::Arc;

/// One of the pages.
#[derive(Clone, Copy, Debug)]
pub(super) enum Page {
    /// Whether the process works at all; if it does not, starting it anew is what helps.
    Live,
    /// Whether new requests should be sent here.
    Ready,
    /// Whether everything that the application needs is there.
    Health,
    /// For Prometheus.
    Metrics,
}

/// Answers for the pages.
pub(super) struct Pages {
    runtime: Arc<Runtime>,
    readiness: Readiness,
    drain: Drain,
}

impl Pages {
    /// The pages of a running application.
    pub(super) fn new(runtime: Arc<Runtime>, readiness: Readiness, drain: Drain) -> Self {
        Self {
            runtime,
            readiness,
            drain,
        }
    }

    /// The page at a path.
    pub(super) fn find(&self, path: &str) -> Option<Page> {
        match path {
            "/live" => Some(Page::Live),
            "/ready" => Some(Page::Ready),
            "/health" => Some(Page::Health),
            "/metrics" => Some(Page::Metrics),
            _ => None,
        }
    }

    /// The page.
    pub(super) async fn answer(&self, page: Page) -> Response<Bytes> {
        match page {
            Page::Live => json_page(StatusCode::OK, &json!({ "live": true })),
            Page::Ready => self.ready(),
            Page::Health => self.health().await,
            Page::Metrics => self.metrics(),
        }
    }

    /// 503 when the store cannot be reached. The model is told, not tried: it costs money and is not ours.
    async fn health(&self) -> Response<Bytes> {
        let status = &self.runtime.status;
        let (kind, answer) = match (&status.store, &status.components_store) {
            (Some(store), _) => {
                let kind = match store {
                    AnyStore::Redis(_) => "redis",
                    AnyStore::Embedded(_) => "embedded",
                };
                (Some(kind), store.ping().await.map_err(|error| error.to_string()))
            }
            (None, Some(probe)) => (Some("redis"), probe.ping().await),
            (None, None) => (None, Ok(())),
        };
        if let Err(reason) = &answer {
            tracing::warn!(kind, reason, "the store is out of reach");
        }
        let healthy = answer.is_ok();
        let store = kind.map(|kind| {
            json!({
                "kind": kind,
                "status": if healthy { "ok" } else { "unavailable" },
            })
        });
        let body = json!({
            "status": if healthy { "ok" } else { "degraded" },
            "version": env!("CARGO_PKG_VERSION"),
            "store": store,
            "model": status.model.as_ref().map(|model| {
                json!({ "status": "ok", "provider": model.provider, "name": model.name })
            }),
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

    /// 503 when this host is about to end, or has not reached the store for a while.
    fn ready(&self) -> Response<Bytes> {
        match self.unready() {
            None => json_page(StatusCode::OK, &json!({ "ready": true })),
            Some(reason) => json_page(
                StatusCode::SERVICE_UNAVAILABLE,
                &json!({ "ready": false, "reason": reason }),
            ),
        }
    }

    fn unready(&self) -> Option<&'static str> {
        self.readiness.obstacle(&self.drain)
    }

    fn metrics(&self) -> Response<Bytes> {
        let text = self.runtime.series(self.unready().is_none());
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
