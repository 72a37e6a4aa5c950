//! The endpoints for tokens: codes and refresh tokens for access tokens (RFC 6749, sections 4.1.3 and 6), and taking
//! permissions back (RFC 7009).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Code, Grant, OAuth};
use crate::tokens::Tokens;
use crate::{Answer, Request};

/// An error in OAuth's form.
fn refused(status: u16, error: &str, description: &str) -> Answer {
    Answer::of(
        StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
        &json!({ "error": error, "error_description": description }),
    )
}

/// The fields of a form.
fn form(request: &Request) -> Vec<(String, String)> {
    form_urlencoded::parse(&request.body).into_owned().collect()
}

impl OAuth {
    pub(super) fn token(&mut self, tokens: &mut Tokens, request: &Request) -> Answer {
        let form = form(request);
        let field = |name: &str| {
            let found = form.iter().find(|(known, _)| known == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let client = field("client_id");
        let is_known = self
            .clients
            .iter()
            .any(|known| known.id == client && known.secret == field("client_secret"));
        if !is_known {
            return refused(401, "invalid_client", "Unauthorized");
        }
        match field("grant_type") {
            "authorization_code" => {
                let verifier = field("code_verifier");
                self.secrets
                    .extend((!verifier.is_empty()).then(|| verifier.to_owned()));
                self.by_code(tokens, client, field("code"), field("redirect_uri"), verifier)
            }
            "refresh_token" => match self.refresh_tokens.get(field("refresh_token")).cloned() {
                Some(grant) if grant.client == client => self.give(tokens, grant, None),
                _ => refused(400, "invalid_grant", "Token has been expired or revoked."),
            },
            _ => refused(400, "unsupported_grant_type", "Invalid grant_type"),
        }
    }

    fn by_code(
        &mut self,
        tokens: &mut Tokens,
        client: &str,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
    ) -> Answer {
        // Whatever follows: a code works once.
        let Some(code) = self.codes.remove(code) else {
            return refused(400, "invalid_grant", "Malformed auth code.");
        };
        let Code {
            grant,
            redirect_uri: sent_to,
            challenge,
            offline,
        } = code;
        if grant.client != client {
            return refused(401, "unauthorized_client", "Unauthorized");
        }
        if sent_to != redirect_uri {
            return refused(400, "redirect_uri_mismatch", "Bad Request");
        }
        match challenge {
            Some(_) if verifier.is_empty() => return refused(400, "invalid_grant", "Missing code verifier."),
            Some(challenge) if challenge != URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) => {
                return refused(400, "invalid_grant", "Invalid code verifier.");
            }
            _ => {}
        }
        let refresh = offline.then(|| {
            let refresh = self.secret("1//0");
            self.refresh_tokens.insert(refresh.clone(), grant.clone());
            refresh
        });
        self.give(tokens, grant, Some(refresh))
    }

    /// An access token; with a code, also who it is, and a refresh token if there is one.
    fn give(&mut self, tokens: &mut Tokens, grant: Grant, by_code: Option<Option<String>>) -> Answer {
        let Some(person) = self.people.iter().find(|person| person.sub == grant.sub).cloned() else {
            return refused(400, "invalid_grant", "Account has been deleted");
        };
        let access = tokens.issue(&person.email, &grant.scopes);
        self.secrets.push(access.clone());
        self.access_tokens.insert(access.clone(), grant.clone());
        let mut answer = json!({
            "access_token": access, "expires_in": 3599, "scope": grant.scopes.join(" "), "token_type": "Bearer",
        });
        if let Some(refresh) = by_code {
            if grant.scopes.iter().any(|scope| scope == "openid") {
                let claims = self.claims(&person, &grant.client);
                answer["id_token"] = json!(self.sign(&claims));
            }
            if let Some(refresh) = refresh {
                answer["refresh_token"] = json!(refresh);
            }
        }
        Answer::json(&answer)
    }

    pub(super) fn revoke(&mut self, tokens: &mut Tokens, request: &Request) -> Answer {
        let form = form(request);
        let token = form.iter().find(|(name, _)| name == "token");
        let grant = token.and_then(|(_, token)| {
            let grant = self
                .refresh_tokens
                .get(token)
                .or_else(|| self.access_tokens.get(token));
            grant.cloned()
        });
        match grant {
            Some(Grant { client, sub, .. }) => {
                self.end(tokens, &sub, Some(&client));
                Answer::json(&json!({}))
            }
            None => refused(400, "invalid_token", "Token expired or revoked"),
        }
    }
}
