//! The page on which a person consents. Errors that concern the application are shown there and sent nowhere.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{Code, Consent, Grant, OAuth};
use crate::{Answer, Request};

/// What says who they are is not asked for one by one.
const IDENTITY: [&str; 5] = [
    "openid",
    "email",
    "profile",
    "https://www.googleapis.com/auth/userinfo.email",
    "https://www.googleapis.com/auth/userinfo.profile",
];

/// What a person sees instead of the page.
fn shown(error: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    Answer {
        status: StatusCode::BAD_REQUEST,
        headers,
        body: Bytes::from(format!("<title>Error 400: {error}</title>")),
    }
}

fn redirect(address: &str) -> Answer {
    let mut headers = HeaderMap::new();
    if let Ok(address) = HeaderValue::from_str(address) {
        headers.insert(header::LOCATION, address);
    }
    Answer {
        status: StatusCode::FOUND,
        headers,
        body: Bytes::new(),
    }
}

impl OAuth {
    pub(super) fn authorize(&mut self, request: &Request) -> Answer {
        let parameter = |name| request.parameter(name).unwrap_or_default();
        let Some(client) = self
            .clients
            .iter()
            .find(|client| client.id == parameter("client_id"))
        else {
            return shown("invalid_client");
        };
        let redirect_uri = parameter("redirect_uri");
        if !client.redirect_uris.iter().any(|known| known == redirect_uri) {
            return shown("redirect_uri_mismatch");
        }
        if parameter("response_type") != "code" || parameter("scope").is_empty() {
            return shown("invalid_request");
        }
        let challenge = request.parameter("code_challenge").map(str::to_owned);
        if challenge.is_some() && parameter("code_challenge_method") != "S256" {
            return shown("invalid_request");
        }
        let state = parameter("state").to_owned();
        let visitor = self
            .visitor
            .as_ref()
            .and_then(|email| self.people.iter().find(|person| person.email == *email));
        let Some(visitor) = visitor.map(|person| person.sub.clone()) else {
            return shown("nobody sits at the page: call visitor()");
        };
        let asked = parameter("scope").split(' ').map(str::to_owned);
        let scopes: Vec<String> = match &self.consent {
            Consent::Deny => {
                return redirect(&back(
                    redirect_uri,
                    &[("error", "access_denied"), ("state", &state)],
                ));
            }
            Consent::All => asked.collect(),
            Consent::Only(allowed) => asked
                .filter(|scope| IDENTITY.contains(&scope.as_str()) || allowed.contains(scope))
                .collect(),
        };
        let granted = scopes.join(" ");
        let code = Code {
            grant: Grant {
                client: client.id.clone(),
                sub: visitor,
                scopes,
            },
            redirect_uri: redirect_uri.to_owned(),
            challenge,
            offline: parameter("access_type") == "offline" && parameter("prompt") == "consent",
        };
        let name = self.secret("4/0");
        self.codes.insert(name.clone(), code);
        redirect(&back(
            redirect_uri,
            &[
                ("state", &state),
                ("code", &name),
                ("scope", &granted),
                ("authuser", "0"),
                ("prompt", "consent"),
            ],
        ))
    }
}

fn back(redirect_uri: &str, query: &[(&str, &str)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(query);
    format!("{redirect_uri}?{}", text.finish())
}
