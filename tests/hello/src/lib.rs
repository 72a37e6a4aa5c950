//! A component that answers `200 hello` at once: what the benchmark and the host tests drive.
//!
//! It speaks `wasi:http/handler@0.3.0` with as few calls into the host as an answer takes, so that what is
//! measured through it is the host: routing, a fresh instance, and a response of five bytes.

// Natively there is nobody to export to, and the exports' names are none that a linker takes.
#![cfg(target_family = "wasm")]

use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Request, Response};
use spin_sdk::wasip3::{spawn, wit_future, wit_stream};

struct Hello;

spin_sdk::wasip3::http::service::export!(Hello);

impl spin_sdk::wasip3::exports::http::handler::Guest for Hello {
    async fn handle(_: Request) -> Result<Response, ErrorCode> {
        let (mut contents, body) = wit_stream::new();
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        drop(trailers);
        let headers = Fields::from_list(&[
            ("content-type".to_owned(), b"text/plain".to_vec()),
            ("content-length".to_owned(), b"5".to_vec()),
        ])
        .map_err(|error| ErrorCode::InternalError(Some(error.to_string())))?;
        let (response, _transmitted) = Response::new(headers, Some(body), no_trailers);
        spawn(async move {
            contents.write_all(b"hello".to_vec()).await;
        });
        Ok(response)
    }
}
