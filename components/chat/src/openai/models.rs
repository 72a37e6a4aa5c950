//! Assistants as models: `GET /v1/models` and `GET /v1/models/{id}`.

use http::StatusCode;
use serde::Serialize;

use crate::assistants::{self, Files};
use crate::http::{Problem, Response, respond};
use crate::platform::Platform;

/// The list of models.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ModelList {
    /// `list`.
    pub object: &'static str,
    /// In the order of their names.
    pub data: Vec<ModelObject>,
}

/// A model.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ModelObject {
    /// The assistant's name.
    pub id: String,
    /// `model`.
    pub object: &'static str,
    /// Not known, so 0.
    pub created: u64,
    /// `anyturn`.
    pub owned_by: &'static str,
}

fn model(id: String) -> ModelObject {
    ModelObject {
        id,
        object: "model",
        created: 0,
        owned_by: "anyturn",
    }
}

/// Answers `GET /v1/models`.
///
/// # Errors
/// When the folder of the assistants cannot be read.
pub fn list<P: Platform>(platform: &P) -> Result<Response, Problem> {
    let data = Files::new(platform).names()?.into_iter().map(model).collect();
    Ok(respond::json(StatusCode::OK, &ModelList { object: "list", data }))
}

/// Answers `GET /v1/models/{id}`.
///
/// # Errors
/// When there is none.
pub fn one<P: Platform>(platform: &P, id: &str) -> Result<Response, Problem> {
    if Files::new(platform).names()?.iter().any(|name| name == id) {
        Ok(respond::json(StatusCode::OK, &model(id.to_owned())))
    } else {
        Err(assistants::unknown(id))
    }
}
