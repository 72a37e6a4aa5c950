//! Middleware that answers, refuses and marks requests: what the host's chains are tested with.
//!
//! It passes a request on and adds to the answer's header `x-passed` what it can read of the variable `mark`. A request
//! with the header `x-stop` it answers itself.

// Natively there is nobody to export to, and the exports' names are none that a linker takes.
#![cfg(target_family = "wasm")]

use spin_sdk::http::{Error, HeaderMap, HeaderValue, IntoResponse, Request, StatusCode, next};
use spin_sdk::http_service;
use spin_sdk::wasip3::http::types;

#[http_service]
async fn handle(request: Request) -> Result<types::Response, Error> {
    let mark = spin_sdk::variables::get("mark").await.ok();
    let mark = mark.and_then(|mark| HeaderValue::try_from(mark).ok());
    let mark = mark.unwrap_or(HeaderValue::from_static("unmarked"));
    if request.headers().contains_key("x-stop") {
        let mut headers = HeaderMap::new();
        headers.insert("x-passed", mark);
        return Ok((StatusCode::FORBIDDEN, headers, "stopped".to_owned()).into_response()?);
    }
    let mut response = next(request).await?;
    response.headers_mut().append("x-passed", mark);
    Ok(response.into_response()?)
}
