//! What a component can see and reach, told as text.

use crate::{header, number, response};
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Request, Response, Scheme};
use spin_sdk::wasip3::wit_bindgen::StreamResult;
use spin_sdk::wasip3::{spawn, wit_future, wit_stream};
use std::sync::atomic::{AtomicU64, Ordering};

/// The request's body, as it comes.
pub(crate) fn echo(request: Request) -> Response {
    let (result, no_error) = wit_future::new(|| Ok(()));
    drop(result);
    let (mut incoming, _trailers) = Request::consume_body(request, no_error);
    let (mut contents, body) = wit_stream::new();
    spawn(async move {
        loop {
            let (status, piece) = incoming.read(Vec::with_capacity(64 << 10)).await;
            if !piece.is_empty() && !contents.write_all(piece).await.is_empty() {
                break;
            }
            if !matches!(status, StreamResult::Complete(_)) {
                break;
            }
        }
    });
    response(body)
}

/// The request's headers, a line each.
pub(crate) fn headers(request: &Request) -> String {
    let mut lines: Vec<String> = request
        .get_headers()
        .copy_all()
        .into_iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(&value)))
        .collect();
    lines.sort();
    lines.join("\n")
}

/// The request's address.
pub(crate) fn address(request: &Request) -> String {
    format!(
        "{:?} {} {}",
        request.get_scheme(),
        request.get_authority().unwrap_or_default(),
        request.get_path_with_query().unwrap_or_default()
    )
}

/// What `x-target` answers: its status and body, or the error.
pub(crate) async fn fetch(request: &Request) -> String {
    let answer = match get(&header(request, "x-target"), &[]).await {
        Ok(answer) => answer,
        Err(error) => return format!("{error:?}"),
    };
    let status = answer.get_status_code();
    format!("{status} {}", String::from_utf8_lossy(&read(answer).await))
}

/// The answer of `x-target`, handed on as it comes.
pub(crate) async fn relay(request: &Request) -> Result<Response, ErrorCode> {
    let answer = get(&header(request, "x-target"), &[]).await?;
    let (result, no_error) = wit_future::new(|| Ok(()));
    drop(result);
    let (body, _trailers) = Response::consume_body(answer, no_error);
    Ok(response(body))
}

/// Calls `x-target`, which is this again, until something stops it: how often that went well, and what stopped
/// it.
pub(crate) async fn again(request: &Request) -> String {
    let target = header(request, "x-target");
    let number = number(request) + 1;
    let headers = [("x-target", target.clone()), ("x-number", number.to_string())];
    match get(&target, &headers).await {
        Ok(answer) => String::from_utf8_lossy(&read(answer).await).into_owned(),
        Err(error) => format!("{number} calls, then {error:?}"),
    }
}

async fn get(target: &str, more: &[(&str, String)]) -> Result<Response, ErrorCode> {
    let (scheme, rest) = match target.split_once("://") {
        Some(("https", rest)) => (Scheme::Https, rest),
        Some((_, rest)) => (Scheme::Http, rest),
        None => (Scheme::Http, target),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let headers = Fields::new();
    for (name, value) in more {
        headers
            .append(name, value.as_bytes())
            .map_err(|error| ErrorCode::InternalError(Some(format!("{error:?}"))))?;
    }
    let (trailers, no_trailers) = wit_future::new(|| Ok(None));
    drop(trailers);
    let (request, _sent) = Request::new(headers, None, no_trailers, None);
    let invalid = |()| ErrorCode::HttpRequestUriInvalid;
    request.set_scheme(Some(&scheme)).map_err(invalid)?;
    if !authority.is_empty() {
        request.set_authority(Some(authority)).map_err(invalid)?;
    }
    request
        .set_path_with_query(Some(if path.is_empty() { "/" } else { path }))
        .map_err(invalid)?;
    client::send(request).await
}

async fn read(answer: Response) -> Vec<u8> {
    let (result, no_error) = wit_future::new(|| Ok(()));
    drop(result);
    let (mut body, trailers) = Response::consume_body(answer, no_error);
    let mut all = Vec::new();
    loop {
        let (status, piece) = body.read(Vec::with_capacity(64 << 10)).await;
        all.extend(piece);
        if !matches!(status, StreamResult::Complete(_)) {
            break;
        }
    }
    drop(body);
    if let Err(error) = trailers.await {
        all.extend(format!(" then {error:?}").bytes());
    }
    all
}

/// The files that are there, and what happens to one that tries to write or to leave.
pub(crate) fn files() -> String {
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| error.kind());
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}",
        read("/data/greeting.txt"),
        read("/data/../../../../../etc/hostname"),
        std::fs::write("/data/greeting.txt", "mine").map_err(|error| error.kind()),
        std::fs::write("/new.txt", "mine").map_err(|error| error.kind()),
    )
}

/// The environment.
pub(crate) fn environment() -> String {
    let mut variables: Vec<String> = std::env::vars()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    variables.sort();
    variables.join("\n")
}

/// The variable that `x-target` names.
pub(crate) async fn variables(request: &Request) -> String {
    format!(
        "{:?}",
        spin_sdk::variables::get(header(request, "x-target")).await
    )
}

/// Writes lines, the last one without an end.
pub(crate) fn print() -> String {
    println!("to standard output");
    eprint!("to standard error");
    count()
}

/// How many requests this instance has served.
pub(crate) fn count() -> String {
    static SERVED: AtomicU64 = AtomicU64::new(0);
    (SERVED.fetch_add(1, Ordering::Relaxed) + 1).to_string()
}
