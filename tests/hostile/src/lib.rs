//! A component that misbehaves on request, and tells what it can see and reach: what the host is tested with.
//!
//! The last segment of the path says what it does; `x-target` names an address and `x-number` a number where
//! one is needed. What it finds out it answers as text.

// Natively there is nobody to export to, and the exports' names are none that a linker takes.
#![cfg(target_family = "wasm")]

mod misbehave;
mod tell;

use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Request, Response};
use spin_sdk::wasip3::wit_bindgen::StreamReader;
use spin_sdk::wasip3::{spawn, wit_future, wit_stream};

struct Hostile;

spin_sdk::wasip3::http::service::export!(Hostile);

impl spin_sdk::wasip3::exports::http::handler::Guest for Hostile {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let what = path
            .split('?')
            .next()
            .unwrap_or_default()
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        match what.as_str() {
            "spin" => misbehave::spin(),
            "hoard" => misbehave::hoard(),
            "trap" => misbehave::trap(),
            "error" => Err(ErrorCode::InternalError(Some(
                "a secret of the inside".to_owned(),
            ))),
            "silent" => misbehave::silent().await,
            "endless" => Ok(misbehave::endless()),
            "half" => Ok(misbehave::half()),
            "late" => Ok(misbehave::late(number(&request))),
            "echo" => Ok(tell::echo(request)),
            "headers" => Ok(text(tell::headers(&request))),
            "address" => Ok(text(tell::address(&request))),
            "fetch" => Ok(text(tell::fetch(&request).await)),
            "relay" => tell::relay(&request).await,
            "again" => Ok(text(tell::again(&request).await)),
            "files" => Ok(text(tell::files())),
            "environment" => Ok(text(tell::environment())),
            "variables" => Ok(text(tell::variables(&request).await)),
            "print" => Ok(text(tell::print())),
            "count" => Ok(text(tell::count())),
            other => Ok(text(format!("cannot {other}"))),
        }
    }
}

/// A header of a request as text; empty without one.
fn header(request: &Request, name: &str) -> String {
    let values = request.get_headers().get(name);
    values
        .into_iter()
        .next()
        .map(|value| String::from_utf8_lossy(&value).into_owned())
        .unwrap_or_default()
}

/// The header `x-number`; 0 without one.
fn number(request: &Request) -> u64 {
    header(request, "x-number").parse().unwrap_or(0)
}

/// A response with this body and nothing else.
fn response(body: StreamReader<u8>) -> Response {
    let (trailers, no_trailers) = wit_future::new(|| Ok(None));
    drop(trailers);
    Response::new(Fields::new(), Some(body), no_trailers).0
}

/// A response with a text.
fn text(text: impl Into<String>) -> Response {
    let (mut contents, body) = wit_stream::new();
    let text = text.into();
    spawn(async move {
        contents.write_all(text.into_bytes()).await;
    });
    response(body)
}
