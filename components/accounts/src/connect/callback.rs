//! `GET /auth/google/callback`: where a flow ends. Google sends the browser here with a code, or with an error; our own
//! page sends it here with the answer to whether the account shall be connected.
//!
//! Whatever happens, the browser sees a page, or goes to the flow's return address with `google=connected` or
//! `google=failed&reason=…`. Nothing of what was in the query is repeated.

use anyturn_state::{Error as StateError, Store, Write};
use form_urlencoded::Serializer;
use http::StatusCode;

use super::flow::{self, Flow, Pending};
use super::revoke;
use crate::account::{self, Access, Account, google_id};
use crate::answer::{Refusal, Response, html, see_other};
use crate::google::{self, SCOPES, Tokens};
use crate::id_token::{self, Expected, Person};
use crate::pages::page;
use crate::platform::Platform;
use crate::seal::Purpose;
use crate::secret::Secret;
use crate::settings::{Connecting, Variables};
use crate::token::scopes;

/// How often storing starts over when somebody else changes the account at the same time.
const TRIES: usize = 5;

/// How a flow ended.
enum Ending {
    Connected {
        email: String,
        missing: Vec<&'static str>,
    },
    /// The owner has to say whether it shall be connected to this user.
    Asking {
        email: String,
        user: String,
        code: Secret,
    },
    /// The reason for programs, and the words for people.
    Failed {
        status: StatusCode,
        reason: &'static str,
        text: String,
    },
}

impl Ending {
    fn failed(status: StatusCode, reason: &'static str, text: impl Into<String>) -> Self {
        Self::Failed {
            status,
            reason,
            text: text.into(),
        }
    }
}

impl From<Refusal> for Ending {
    fn from(refusal: Refusal) -> Self {
        Self::failed(refusal.status(), refusal.error(), refusal.message())
    }
}

impl From<StateError> for Ending {
    fn from(error: StateError) -> Self {
        Refusal::from(error).into()
    }
}

/// What the browser brings.
#[derive(Default)]
struct Brought {
    state: Option<Secret>,
    code: Option<Secret>,
    error: Option<String>,
    confirm: Option<Secret>,
    cancel: Option<Secret>,
}

impl Brought {
    fn read(query: &str) -> Self {
        let mut brought = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match &*name {
                "state" => brought.state = Some(Secret::new(value)),
                "code" => brought.code = Some(Secret::new(value)),
                "error" => brought.error = Some(value),
                "confirm" => brought.confirm = Some(Secret::new(value)),
                "cancel" => brought.cancel = Some(Secret::new(value)),
                _ => {}
            }
        }
        brought
    }
}

pub(crate) async fn callback<P: Platform>(platform: &P, variables: &Variables, query: &str) -> Response {
    let settings = match variables.connecting() {
        Ok(settings) => settings,
        Err(error) => return show(None, Refusal::from(error).into(), ""),
    };
    let brought = Brought::read(query);
    let (return_to, ending) = if let Some(code) = &brought.confirm {
        answered(platform, &settings, code, true).await
    } else if let Some(code) = &brought.cancel {
        answered(platform, &settings, code, false).await
    } else {
        come_back(platform, &settings, &brought).await
    };
    show(
        // The list may have changed since the flow began.
        return_to.filter(|address| settings.return_urls.contains(address)),
        ending,
        &settings.redirect_uri,
    )
}

type Ended = (Option<String>, Ending);

/// The browser comes from Google.
async fn come_back<P: Platform>(platform: &P, settings: &Connecting, brought: &Brought) -> Ended {
    let taken = match &brought.state {
        None => Ok(None),
        Some(state) => flow::take(platform.store(), state).await,
    };
    let Flow {
        user,
        verifier,
        return_to,
    } = match taken {
        Ok(Some(flow)) => flow,
        Ok(None) => return (None, over()),
        Err(error) => return (None, error.into()),
    };
    let code = match (&brought.error, &brought.code) {
        (None, Some(code)) => code,
        (Some(error), _) if error == "access_denied" => {
            let text = "You did not allow the access. Nothing was connected.";
            return (return_to, Ending::failed(StatusCode::OK, "access_denied", text));
        }
        _ => {
            let text = "Google did not give the access. Nothing was connected.";
            return (
                return_to,
                Ending::failed(StatusCode::BAD_REQUEST, "refused", text),
            );
        }
    };
    let ending = connect(platform, settings, &user, &verifier, code, return_to.as_deref()).await;
    (return_to, ending.unwrap_or_else(|ending| ending))
}

fn over() -> Ending {
    Ending::failed(
        StatusCode::BAD_REQUEST,
        "expired",
        "This address was used before, or is older than ten minutes. Begin again where you came from.",
    )
}

/// Exchanges the code and keeps what comes of it.
async fn connect<P: Platform>(
    platform: &P,
    settings: &Connecting,
    user: &str,
    verifier: &str,
    code: &Secret,
    return_to: Option<&str>,
) -> Result<Ending, Ending> {
    let verifier = settings
        .keyring
        .open(Purpose::Verifier, user, verifier)
        .map_err(Refusal::from)?;
    let asked = platform.now();
    let tokens = google::exchange(platform, settings, code, &verifier.secret)
        .await
        .map_err(Refusal::from)?;
    let (account, missing) = match examined(platform, settings, user, &tokens, asked).await {
        Ok(examined) => examined,
        Err(ending) => {
            // What is not kept shall not stay valid either.
            let token = tokens.refresh_token.as_ref().unwrap_or(&tokens.access_token);
            let _ = google::revoke(platform, settings, token).await;
            return Err(ending);
        }
    };
    let email = account.email.clone();
    if google_id(user) == Some(account.sub.as_str()) {
        keep(platform, settings, user, account).await?;
        return Ok(Ending::Connected { email, missing });
    }
    let code = Secret::new(google::base64url(&google::random(platform)?));
    let pending = Pending {
        user: user.to_owned(),
        account,
        return_to: return_to.map(str::to_owned),
    };
    flow::wait(platform.store(), &code, &pending).await?;
    Ok(Ending::Asking {
        email,
        user: user.to_owned(),
        code,
    })
}

/// The account that the tokens open, and what was not allowed of what the tools need.
async fn examined<P: Platform>(
    platform: &P,
    settings: &Connecting,
    user: &str,
    tokens: &Tokens,
    asked: u64,
) -> Result<(Account, Vec<&'static str>), Ending> {
    let unreadable = || Ending::from(Refusal::from(google::Failure::Unreadable));
    let id_token = tokens.id_token.as_ref().ok_or_else(unreadable)?;
    let expected = Expected {
        audiences: std::slice::from_ref(&settings.client.id),
        domains: &settings.domains,
    };
    let Person { sub, email } = id_token::verify(platform, &settings.certs_url, id_token, expected).await?;
    if google_id(user).is_some_and(|own| own != sub) {
        return Err(Ending::failed(
            StatusCode::FORBIDDEN,
            "other_account",
            "This is another Google account than the one that you sign in with. Nothing was connected.",
        ));
    }
    let granted = scopes(tokens.scope.as_deref().unwrap_or_default());
    let missing = missing(&granted);
    if missing.len() == SCOPES.len() {
        return Err(Ending::failed(
            StatusCode::OK,
            "nothing_allowed",
            "You did not allow access to mail, calendar or contacts. Nothing was connected.",
        ));
    }
    let refresh = tokens.refresh_token.as_ref().ok_or_else(unreadable)?;
    let seal = |purpose, random: [u8; 32], secret| {
        let sealed = settings.keyring.seal(purpose, user, &random, secret);
        sealed.map_err(|error| Ending::from(Refusal::from(error)))
    };
    let account = Account {
        sub,
        email,
        scopes: granted,
        since: platform.now(),
        refresh: Some(seal(Purpose::Refresh, google::random(platform)?, refresh)?),
        access: Some(Access {
            sealed: seal(Purpose::Access, google::random(platform)?, &tokens.access_token)?,
            expires: asked.saturating_add(tokens.expires_in.saturating_mul(1000)),
        }),
    };
    Ok((account, missing))
}

/// What of the tools' scopes was not granted, by the names that people know.
fn missing(granted: &[String]) -> Vec<&'static str> {
    SCOPES
        .iter()
        .filter(|(scope, _)| granted.iter().all(|granted| granted != scope))
        .map(|(_, name)| *name)
        .collect()
}

/// Stores the account in the place of the one before, whose permission is taken back if it is of another account.
async fn keep<P: Platform>(
    platform: &P,
    settings: &Connecting,
    user: &str,
    account: Account,
) -> Result<(), Ending> {
    let store = platform.store();
    for _ in 0..TRIES {
        let before = account::read(store, user).await?;
        let version = before.as_ref().map_or(0, |(_, version)| *version);
        let writes: Vec<Write> = vec![account::put(&account, version)];
        match store.commit(&account::scope(user), writes, Vec::new()).await {
            Ok(_) => {
                // A refresh token of the same account belongs to the same permission.
                if let Some((
                    Account {
                        sub,
                        refresh: Some(sealed),
                        ..
                    },
                    _,
                )) = before
                    && sub != account.sub
                {
                    revoke(platform, Some(settings), user, &sealed).await;
                }
                return Ok(());
            }
            Err(StateError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::unavailable(
        "Somebody else changes the account at the same time. Try again.",
        1000,
    )
    .into())
}

/// The owner has said whether the account shall be connected.
async fn answered<P: Platform>(platform: &P, settings: &Connecting, code: &Secret, yes: bool) -> Ended {
    let Pending {
        user,
        account,
        return_to,
    } = match flow::answered(platform.store(), code).await {
        Ok(Some(pending)) => pending,
        Ok(None) => return (None, over()),
        Err(error) => return (None, error.into()),
    };
    if !yes {
        if let Some(sealed) = &account.refresh {
            revoke(platform, Some(settings), &user, sealed).await;
        }
        let text = "Nothing was connected.";
        return (return_to, Ending::failed(StatusCode::OK, "cancelled", text));
    }
    let email = account.email.clone();
    let missing = missing(&account.scopes);
    let ending = match keep(platform, settings, &user, account).await {
        Ok(()) => Ending::Connected { email, missing },
        Err(ending) => ending,
    };
    (return_to, ending)
}

/// Shows how it ended, or sends the browser on.
fn show(return_to: Option<String>, ending: Ending, redirect_uri: &str) -> Response {
    if let (Some(address), Some(query)) = (&return_to, told(&ending)) {
        let separator = if address.contains('?') { '&' } else { '?' };
        return see_other(&format!("{address}{separator}{query}")).unwrap_or_else(Refusal::into_response);
    }
    match ending {
        Ending::Connected { email, missing } => {
            let text = if missing.is_empty() {
                format!("{email} is connected. You can close this page.")
            } else {
                format!(
                    "{email} is connected, without: {}. Connect it again to allow that, too. You can close this page.",
                    missing.join(", ")
                )
            };
            html(StatusCode::OK, page("Connected", &text, &[]))
        }
        Ending::Asking { email, user, code } => {
            let text = format!(
                "{user} would be able to use the mail, calendar and contacts of {email}. Go on only if {user} is you: \
                 whoever sent you here would have this access otherwise."
            );
            let link = |name: &str| format!("{redirect_uri}?{name}={}", code.expose());
            let links = [
                ("Connect", &*link("confirm")),
                ("Do not connect", &*link("cancel")),
            ];
            html(StatusCode::OK, page("Connect this account?", &text, &links))
        }
        Ending::Failed { status, text, .. } => html(status, page("Not connected", &text, &[])),
    }
}

/// The ending as the return address is told it; nothing while there is still something to ask.
fn told(ending: &Ending) -> Option<String> {
    let mut query = Serializer::new(String::new());
    match ending {
        Ending::Asking { .. } => return None,
        Ending::Connected { missing, .. } => {
            query.append_pair("google", "connected");
            if !missing.is_empty() {
                query.append_pair("missing", &missing.join(","));
            }
        }
        Ending::Failed { reason, .. } => {
            query
                .append_pair("google", "failed")
                .append_pair("reason", reason);
        }
    }
    Some(query.finish())
}
