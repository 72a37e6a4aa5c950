//! From a request to its answer: find the route, identify, count, do, and put on what every answer carries.

use bytes::Bytes;
use http::{StatusCode, header};

use crate::exchange::Exchange;
use crate::http::{Body, Kind, Problem, Response, cors, read, respond};
use crate::native::{self, turns::Target};
use crate::platform::Platform;
use crate::route::{self, Dialect, Nowhere, Route};
use crate::{app, docs, health, openai, proxy, tick};

/// Answers a request. Never fails: what goes wrong is an answer too.
pub async fn handle<P, B>(platform: &P, request: http::Request<B>) -> Response
where
    P: Platform,
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let (parts, body) = request.into_parts();
    let mut exchange = Exchange::new(platform, &parts);
    let mut response = match answer(&mut exchange, body).await {
        Ok(response) => response,
        Err(problem) => match route::dialect(parts.uri.path()) {
            Dialect::Native => problem.into_response(&exchange.request_id),
            Dialect::OpenAi => openai::error::response(&problem),
            Dialect::App => app::refusal(&problem),
        },
    };
    exchange.finish(&mut response);
    response
}

async fn answer<P, B>(exchange: &mut Exchange<'_, P>, body: B) -> Result<Response, Problem>
where
    P: Platform,
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let parts = exchange.parts;
    exchange.check_origin().await?;
    if cors::is_preflight(&parts.method, &parts.headers) {
        return Ok(respond::empty(StatusCode::NO_CONTENT));
    }
    let route = route::find(&parts.method, parts.uri.path()).map_err(|nowhere| match nowhere {
        Nowhere::NotFound => Problem::new(
            Kind::NotFound,
            format!(
                "There is nothing at `{}`; /docs describes what there is.",
                parts.uri.path()
            ),
        ),
        Nowhere::Method(allow) => Problem::new(
            Kind::MethodNotAllowed,
            format!("`{}` knows {allow}, not {}.", parts.uri.path(), parts.method),
        )
        .header(header::ALLOW, allow),
    })?;
    match route {
        Route::Health => return Ok(health::answer(exchange.platform).await),
        Route::OpenApi => return Ok(docs::description(&parts.headers)),
        Route::Docs(file) => return docs::page(file, &parts.headers),
        Route::Tick => return tick::answer(exchange).await,
        Route::Auth(path) => {
            let body = read::body(&parts.headers, body).await?;
            return app::auth(exchange, path, body).await;
        }
        _ => {}
    }
    let caller = exchange.identify().await?;
    match route {
        Route::Assistants => native::assistants::list(exchange.platform),
        Route::Models => openai::models::list(exchange.platform),
        Route::Model(id) => openai::models::one(exchange.platform, id),
        Route::Sessions => native::sessions::list(exchange, &caller).await,
        Route::Session(id) => native::sessions::read(exchange, &caller, &read::decoded(id)?).await,
        Route::DeleteSession(id) => native::sessions::delete(exchange, &caller, &read::decoded(id)?).await,
        Route::NewTurn(name) => {
            let body = read::body(&parts.headers, body).await?;
            native::turns::answer(exchange, &caller, Target::Assistant(name), &body).await
        }
        Route::NextTurn(id) => {
            let body = read::body(&parts.headers, body).await?;
            native::turns::answer(exchange, &caller, Target::Session(&read::decoded(id)?), &body).await
        }
        Route::Turn(id, turn) => {
            native::listen::read(exchange, &caller, &read::decoded(id)?, &read::decoded(turn)?).await
        }
        Route::Events(id, turn) => {
            native::listen::events(exchange, &caller, &read::decoded(id)?, &read::decoded(turn)?).await
        }
        Route::Stop(id, turn) => {
            native::listen::stop(exchange, &caller, &read::decoded(id)?, &read::decoded(turn)?).await
        }
        Route::Gate(id, gate) => {
            let body = read::body(&parts.headers, body).await?;
            let (id, gate) = (read::decoded(id)?, read::decoded(gate)?);
            native::gates::decide(exchange, &caller, &id, &gate, &body).await
        }
        Route::Approvals => native::gates::approvals(exchange, &caller).await,
        Route::Approval(id) => {
            let body = read::body(&parts.headers, body).await?;
            native::gates::approve(exchange, &caller, id, &body).await
        }
        Route::Audit(id) => native::undo::audit(exchange, &caller, &read::decoded(id)?).await,
        Route::Undo(id) => {
            let body = read::body(&parts.headers, body).await?;
            native::undo::undo(exchange, &caller, &read::decoded(id)?, &body).await
        }
        Route::Fork(id) => {
            let body = read::body(&parts.headers, body).await?;
            native::fork::fork(exchange, &caller, &read::decoded(id)?, &body).await
        }
        Route::Completions => {
            let body = read::body(&parts.headers, body).await?;
            openai::complete(exchange, &caller, &body).await
        }
        Route::Tool { server, path } => {
            proxy::check_server(exchange, server).await?;
            let body = read::body(&parts.headers, body).await?;
            exchange.count(&caller, Vec::new(), Vec::new()).await?;
            proxy::pass(exchange, Some(&caller), server, path, body).await
        }
        Route::Process => {
            let body = read::body(&parts.headers, body).await?;
            app::turns::process(exchange, &caller, &body).await
        }
        Route::AppEvents(id) => app::turns::events(exchange, &caller, &read::decoded(id)?).await,
        Route::AppCaller => Ok(app::sessions::caller(&caller)),
        Route::AppSession(id) => app::sessions::read(exchange, &caller, &read::decoded(id)?).await,
        Route::AppSummary(id) => app::sessions::summary(exchange, &caller, &read::decoded(id)?).await,
        Route::ForgetAppSession(id) => app::sessions::forget(exchange, &caller, &read::decoded(id)?).await,
        Route::Health | Route::OpenApi | Route::Docs(_) | Route::Tick | Route::Auth(_) => {
            Ok(Response::new(Body::empty()))
        }
    }
}
