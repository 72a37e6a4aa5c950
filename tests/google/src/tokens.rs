//! Who may do what: access tokens, and the component `accounts` as the tools see it.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Answer, Request, scopes};

/// Where the stand-in for the component `accounts` lies.
pub(crate) const ACCOUNTS: &str = "/anyturn-accounts";

/// Access tokens, and whose accounts anyturn's users have connected.
#[derive(Debug, Default)]
pub struct Tokens {
    /// Valid access tokens and what they open.
    valid: BTreeMap<String, Access>,
    /// What has been allowed of accounts, where it is not everything.
    allowed: BTreeMap<String, Vec<String>>,
    /// The accounts of anyturn's users.
    connected: BTreeMap<String, String>,
    revoked: BTreeSet<String>,
    issued: u64,
}

/// What an access token opens.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// The account, by its address.
    pub(crate) account: String,
    /// What may be done there.
    pub(crate) scopes: Vec<String>,
}

impl Tokens {
    /// Issues an access token for an account.
    pub fn issue(&mut self, email: &str, scopes: &[String]) -> String {
        self.issued += 1;
        let token = format!("ya29.fake-{}", self.issued);
        let access = Access {
            account: email.to_owned(),
            scopes: scopes.to_vec(),
        };
        self.valid.insert(token.clone(), access);
        token
    }

    /// What an access token opens, if it is valid.
    pub(crate) fn access(&self, token: &str) -> Option<&Access> {
        self.valid.get(token)
    }

    /// Lets whoever has connected an account have allowed no more than these scopes.
    pub fn allow(&mut self, email: &str, scopes: &[&str]) {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.allowed.insert(email.to_owned(), scopes);
        self.expire(email);
    }

    /// Makes all access tokens of an account invalid.
    pub fn expire(&mut self, email: &str) {
        self.valid.retain(|_, access| access.account != email);
    }

    /// Makes all access tokens of an account invalid, and lets no new ones be issued to the tools.
    pub fn revoke(&mut self, email: &str) {
        self.expire(email);
        self.revoked.insert(email.to_owned());
    }

    /// Lets a user of anyturn have connected an account.
    pub fn connect(&mut self, user: &str, email: &str) {
        self.connected.insert(user.to_owned(), email.to_owned());
        self.revoked.remove(email);
    }

    /// Answers what is asked of the component `accounts`.
    pub(crate) fn hand_out(&mut self, request: &Request) -> Answer {
        let user = request
            .headers
            .get("anyturn-user")
            .and_then(|user| user.to_str().ok())
            .map(|user| {
                percent_encoding::percent_decode_str(user)
                    .decode_utf8_lossy()
                    .into_owned()
            })
            .unwrap_or_default();
        let Some(email) = self.connected.get(&user).cloned() else {
            let message = "No Google account is connected.";
            let body = json!({"success": false, "error": "no_account", "message": message});
            return Answer::of(StatusCode::NOT_FOUND, &body);
        };
        if self.revoked.contains(&email) {
            let message = "Connect the Google account again.";
            let body = json!({"success": false, "error": "reconnect", "message": message});
            return Answer::of(StatusCode::CONFLICT, &body);
        }
        let asked = request.json();
        let stale = asked.get("stale").and_then(Value::as_str).unwrap_or_default();
        let known = self
            .valid
            .iter()
            .find(|(token, access)| access.account == email && digest(token) != stale)
            .map(|(token, access)| (token.clone(), access.scopes.clone()));
        let (token, scopes) = known.unwrap_or_else(|| {
            let everything = || scopes::CONNECTED.map(str::to_owned).to_vec();
            let allowed = self.allowed.get(&email).cloned().unwrap_or_else(everything);
            (self.issue(&email, &allowed), allowed)
        });
        Answer::json(&json!({
            "access_token": token,
            "expires_at": "2100-01-01T00:00:00Z",
            "scopes": scopes,
            "email": email,
        }))
    }
}

fn digest(token: &str) -> String {
    let digest = Sha256::digest(token.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
