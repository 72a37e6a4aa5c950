//! `POST /internal/tick`: what is to be done from time to time, for whoever runs the server. Our host calls it every
//! second; where nobody does, whoever next asks for a turn that was left behind goes on with it.

use http::{StatusCode, header};
use serde::Serialize;

use crate::assistants::Files;
use crate::exchange::Exchange;
use crate::http::{Kind, Problem, Response, respond};
use crate::platform::Platform;
use crate::turns::Configured;

/// How many conversations one call looks at in each of the shards of the register.
const LIMIT: u32 = 16;

/// What a tick has met.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct Tick {
    /// Conversations that were looked at.
    pub looked: u32,
    /// Of these, where nothing was left to do.
    pub settled: u32,
    /// Of these, where an instance is at work.
    pub running: u32,
    /// Of these, where a turn waits for decisions that somebody may still take.
    pub waiting: u32,
    /// Of these, where a turn was left behind, and now went on to its end, or was closed because nobody decided in time.
    pub taken_over: u32,
    /// Of these, where that did not succeed; they are looked at again.
    pub failed: u32,
}

/// Answers it, for whoever knows the variable `internal_secret`.
///
/// # Errors
/// 404 where there is no secret, 401 for whoever does not know it, and 503.
pub async fn answer<P: Platform>(exchange: &Exchange<'_, P>) -> Result<Response, Problem> {
    let secret = exchange.variable("internal_secret").await?;
    if secret.is_empty() {
        return Err(Problem::new(
            Kind::NotFound,
            "There is nothing at `/internal/tick` without the variable `internal_secret`.",
        ));
    }
    let presented = exchange
        .header("authorization")
        .and_then(|value| value.split_once(' '));
    let known = presented.is_some_and(|(scheme, presented)| {
        scheme.eq_ignore_ascii_case("bearer") && anyturn_identity::same_secret(presented.trim(), &secret)
    });
    if !known {
        return Err(Problem::new(
            Kind::Unauthorized,
            "This takes `Authorization: Bearer` and the secret of the variable `internal_secret`.",
        )
        .header(header::WWW_AUTHENTICATE, r#"Bearer realm="anyturn""#));
    }
    let configured = Configured::read(exchange, Files::new(exchange.platform)).await?;
    let anyturn_engine::Swept {
        looked,
        settled,
        running,
        waiting,
        taken_over,
        failed,
    } = configured.sweep(LIMIT).await?;
    let tick = Tick {
        looked,
        settled,
        running,
        waiting,
        taken_over,
        failed,
    };
    Ok(respond::json(StatusCode::OK, &tick))
}
