//! Opening a connection: who asks, whether they may, and the switch of protocols (RFC 6455, section 4.2).

use super::turn::{self, Events};
use super::{Client, Surroundings, WebSockets, connection};
use crate::drain::Drain;
use crate::runtime::Runtime;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Deserialize;
use std::sync::Arc;
use std::time::SystemTime;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The subprotocol that a client offers which cannot set headers, beside the one with its token.
const PROTOCOL: &str = "anyturn";
/// What stands before the token in a subprotocol.
const BEARER: &str = "bearer.";

/// Why there is no connection.
pub(crate) enum Refused {
    /// The request does not ask for a WebSocket, of this version.
    NoUpgrade,
    /// The user has as many connections as may be.
    TooMany,
    /// What the component says.
    Answered(Response<Full<Bytes>>),
    /// The component failed, or there is no place for it.
    Failed(turn::NoAnswer),
}

/// What a client says in the query.
#[derive(Default)]
struct Query {
    session: Option<String>,
    last_event: Option<String>,
    token: Option<String>,
}

/// Whom the component knows.
#[derive(Deserialize)]
struct Caller {
    user_id: String,
    expires_at: Option<String>,
}

impl WebSockets {
    /// Answers a request to open a connection, which goes on in a task of its own.
    pub(crate) async fn open(
        &self,
        runtime: &Arc<Runtime>,
        drain: &Drain,
        place: Arc<dyn Send + Sync>,
        mut request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Refused> {
        let socket = self.at(request.uri().path()).ok_or(Refused::NoUpgrade)?;
        let accept = accept_key(&request).ok_or(Refused::NoUpgrade)?;
        let query = Query::of(request.uri().query().unwrap_or_default());
        let (credentials, protocol) = credentials(request.headers(), query.token);
        let host = request.headers().get(header::HOST);
        let authority = host.and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        let client = Client {
            runtime: Arc::clone(runtime),
            component: Arc::clone(&socket.component),
            api: socket.api.as_str().into(),
            authority: authority.into(),
            credentials,
        };
        let caller = identify(&client, request.headers()).await?;
        let counted = self.count(&caller.user_id).ok_or(Refused::TooMany)?;
        let upgraded = hyper::upgrade::on(&mut request);
        let surroundings = Surroundings {
            drain: drain.clone(),
            limits: self.limits,
            expires: caller
                .expires_at
                .and_then(|end| Some(SystemTime::from(end.parse::<jiff::Timestamp>().ok()?))),
            counted,
            place,
        };
        let busy = drain.hold();
        tokio::spawn(async move {
            match upgraded.await {
                Ok(upgraded) => {
                    connection::run(upgraded, client, query.session, query.last_event, surroundings).await;
                }
                Err(error) => tracing::debug!(%error, "a client left while its WebSocket was opened"),
            }
            drop(busy);
        });
        Ok(switching(&accept, protocol))
    }
}

/// The answer to the client's key; none if this is no request for a WebSocket of version 13.
fn accept_key(request: &Request<Incoming>) -> Option<String> {
    let headers = request.headers();
    let says = |name: header::HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| {
                value
                    .split(',')
                    .any(|part| part.trim().eq_ignore_ascii_case(word))
            })
    };
    let asks = request.method() == Method::GET
        && says(header::CONNECTION, "upgrade")
        && says(header::UPGRADE, "websocket")
        && says(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks)?;
    Some(derive_accept_key(key.as_bytes()))
}

impl Query {
    fn of(query: &str) -> Query {
        let mut found = Query::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "session_id" => &mut found.session,
                "last_event_id" => &mut found.last_event,
                "token" => &mut found.token,
                _ => continue,
            };
            *place = Some(value.into_owned()).filter(|value| !value.is_empty());
        }
        found
    }
}

/// The credentials of a client, and the subprotocol to speak: by headers, by subprotocol, or by the query.
fn credentials(headers: &HeaderMap, token: Option<String>) -> (HeaderMap, bool) {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offered: Vec<&str> = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(str::trim))
        .collect();
    let mut found = HeaderMap::new();
    for name in [
        header::AUTHORIZATION,
        header::HeaderName::from_static("x-api-key"),
    ] {
        if let Some(value) = headers.get(&name) {
            found.insert(name, value.clone());
        }
    }
    let spoken = offered.iter().find_map(|protocol| protocol.strip_prefix(BEARER));
    let token = spoken.map(ToOwned::to_owned).or(token);
    if let (true, Some(token)) = (found.is_empty(), token)
        && let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}"))
    {
        found.insert(header::AUTHORIZATION, value);
    }
    for value in found.values_mut() {
        value.set_sensitive(true);
    }
    (found, offered.contains(&PROTOCOL))
}

/// Asks the component who that is, and whether its page may connect.
async fn identify(client: &Client, headers: &HeaderMap) -> Result<Caller, Refused> {
    let mut request = client.request(Method::GET, "/caller", Bytes::new());
    for name in [
        header::ORIGIN,
        header::HeaderName::from_static("x-forwarded-host"),
    ] {
        if let Some(value) = headers.get(&name) {
            request.headers_mut().insert(name, value.clone());
        }
    }
    let (mut parts, body) = client.ask(request).await.map_err(Refused::Failed)?.into_parts();
    let body = Events::whole(body).await.map_err(Refused::Failed)?;
    match serde_json::from_slice(&body) {
        Ok(caller) if parts.status == StatusCode::OK => Ok(caller),
        _ => {
            if parts.status.is_success() {
                parts.status = StatusCode::BAD_GATEWAY;
            }
            Err(Refused::Answered(Response::from_parts(parts, Full::new(body))))
        }
    }
}

fn switching(accept: &str, protocol: bool) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    // Base64 can be in a header.
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if protocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[(&'static str, &str)], token: Option<&str>) -> (String, bool) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let (credentials, protocol) = credentials(&map, token.map(ToOwned::to_owned));
        assert!(credentials.values().all(HeaderValue::is_sensitive));
        let value = credentials
            .get(header::AUTHORIZATION)
            .map_or("", |value| value.to_str().unwrap());
        (value.to_owned(), protocol)
    }

    #[test]
    fn a_token_comes_in_a_header_or_a_subprotocol_or_the_query() {
        assert_eq!(found(&[], Some("q")), ("Bearer q".to_owned(), false));
        assert_eq!(
            found(&[("sec-websocket-protocol", "anyturn, bearer.p")], Some("q")),
            ("Bearer p".to_owned(), true)
        );
        assert_eq!(
            found(
                &[
                    ("authorization", "Bearer h"),
                    ("sec-websocket-protocol", "bearer.p")
                ],
                Some("q")
            ),
            ("Bearer h".to_owned(), false)
        );
        assert_eq!(found(&[], None), (String::new(), false));
    }

    #[test]
    fn what_the_query_says_is_decoded_and_what_is_empty_is_nothing() {
        let query = Query::of("token=a%2Bb&session_id=&last_event_id=turn_1.2.3&else=1");
        assert_eq!(
            (query.token.as_deref(), query.session, query.last_event.as_deref()),
            (Some("a+b"), None, Some("turn_1.2.3"))
        );
    }
}
