//! OpenAI's Chat Completions, so that an unmodified client of OpenAI works: `model` is an assistant's name.
//!
//! Tools are the assistant's own and stay hidden: a client sees text. A request that names a conversation (by
//! `metadata.session_id` or the header `anyturn-session`) adds its last message to it; one that does not brings the
//! whole conversation along.
//!
//! Reference: <https://platform.openai.com/docs/api-reference/chat>.

pub mod answer;
pub mod error;
pub mod models;
pub mod request;
pub mod stream;
pub mod waiting;

use anyturn_engine::port::Environment;
use anyturn_engine::{SessionTarget, TurnRequest, TurnState};
use bytes::Bytes;
use http::StatusCode;

use crate::assistants::Files;
use crate::exchange::{Caller, Exchange};
use crate::http::{Problem, Response, read, respond};
use crate::native::turns::{idempotency_key, put_names};
use crate::platform::Platform;
use crate::turns::{self, Work};
use request::{ChatCompletionRequest, Conversation, Wanted};

/// The header that names a conversation.
pub const SESSION: &str = "anyturn-session";

/// Answers `POST /v1/chat/completions`.
///
/// # Errors
/// Everything that can be wrong with a turn.
pub async fn complete<P: Platform>(
    exchange: &mut Exchange<'_, P>,
    caller: &Caller,
    body: &Bytes,
) -> Result<Response, Problem> {
    read::require_json(&exchange.parts.headers)?;
    let wanted = read::json::<ChatCompletionRequest>(body)?.check(exchange.header(SESSION))?;
    let idempotency_key = idempotency_key(exchange)?;
    let files = Files::new(exchange.platform);
    files.read(&wanted.model)?;
    let Wanted {
        model,
        conversation,
        message,
        options,
        timezone,
        stream,
        include_usage,
    } = wanted;
    let session = match conversation {
        Conversation::Named(id) => SessionTarget::Either { id },
        Conversation::Whole(history) => {
            let engine = turns::engine(exchange.platform);
            let id = engine.new_session_id(caller.user(), idempotency_key.as_deref());
            SessionTarget::Detached { id, history }
        }
    };
    let request = TurnRequest {
        user: caller.user().to_owned(),
        roles: caller.identity.roles.clone(),
        assistant: Some(model.clone()),
        session,
        message,
        idempotency_key,
        title: None,
        timezone,
        options,
        on_busy: None,
    };
    // Who repeats a "yes" is told what it led to, which begins where the question ends.
    let holds = request.idempotency_key.is_some() && request.may_decide();
    let now = exchange.platform.environment().now();
    let admitted = turns::admit(exchange, caller, files, Work::Turn(request)).await?;
    if stream {
        return admitted
            .stream(stream::ChunkWriter::new(model, include_usage, now, holds))
            .await
            .map_err(in_messages);
    }
    let turn = admitted.run().await.map_err(in_messages)?;
    if turn.state == TurnState::Failed {
        return Err(error::failed(&turn));
    }
    let mut response = respond::json(StatusCode::OK, &answer::ChatCompletion::new(&turn));
    put_names(&mut response, &turn.session, &turn.turn);
    Ok(response)
}

/// What is wrong with the message is wrong with one of the `messages` here.
fn in_messages(mut problem: Problem) -> Problem {
    if problem.pointer.as_deref() == Some("/message") {
        problem.pointer = Some("/messages".to_owned());
    }
    problem
}
