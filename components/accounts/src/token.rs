//! `POST /token`: a short-lived access token of the caller's Google account, for a tool's component.
//!
//! It is kept, sealed, until shortly before it ends, and then refreshed once, however many instances ask. The body may
//! hold `stale`, the SHA-256 in hex of a token that Google refused: then another one is fetched, unless that has
//! happened already. What Google does not accept any more is not tried again; the user has to connect anew.

use anyturn_state::{Error as StateError, Store};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::account::{self, Access, Account};
use crate::answer::{Refusal, Response, json};
use crate::flight::{self, Flight, GLANCE, PATIENCE};
use crate::google::{self, Failure, Tokens};
use crate::platform::Platform;
use crate::seal::{Keyring, Opened, Purpose, Unopenable};
use crate::secret::Secret;
use crate::settings::{Connecting, Variables};

/// A token that ends sooner is not given out: milliseconds.
const MARGIN: u64 = 60_000;
const LEASE: &str = "google-refresh";

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    stale: Option<String>,
}

#[derive(Serialize)]
struct Given<'a> {
    access_token: &'a str,
    expires_at: String,
    scopes: &'a [String],
    /// Whose account it is, by its address.
    email: &'a str,
}

/// Why a sealed text that does not open stops everything: it is not the user's to mend.
impl From<Unopenable> for Refusal {
    fn from(error: Unopenable) -> Self {
        Self::misconfigured(format!("{}.", crate::answer::capital(&error.to_string())))
    }
}

pub(crate) async fn answer<P: Platform>(
    platform: &P,
    variables: &Variables,
    user: &str,
    body: &[u8],
) -> Result<Response, Refusal> {
    let stale = asked(body)?;
    let store = platform.store();
    let mut waited = 0;
    loop {
        // An application without accounts has no keys, and its tools are told the same as of a user without one.
        let Some((account, version)) = account::read(store, user).await? else {
            return Err(no_account());
        };
        let settings = variables.connecting()?;
        if let Some(given) = usable(platform, &settings, user, &account, version, stale.as_deref()).await? {
            return Ok(given);
        }
        let scope = account::scope(user);
        let holder = google::holder(platform)?;
        let queries = vec![account::query()];
        let (flight, found) = flight::board(store, &scope, LEASE, &holder, queries).await?;
        match flight {
            Flight::Ours(epoch) => {
                // Somebody may have landed, or deleted the account, in between.
                let now = account::of(found.first())?;
                if now.as_ref().map(|(_, version)| *version) != Some(version) {
                    flight::land(store, &scope, LEASE, epoch).await;
                } else if let Some(given) =
                    refresh(platform, &settings, user, account, version, epoch).await?
                {
                    return Ok(given);
                }
            }
            Flight::Theirs if waited < PATIENCE => {
                platform.sleep(GLANCE).await;
                waited += GLANCE;
            }
            Flight::Theirs => return Err(Refusal::unavailable(BUSY, 1000)),
            Flight::Failed(remaining) => return Err(Refusal::unavailable(TROUBLE, remaining)),
        }
    }
}

const BUSY: &str = "The access to Google is being renewed. Try again.";
const TROUBLE: &str = "Google has just not renewed the access. Try again.";

fn no_account() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "no_account",
        "No Google account is connected.",
    )
}

/// The hash of a token that Google refused.
fn asked(body: &[u8]) -> Result<Option<String>, Refusal> {
    let Asked { stale } = if body.is_empty() {
        Asked::default()
    } else {
        anyturn_json::from_slice(body).map_err(|_| {
            Refusal::invalid("The body has to be empty, or JSON that may have the text `stale`.")
        })?
    };
    match stale {
        Some(hash) if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Err(Refusal::invalid(
                "`stale` has to be a SHA-256 in hexadecimal digits, and never the token itself.",
            ))
        }
        stale => Ok(stale.map(|hash| hash.to_ascii_lowercase())),
    }
}

/// The access token that is there, if it is still good; sealed anew where a newer key is.
async fn usable<P: Platform>(
    platform: &P,
    settings: &Connecting,
    user: &str,
    account: &Account,
    version: u64,
    stale: Option<&str>,
) -> Result<Option<Response>, Refusal> {
    let Some(sealed_refresh) = &account.refresh else {
        return Err(Failure::Grant.into());
    };
    let Some(access) = &account.access else {
        return Ok(None);
    };
    if access.expires <= platform.now().saturating_add(MARGIN) {
        return Ok(None);
    }
    let Opened { secret, outdated } = settings.keyring.open(Purpose::Access, user, &access.sealed)?;
    if stale == Some(hex(&Sha256::digest(secret.expose())).as_str()) {
        return Ok(None);
    }
    if outdated {
        let renewed = Account {
            refresh: Some(reseal(
                platform,
                &settings.keyring,
                Purpose::Refresh,
                user,
                sealed_refresh,
            )?),
            access: Some(Access {
                sealed: reseal(platform, &settings.keyring, Purpose::Access, user, &access.sealed)?,
                expires: access.expires,
            }),
            ..account.clone()
        };
        // Whoever was quicker has done it, or has changed what there was to do.
        let _ = platform
            .store()
            .commit(
                &account::scope(user),
                vec![account::put(&renewed, version)],
                Vec::new(),
            )
            .await;
    }
    Ok(Some(given(&secret, access.expires, account)))
}

/// The same text, sealed with the present key.
fn reseal<P: Platform>(
    platform: &P,
    keyring: &Keyring,
    purpose: Purpose,
    user: &str,
    sealed: &str,
) -> Result<String, Refusal> {
    let Opened { secret, outdated } = keyring.open(purpose, user, sealed)?;
    if outdated {
        Ok(keyring.seal(purpose, user, &google::random(platform)?, &secret)?)
    } else {
        Ok(sealed.to_owned())
    }
}

/// Refreshes the access token as the one who does, and gives the lease up with the outcome. Nothing if the account was
/// deleted or connected anew meanwhile: then this token is not the account's any more.
async fn refresh<P: Platform>(
    platform: &P,
    settings: &Connecting,
    user: &str,
    account: Account,
    version: u64,
    epoch: u64,
) -> Result<Option<Response>, Refusal> {
    let store = platform.store();
    let scope = account::scope(user);
    let stored = |account: Account| {
        let writes = vec![account::put(&account, version), flight::landed(LEASE, epoch)];
        let scope = &scope;
        async move {
            match store.commit(scope, writes, Vec::new()).await {
                Ok(_) => Ok(true),
                Err(StateError::Conflict { .. }) => {
                    flight::land(store, scope, LEASE, epoch).await;
                    Ok(false)
                }
                Err(error) => Err(Refusal::from(error)),
            }
        }
    };
    match renewed(platform, settings, user, &account).await {
        Ok((renewed, secret, expires)) => {
            let given = given(&secret, expires, &renewed);
            Ok(stored(renewed).await?.then_some(given))
        }
        Err(Trouble::Google(Failure::Grant)) => {
            let over = Account {
                refresh: None,
                access: None,
                ..account
            };
            if stored(over).await? {
                Err(Failure::Grant.into())
            } else {
                Ok(None)
            }
        }
        Err(Trouble::Google(failure)) => {
            flight::failed(store, &scope, LEASE, epoch, failure.pause()).await;
            Err(failure.into())
        }
        Err(Trouble::Here(refusal)) => {
            flight::land(store, &scope, LEASE, epoch).await;
            Err(refusal)
        }
    }
}

enum Trouble {
    Google(Failure),
    Here(Refusal),
}

async fn renewed<P: Platform>(
    platform: &P,
    settings: &Connecting,
    user: &str,
    account: &Account,
) -> Result<(Account, Secret, u64), Trouble> {
    let here = |error: Unopenable| Trouble::Here(error.into());
    let keyring = &settings.keyring;
    let sealed = account.refresh.as_deref().unwrap_or_default();
    let Opened {
        secret: kept,
        outdated,
    } = keyring.open(Purpose::Refresh, user, sealed).map_err(here)?;
    let asked = platform.now();
    let Tokens {
        access_token,
        expires_in,
        refresh_token,
        scope,
        id_token: _,
    } = google::refresh(platform, settings, &kept)
        .await
        .map_err(Trouble::Google)?;
    let random = || google::random(platform).map_err(Trouble::Here);
    // Google may give another refresh token, and then the old one ends.
    let refresh = match refresh_token {
        Some(new) => keyring
            .seal(Purpose::Refresh, user, &random()?, &new)
            .map_err(here)?,
        None if outdated => keyring
            .seal(Purpose::Refresh, user, &random()?, &kept)
            .map_err(here)?,
        None => sealed.to_owned(),
    };
    let access = Access {
        sealed: keyring
            .seal(Purpose::Access, user, &random()?, &access_token)
            .map_err(here)?,
        expires: asked.saturating_add(expires_in.saturating_mul(1000)),
    };
    let expires = access.expires;
    let renewed = Account {
        // Users can take single permissions back.
        scopes: scope.map_or_else(|| account.scopes.clone(), |scope| scopes(&scope)),
        refresh: Some(refresh),
        access: Some(access),
        ..account.clone()
    };
    Ok((renewed, access_token, expires))
}

/// What was granted.
pub(crate) fn scopes(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

fn given(secret: &Secret, expires: u64, account: &Account) -> Response {
    json(
        StatusCode::OK,
        &Given {
            access_token: secret.expose(),
            expires_at: rfc3339(expires),
            scopes: &account.scopes,
            email: &account.email,
        },
    )
}

/// A time as RFC 3339 writes it.
pub(crate) fn rfc3339(milliseconds: u64) -> String {
    i64::try_from(milliseconds)
        .ok()
        .and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok())
        .unwrap_or(Timestamp::MAX)
        .to_string()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
