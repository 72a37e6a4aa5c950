//! Google's endpoints for identity, spoken to over HTTP: published keys, codes and tokens, revocation.
//!
//! See <https://developers.google.com/identity/protocols/oauth2/web-server> and RFC 6749, RFC 7009. What Google says
//! beyond a code of OAuth's is not repeated to anybody: it could hold what was sent.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::answer::Refusal;
use crate::keys::Key;
use crate::platform::{FetchError, Platform};
use crate::secret::Secret;
use crate::settings::Connecting;

/// What the tools need, as narrow as Google offers it, and by which name people know it.
///
/// `gmail.modify` reads, labels, archives, trashes, drafts and sends, and cannot delete for good; `calendar.events` and
/// `calendar.freebusy` read and change events and see when others are busy; `contacts.readonly` reads contacts, and
/// `contacts.other.readonly` whom the user has written to without having them among their contacts.
pub const SCOPES: [(&str, &str); 5] = [
    ("https://www.googleapis.com/auth/gmail.modify", "mail"),
    ("https://www.googleapis.com/auth/calendar.events", "calendar"),
    ("https://www.googleapis.com/auth/calendar.freebusy", "free time"),
    ("https://www.googleapis.com/auth/contacts.readonly", "contacts"),
    (
        "https://www.googleapis.com/auth/contacts.other.readonly",
        "other contacts",
    ),
];

/// What tells whose account it is; these are always granted.
pub const IDENTITY_SCOPES: [&str; 2] = ["openid", "https://www.googleapis.com/auth/userinfo.email"];

/// How long an unavailable server is left alone when it does not say itself: milliseconds.
const PAUSE: u64 = 2_000;
/// The longest that it may ask for.
const LONGEST_PAUSE: u64 = 60_000;

/// Why Google did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It cannot at present; try again after so many milliseconds.
    #[error("Google cannot do it at present ({reason})")]
    Unavailable {
        /// Why.
        reason: String,
        /// Milliseconds.
        pause: u64,
    },
    /// The code or the refresh token is not good any more (`invalid_grant`).
    #[error("Google does not accept the permission any more")]
    Grant,
    /// It refuses the request, by a code of OAuth's: the client is not set up as it should be.
    #[error("Google refuses the request ({0})")]
    Refused(String),
    /// Its answer is not what is documented.
    #[error("Google's answer cannot be read")]
    Unreadable,
}

impl Failure {
    /// How long it is left alone: milliseconds.
    #[must_use]
    pub fn pause(&self) -> u64 {
        match self {
            Failure::Unavailable { pause, .. } => *pause,
            _ => PAUSE,
        }
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::Unavailable {
            reason: error.to_string(),
            pause: PAUSE,
        }
    }
}

/// What the token endpoint answers (RFC 6749, section 5.1).
#[derive(Debug, Deserialize)]
pub struct Tokens {
    /// Good for the APIs.
    pub access_token: Secret,
    /// For so many seconds.
    pub expires_in: u64,
    /// Good for new access tokens.
    #[serde(default)]
    pub refresh_token: Option<Secret>,
    /// What was granted, separated by blanks.
    #[serde(default)]
    pub scope: Option<String>,
    /// Whose account it is.
    #[serde(default)]
    pub id_token: Option<Secret>,
}

/// A name that no other request has.
pub(crate) fn holder<P: Platform>(platform: &P) -> Result<String, Refusal> {
    Ok(base64url(&random(platform)?))
}

/// Randomness, or why there is none.
pub(crate) fn random<P: Platform>(platform: &P) -> Result<[u8; 32], Refusal> {
    platform
        .random()
        .map_err(|reason| Refusal::misconfigured(format!("The system gives no randomness: {reason}.")))
}

/// Bytes as they stand in an address.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// The published keys, and for how many milliseconds they may be kept.
///
/// # Errors
/// When there are none to be had.
pub async fn certs<P: Platform>(platform: &P, url: &str) -> Result<(Vec<Key>, u64), Failure> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Published>,
    }

    /// The members of RFC 7517 that matter; keys of other types have others.
    #[derive(Deserialize)]
    struct Published {
        kid: Option<String>,
        kty: Option<String>,
        alg: Option<String>,
        #[serde(rename = "use")]
        purpose: Option<String>,
        n: Option<String>,
        e: Option<String>,
    }

    let answer = send(platform, Method::GET, url, None).await?;
    if answer.status() != StatusCode::OK {
        return Err(failure(&answer));
    }
    let set: Set = anyturn_json::from_slice(answer.body()).map_err(|_| Failure::Unreadable)?;
    let keys: Vec<Key> = set
        .keys
        .into_iter()
        .filter(|key| {
            key.kty.as_deref() == Some("RSA")
                && key.alg.as_deref().is_none_or(|alg| alg == "RS256")
                && key.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
        })
        .filter_map(|key| {
            Some(Key {
                kid: key.kid?,
                n: key.n?,
                e: key.e?,
            })
        })
        .collect();
    if keys.is_empty() {
        return Err(Failure::Unreadable);
    }
    Ok((keys, lifetime(answer.headers())))
}

/// For how long an answer is fresh (RFC 9111, section 4.2): milliseconds.
fn lifetime(headers: &HeaderMap) -> u64 {
    let directives: Vec<_> = headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
        .collect();
    if directives
        .iter()
        .any(|name| name == "no-store" || name == "no-cache")
    {
        return 0;
    }
    let max_age = directives.iter().find_map(|directive| {
        directive
            .strip_prefix("max-age=")?
            .trim_matches('"')
            .parse::<u64>()
            .ok()
    });
    let age = headers
        .get(header::AGE)
        .and_then(|age| age.to_str().ok()?.trim().parse::<u64>().ok());
    let fresh = max_age.unwrap_or(0).saturating_sub(age.unwrap_or(0));
    fresh.saturating_mul(1000)
}

/// Exchanges a code for tokens (RFC 6749, section 4.1.3; RFC 7636, section 4.5).
///
/// # Errors
/// When Google does not.
pub async fn exchange<P: Platform>(
    platform: &P,
    settings: &Connecting,
    code: &Secret,
    verifier: &Secret,
) -> Result<Tokens, Failure> {
    let form = form(&[
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("code_verifier", verifier.expose()),
        ("redirect_uri", &settings.redirect_uri),
        ("client_id", &settings.client.id),
        ("client_secret", settings.client.secret.expose()),
    ]);
    tokens(platform, settings, form).await
}

/// Gets a new access token (RFC 6749, section 6).
///
/// # Errors
/// When Google does not give one.
pub async fn refresh<P: Platform>(
    platform: &P,
    settings: &Connecting,
    refresh_token: &Secret,
) -> Result<Tokens, Failure> {
    let form = form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.expose()),
        ("client_id", &settings.client.id),
        ("client_secret", settings.client.secret.expose()),
    ]);
    tokens(platform, settings, form).await
}

/// Takes a permission back (RFC 7009). One that is not good any more counts as taken back.
///
/// # Errors
/// When Google does not answer that it did.
pub async fn revoke<P: Platform>(platform: &P, settings: &Connecting, token: &Secret) -> Result<(), Failure> {
    let url = format!("{}/revoke", settings.oauth_url);
    let answer = send(
        platform,
        Method::POST,
        &url,
        Some(form(&[("token", token.expose())])),
    )
    .await?;
    if answer.status() == StatusCode::OK {
        return Ok(());
    }
    match failure(&answer) {
        Failure::Refused(code) if code == "invalid_token" => Ok(()),
        other => Err(other),
    }
}

async fn tokens<P: Platform>(platform: &P, settings: &Connecting, form: Bytes) -> Result<Tokens, Failure> {
    let url = format!("{}/token", settings.oauth_url);
    let answer = send(platform, Method::POST, &url, Some(form)).await?;
    if answer.status() != StatusCode::OK {
        return Err(failure(&answer));
    }
    anyturn_json::from_slice(answer.body()).map_err(|_| Failure::Unreadable)
}

fn form(fields: &[(&str, &str)]) -> Bytes {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    form.finish().into()
}

async fn send<P: Platform>(
    platform: &P,
    method: Method,
    url: &str,
    form: Option<Bytes>,
) -> Result<http::Response<Bytes>, Failure> {
    let mut request = http::Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = url.parse().map_err(|_| FetchError::Unreachable)?;
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(form) = form {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        // Not every server takes a body whose length it is not told.
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(form.len()));
        *request.body_mut() = form;
    }
    Ok(platform.fetch(request).await?)
}

/// What an answer other than 200 means (RFC 6749, section 5.2).
fn failure(answer: &http::Response<Bytes>) -> Failure {
    #[derive(Deserialize)]
    struct Body {
        error: String,
    }

    let status = answer.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        let seconds = answer
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
        return Failure::Unavailable {
            reason: format!("status {}", status.as_u16()),
            pause: seconds.map_or(PAUSE, |seconds| {
                seconds.saturating_mul(1000).clamp(1000, LONGEST_PAUSE)
            }),
        };
    }
    match anyturn_json::from_slice::<Body>(answer.body()) {
        Ok(Body { error }) if error == "invalid_grant" => Failure::Grant,
        // A code of OAuth's or OpenID's, and not a text that could hold anything.
        Ok(Body { error })
            if error.len() <= 40
                && error
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_') =>
        {
            Failure::Refused(error)
        }
        _ => Failure::Unreadable,
    }
}

/// A failure as the caller is told it.
impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable { pause, .. } => Self::unavailable(format!("{failure}. Try again."), pause),
            Failure::Grant => Self::new(
                StatusCode::CONFLICT,
                "reconnect",
                "Google does not accept the permission any more: connect the Google account again.",
            ),
            Failure::Refused(_) => Self::misconfigured(format!(
                "{failure}: google_client_id, google_client_secret and google_redirect_uri have to be those of one OAuth \
                 client in Google's console."
            )),
            Failure::Unreadable => Self::unavailable(format!("{failure}. Try again."), PAUSE),
        }
    }
}

/// The page on which a person consents, with everything that makes the flow safe.
#[derive(Serialize)]
pub struct Authorization<'a> {
    /// Names the flow.
    pub state: &'a str,
    /// The hash of the code verifier (RFC 7636, section 4.2).
    pub challenge: &'a str,
    /// The account to begin with, if it is known.
    pub login_hint: Option<&'a str>,
}

impl Authorization<'_> {
    /// Its address.
    #[must_use]
    pub fn url(&self, settings: &Connecting) -> String {
        let scopes: Vec<&str> = IDENTITY_SCOPES
            .into_iter()
            .chain(SCOPES.iter().map(|(scope, _)| *scope))
            .collect();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", &settings.client.id),
            ("redirect_uri", &settings.redirect_uri),
            ("scope", &scopes.join(" ")),
            ("state", self.state),
            ("code_challenge", self.challenge),
            ("code_challenge_method", "S256"),
            // A refresh token, also for those who have consented before.
            ("access_type", "offline"),
            ("prompt", "consent"),
        ]);
        if let Some(hint) = self.login_hint {
            query.append_pair("login_hint", hint);
        }
        format!("{}/o/oauth2/v2/auth?{}", settings.accounts_url, query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn keys_are_fresh_for_as_long_as_their_answer_says() {
        for (pairs, milliseconds) in [
            (
                &[(
                    "cache-control",
                    "public, max-age=19800, must-revalidate, no-transform",
                )] as &[_],
                19_800_000,
            ),
            (
                &[("cache-control", "public, max-age=600"), ("age", "100")],
                500_000,
            ),
            (&[("cache-control", "max-age=10"), ("age", "100")], 0),
            (&[("cache-control", "no-store, max-age=600")], 0),
            (&[("cache-control", "Max-Age=5")], 5_000),
            (&[], 0),
        ] {
            assert_eq!(lifetime(&headers(pairs)), milliseconds, "{pairs:?}");
        }
    }

    fn answer(status: u16, body: &'static str) -> http::Response<Bytes> {
        http::Response::builder()
            .status(status)
            .body(Bytes::from_static(body.as_bytes()))
            .unwrap()
    }

    #[test]
    fn a_failure_is_a_code_and_no_text_of_googles() {
        assert_eq!(
            failure(&answer(
                400,
                r#"{"error": "invalid_grant", "error_description": "Bad Request"}"#
            )),
            Failure::Grant
        );
        assert_eq!(
            failure(&answer(
                401,
                r#"{"error": "invalid_client", "error_description": "secret"}"#
            )),
            Failure::Refused("invalid_client".into())
        );
        for body in [
            r#"{"error": {"code": 400}}"#,
            r#"{"error": "Token 1//x is bad"}"#,
            "<html>",
        ] {
            assert_eq!(failure(&answer(400, body)), Failure::Unreadable, "{body}");
        }
    }

    #[test]
    fn a_server_in_trouble_is_left_alone_for_as_long_as_it_asks_within_bounds() {
        let mut trouble = answer(503, "");
        assert_eq!(failure(&trouble).pause(), PAUSE);
        for (asked, pause) in [
            ("7", 7_000),
            ("0", 1_000),
            ("86400", LONGEST_PAUSE),
            ("soon", PAUSE),
        ] {
            trouble
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static(asked));
            assert_eq!(failure(&trouble).pause(), pause, "{asked}");
        }
    }
}
