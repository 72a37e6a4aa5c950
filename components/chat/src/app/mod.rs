//! The dialect of an assistant's own app: one message in, one answer out, in fixed shapes.
//!
//! The app talks to one assistant, which the variable `app_assistant` names. Its sessions are sessions like any
//! others. Whoever wants to hear how far a turn is asks for a stream of events: `progress`, any number of them, and
//! then `response` or `error`, each with an id from which any instance goes on telling. What goes wrong otherwise is
//! told as `{success: false, error, message}` with its status.
//!
//! Signing in belongs to the component `accounts`; requests for it are passed on.

pub mod answer;
pub mod sessions;
mod state;
pub mod turns;

use bytes::Bytes;
use http::Method;
use serde::Serialize;

use crate::exchange::Exchange;
use crate::http::{Problem, Response, respond};
use crate::platform::Platform;
use crate::proxy;

/// The component that people sign in at.
const ACCOUNTS: &str = "accounts";

/// An error as the app reads it.
#[derive(Serialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(schemars::JsonSchema),
    schemars(rename = "AppError", deny_unknown_fields)
)]
pub struct Refusal<'a> {
    /// Always false.
    success: bool,
    /// What a program can act on, such as `unknown-session`.
    error: &'static str,
    /// What is wrong and what would be right, for people.
    message: &'a str,
}

/// The answer to what went wrong.
#[must_use]
pub fn refusal(problem: &Problem) -> Response {
    let (error, _, status) = problem.kind.parts();
    let refusal = Refusal {
        success: false,
        error,
        message: &problem.detail,
    };
    let mut response = respond::json(status, &refusal);
    problem.put_headers(&mut response);
    response
}

/// Passes a request about signing in on to `accounts`. Two of them come from people whom nobody knows yet: they are
/// counted by their address.
///
/// # Errors
/// 401, 429, and 502 when it does not answer.
pub async fn auth<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    path: &str,
    body: Bytes,
) -> Result<Response, Problem> {
    let caller = match (&exchange.parts.method, path) {
        (&Method::POST, "google") | (&Method::GET, "google/callback") => {
            exchange.count_stranger().await?;
            None
        }
        _ => {
            let caller = exchange.identify().await?;
            exchange.count(&caller, Vec::new(), Vec::new()).await?;
            Some(caller)
        }
    };
    proxy::pass(
        exchange,
        caller.as_ref(),
        ACCOUNTS,
        &format!("/auth/{path}"),
        body,
    )
    .await
}
