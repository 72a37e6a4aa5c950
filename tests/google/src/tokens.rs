//! Who may do what: access tokens, and the component `accounts` as the tools see it.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Answer, Request};

/// Where the stand-in for the component `accounts` lies.
pub(crate) const ACCOUNTS: &str = "/anyturn-accounts";

/// Access tokens, and whose accounts anyturn's users have connected.
#[derive(Debug, Default)]
pub struct Tokens {
    /// Valid access tokens and the accounts that they open.
    valid: BTreeMap<String, String>,
    /// The accounts of anyturn's users.
    connected: BTreeMap<String, String>,
    revoked: BTreeSet<String>,
    issued: u64,
}

impl Tokens {
    /// Issues an access token for an account.
    pub fn issue(&mut self, email: &str) -> String {
        self.issued += 1;
        let token = format!("ya29.fake-{}", self.issued);
        self.valid.insert(token.clone(), email.to_owned());
        token
    }

    /// The account that an access token opens, if it is valid.
    pub fn account(&self, token: &str) -> Option<&str> {
        self.valid.get(token).map(String::as_str)
    }

    /// Makes all access tokens of an account invalid.
    pub fn expire(&mut self, email: &str) {
        self.valid.retain(|_, account| account != email);
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
            .find(|(token, account)| **account == email && digest(token) != stale)
            .map(|(token, _)| token.clone());
        let token = known.unwrap_or_else(|| self.issue(&email));
        Answer::json(&json!({
            "access_token": token,
            "expires_at": "2100-01-01T00:00:00Z",
            "scopes": ["https://www.googleapis.com/auth/gmail.modify"],
        }))
    }
}

fn digest(token: &str) -> String {
    let digest = Sha256::digest(token.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
