//! The assistants that there are, as the chat page and other clients list them.

use anyturn_engine::{Assistant, LoadError};
use http::StatusCode;
use serde::Serialize;

use crate::assistants::Files;
use crate::http::{Problem, Response, respond};
use crate::platform::Platform;

/// The list of assistants.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AssistantList {
    /// In the order of their names.
    pub data: Vec<AssistantSummary>,
    /// Files that cannot be used, and why. Left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub invalid: Vec<InvalidAssistant>,
}

/// An assistant.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AssistantSummary {
    /// What it is called in addresses, and as `model` by clients of OpenAI.
    pub name: String,
    /// For people.
    pub title: String,
    /// What it does.
    pub description: String,
    /// What it says first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greeting: Option<String>,
    /// What one could say to it.
    pub suggestions: Vec<String>,
}

/// An assistant's file that cannot be used.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct InvalidAssistant {
    /// The assistant's name.
    pub name: String,
    /// File, line, key and reason of everything that is wrong.
    pub reason: String,
}

/// Answers `GET /v1/assistants`.
///
/// # Errors
/// When the folder cannot be read.
pub fn list<P: Platform>(platform: &P) -> Result<Response, Problem> {
    let files = Files::new(platform);
    let mut list = AssistantList {
        data: Vec::new(),
        invalid: Vec::new(),
    };
    for name in files.names()? {
        match files.read(&name) {
            Ok(assistant) => list.data.push(summary(assistant)),
            // Deleted since the folder was read.
            Err(LoadError::Unknown(_)) => {}
            Err(LoadError::Invalid(error)) => {
                list.invalid.push(InvalidAssistant {
                    name,
                    reason: error.to_string(),
                });
            }
        }
    }
    Ok(respond::json(StatusCode::OK, &list))
}

fn summary(assistant: Assistant) -> AssistantSummary {
    let Assistant {
        name,
        title,
        description,
        greeting,
        suggestions,
        ..
    } = assistant;
    AssistantSummary {
        name,
        title,
        description,
        greeting,
        suggestions,
    }
}
