//! `POST /auth/google`: one of Google's ID tokens for one of ours.

use anyturn_identity::User;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::account::user_id;
use crate::answer::{Refusal, Response, json};
use crate::id_token::{self, Expected};
use crate::platform::Platform;
use crate::secret::Secret;
use crate::settings::Variables;

/// How long our token is good: seconds.
const LIFETIME: u64 = 3600;

/// What the app sends.
#[derive(Deserialize)]
struct Asked {
    google_token: Secret,
    user_email: String,
}

/// What it gets.
#[derive(Serialize)]
struct SignedIn<'a> {
    jwt_token: &'a str,
    user_id: &'a str,
    expires_in: u64,
}

pub(crate) async fn answer<P: Platform>(
    platform: &P,
    variables: &Variables,
    body: &[u8],
) -> Result<Response, Refusal> {
    let settings = variables.sign_in()?;
    let asked: Asked = anyturn_json::from_slice(body).map_err(|_| {
        Refusal::invalid("The body has to be JSON with the texts `google_token` and `user_email`.")
    })?;
    let expected = Expected {
        audiences: &settings.audiences,
        domains: &settings.domains,
    };
    let person = id_token::verify(platform, &settings.certs_url, &asked.google_token, expected).await?;
    if !person.email.eq_ignore_ascii_case(asked.user_email.trim()) {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            "The token is of another e-mail address than `user_email`.",
        ));
    }
    let subject = user_id(&person.sub);
    let user = User::parse(&subject).map_err(|reason| {
        Refusal::new(
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            format!("The account's id cannot be used: {reason}."),
        )
    })?;
    Ok(json(
        StatusCode::OK,
        &SignedIn {
            jwt_token: &settings.issuer.issue(&subject, platform.now(), LIFETIME),
            user_id: user.as_str(),
            expires_in: LIFETIME,
        },
    ))
}
