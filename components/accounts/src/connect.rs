//! Connecting a Google account: where a flow begins, and how an account is shown and forgotten.
//!
//! A flow is bound to its user by its `state`, of which only a hash is stored, and to us by PKCE. What it cannot know
//! is whose browser comes back: somebody could send the address of Google's page to a victim and be given access to
//! the victim's mail. So an account is connected without further ado only to a user who signs in with that very
//! account. Everybody else is first shown to whom it would be connected, and says yes or no (`callback`).

mod callback;
mod flow;

use anyturn_state::Store;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::account::{self, google_id};
use crate::answer::{Refusal, Response, json};
use crate::google::{self, Authorization};
use crate::platform::Platform;
use crate::seal::Purpose;
use crate::secret::Secret;
use crate::settings::{Connecting, Variables};
use crate::token::rfc3339;
use flow::{FLOW_TTL, Flow};

pub(crate) use callback::callback;

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    return_to: Option<String>,
}

#[derive(Serialize)]
struct Begun {
    authorization_url: String,
    expires_in: u64,
}

/// `POST /auth/google/authorize`: where the user's browser has to go.
pub(crate) async fn authorize<P: Platform>(
    platform: &P,
    variables: &Variables,
    user: &str,
    body: &[u8],
) -> Result<Response, Refusal> {
    let settings = variables.connecting()?;
    let Asked { return_to } = if body.is_empty() {
        Asked::default()
    } else {
        anyturn_json::from_slice(body).map_err(|_| {
            Refusal::invalid("The body has to be empty, or JSON that may have the text `return_to`.")
        })?
    };
    if let Some(address) = &return_to
        && !settings.return_urls.contains(address)
    {
        return Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "return_to",
            "`return_to` has to be one of the addresses that the variable `google_return_urls` lists.",
        ));
    }
    let state = Secret::new(google::base64url(&google::random(platform)?));
    let verifier = Secret::new(google::base64url(&google::random(platform)?));
    let sealed = settings
        .keyring
        .seal(Purpose::Verifier, user, &google::random(platform)?, &verifier)?;
    let flow = Flow {
        user: user.to_owned(),
        verifier: sealed,
        return_to,
    };
    flow::begin(platform.store(), &state, &flow).await?;
    let url = Authorization {
        state: state.expose(),
        challenge: &google::base64url(&Sha256::digest(verifier.expose())),
        // Google takes an account's id as well as its address.
        login_hint: google_id(user),
    }
    .url(&settings);
    Ok(json(
        StatusCode::OK,
        &Begun {
            authorization_url: url,
            expires_in: FLOW_TTL / 1000,
        },
    ))
}

#[derive(Serialize)]
struct Shown<'a> {
    connected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reconnect: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
}

/// `GET /auth/google/account`.
pub(crate) async fn status<P: Platform>(platform: &P, user: &str) -> Result<Response, Refusal> {
    let found = account::read(platform.store(), user).await?;
    let account = found.as_ref().map(|(account, _)| account);
    Ok(json(
        StatusCode::OK,
        &Shown {
            connected: account.is_some(),
            reconnect: account.map(|account| account.refresh.is_none()),
            email: account.map(|account| account.email.as_str()),
            scopes: account.map(|account| account.scopes.as_slice()),
            since: account.map(|account| rfc3339(account.since)),
        },
    ))
}

#[derive(Serialize)]
struct Forgotten {
    success: bool,
    /// Whether Google says that the permission is taken back; false also where there was none.
    revoked: bool,
    message: &'static str,
}

/// `DELETE /auth/google/account`: takes the permission back at Google, and forgets the account whatever Google says.
pub(crate) async fn disconnect<P: Platform>(
    platform: &P,
    variables: &Variables,
    user: &str,
) -> Result<Response, Refusal> {
    let store = platform.store();
    let found = account::read(store, user).await?;
    let (revoked, message) = match &found {
        None => (false, "No Google account was connected."),
        Some((account, _)) => match &account.refresh {
            Some(sealed) if revoke(platform, variables.connecting().ok().as_ref(), user, sealed).await => (
                true,
                "The Google account is forgotten, and the permission taken back at Google.",
            ),
            Some(_) => (
                false,
                "The Google account is forgotten here. Google did not confirm that the permission is taken back: look \
                 at https://myaccount.google.com/connections.",
            ),
            None => (
                false,
                "The Google account is forgotten. The permission was not valid any more.",
            ),
        },
    };
    if found.is_some() {
        store
            .commit(&account::scope(user), vec![account::delete()], Vec::new())
            .await?;
    }
    Ok(json(
        StatusCode::OK,
        &Forgotten {
            success: true,
            revoked,
            message,
        },
    ))
}

/// Takes the permission behind a sealed refresh token back; whether Google says that it did.
async fn revoke<P: Platform>(platform: &P, settings: Option<&Connecting>, user: &str, sealed: &str) -> bool {
    let Some(settings) = settings else {
        return false;
    };
    match settings.keyring.open(Purpose::Refresh, user, sealed) {
        Ok(opened) => google::revoke(platform, settings, &opened.secret).await.is_ok(),
        Err(_) => false,
    }
}
