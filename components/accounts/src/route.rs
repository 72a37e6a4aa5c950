//! The routes: who may ask for what, and in which form.

use anyturn_tool_sdk::Caller;
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::answer::{Refusal, Response};
use crate::platform::Platform;
use crate::settings::Variables;
use crate::{connect, sign_in, token};

/// The largest body: tokens are a few kilobytes.
const MAX_BODY: usize = 64 * 1024;

/// Answers a request.
pub async fn handle<P, B>(platform: &P, request: http::Request<B>) -> Response
where
    P: Platform,
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    route(platform, request)
        .await
        .unwrap_or_else(Refusal::into_response)
}

async fn route<P, B>(platform: &P, request: http::Request<B>) -> Result<Response, Refusal>
where
    P: Platform,
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let allow = match path {
        "/auth/google" | "/auth/google/authorize" | "/token" => "POST",
        "/auth/google/callback" => "GET",
        "/auth/google/account" => "GET, DELETE",
        _ => {
            return Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "There is nothing at this path.",
            ));
        }
    };
    if !allow.split(", ").any(|method| head.method.as_str() == method) {
        return Err(Refusal::method(allow));
    }
    let variables = Variables::read(platform)
        .await
        .map_err(|reason| Refusal::misconfigured(format!("A variable cannot be read: {reason}.")))?;
    let body = read(body).await?;
    if path == "/auth/google" {
        return sign_in::answer(platform, &variables, &body).await;
    }
    if path == "/auth/google/callback" {
        return Ok(connect::callback(platform, &variables, head.uri.query().unwrap_or_default()).await);
    }
    let caller = Caller::from_headers(&head.headers);
    let user = caller.user().map_err(|_| {
        Refusal::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "The request does not say whose account is meant.",
        )
    })?;
    match path {
        "/token" => token::answer(platform, &variables, user, &body).await,
        "/auth/google/authorize" => connect::authorize(platform, &variables, user, &body).await,
        _ if head.method == Method::DELETE => connect::disconnect(platform, &variables, user).await,
        _ => connect::status(platform, user).await,
    }
}

async fn read<B>(body: B) -> Result<Bytes, Refusal>
where
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("A body may have {MAX_BODY} bytes here."),
        )),
        Err(_) => Err(Refusal::invalid("The body ended before it was complete.")),
    }
}
