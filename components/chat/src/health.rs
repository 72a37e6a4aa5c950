//! `GET /health` where the host does not answer it itself: can turns be taken here?

use anyturn_state::{Query, Store};
use http::StatusCode;
use serde::Serialize;

use crate::http::{Response, respond};
use crate::platform::Platform;

/// How things are.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Health {
    /// `ok`, or `degraded` when turns cannot be taken.
    pub status: &'static str,
    /// The store.
    pub store: Dependency,
    /// The language model that is configured. It is not asked.
    pub model: ModelHealth,
    /// The version of anyturn.
    pub version: &'static str,
}

/// Something that is needed.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Dependency {
    /// `ok` or `unavailable`.
    pub status: &'static str,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The language model.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ModelHealth {
    /// `ok` or `misconfigured`.
    pub status: &'static str,
    /// Such as `openai`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Such as `gpt-6-luna`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// False for the model that works without a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<bool>,
    /// Which variable is wrong or missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Answers: 200 when turns can be taken, 503 when not.
pub async fn answer<P: Platform>(platform: &P) -> Response {
    let probe = vec![Query::Counter("probe".to_owned())];
    let (store, model) = futures::join!(platform.store().read("health", probe), platform.describe_model());
    let store = match store {
        Ok(_) => Dependency {
            status: "ok",
            reason: None,
        },
        Err(error) => Dependency {
            status: "unavailable",
            reason: Some(error.to_string()),
        },
    };
    let model = match model {
        Ok(description) => ModelHealth {
            status: "ok",
            provider: Some(description.provider),
            model: Some(description.model),
            remote: Some(description.remote),
            reason: None,
        },
        Err(reason) => ModelHealth {
            status: "misconfigured",
            provider: None,
            model: None,
            remote: None,
            reason: Some(reason),
        },
    };
    let well = store.status == "ok" && model.status == "ok";
    let (status, code) = if well {
        ("ok", StatusCode::OK)
    } else {
        ("degraded", StatusCode::SERVICE_UNAVAILABLE)
    };
    respond::json(
        code,
        &Health {
            status,
            store,
            model,
            version: env!("CARGO_PKG_VERSION"),
        },
    )
}
