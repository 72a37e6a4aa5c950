//! Google's OAuth 2.0 and OpenID Connect, as published: discovery, keys that rotate, consent, tokens, revocation.
//!
//! See <https://developers.google.com/identity/protocols/oauth2/web-server> and
//! <https://developers.google.com/identity/openid-connect/openid-connect>. The person in front of the consent page is
//! [`OAuth::visitor`], and does what `OAuth::consent` says. Codes work once and only with the verifier whose hash the
//! page was shown with (RFC 7636); a refresh token comes with `access_type=offline` and works until the permission is
//! taken back, and all access tokens of an account end with it.
//!
//! It needs no server: [`OAuth::answer`] answers a request. [`crate::FakeGoogle`] serves it with everything else.

mod consent;
mod keys;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;
use serde_json::{Value, json};

use crate::tokens::Tokens;
use crate::{Answer, Request};
use keys::Keys;

/// A person with a Google account.
#[derive(Clone, Debug)]
pub struct Person {
    /// Google's id of the account.
    pub sub: String,
    /// Its address.
    pub email: String,
    /// Whether the address is verified.
    pub verified: bool,
    /// The Workspace domain that it belongs to.
    pub domain: Option<String>,
}

impl Person {
    /// An account with a verified address and of no domain.
    pub fn new(sub: &str, email: &str) -> Person {
        Person {
            sub: sub.to_owned(),
            email: email.to_owned(),
            verified: true,
            domain: None,
        }
    }
}

/// An application that Google knows.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
}

/// What the person at the consent page does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Consent {
    /// Allows everything.
    #[default]
    All,
    /// Allows what says who they are, and of the rest only this.
    Only(Vec<String>),
    /// Allows nothing.
    Deny,
}

/// What was allowed, and to whom.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    client: String,
    sub: String,
    scopes: Vec<String>,
}

/// A code on its way.
#[derive(Debug)]
struct Code {
    grant: Grant,
    redirect_uri: String,
    challenge: Option<String>,
    offline: bool,
}

/// What tells the time, in seconds since the Unix epoch.
#[derive(Clone)]
struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// Google's accounts, clients, keys and permissions.
#[derive(Debug)]
pub struct OAuth {
    clock: Clock,
    base: String,
    clients: Vec<Client>,
    people: Vec<Person>,
    visitor: Option<String>,
    consent: Consent,
    keys: Keys,
    codes: BTreeMap<String, Code>,
    refresh_tokens: BTreeMap<String, Grant>,
    access_tokens: BTreeMap<String, Grant>,
    secrets: Vec<String>,
    issued: u64,
}

impl Default for OAuth {
    fn default() -> OAuth {
        OAuth {
            clock: Clock(Arc::new(|| {
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |since| since.as_secs())
            })),
            base: "https://accounts.google.com".to_owned(),
            clients: Vec::new(),
            people: Vec::new(),
            visitor: None,
            consent: Consent::All,
            keys: Keys::default(),
            codes: BTreeMap::new(),
            refresh_tokens: BTreeMap::new(),
            access_tokens: BTreeMap::new(),
            secrets: Vec::new(),
            issued: 0,
        }
    }
}

impl OAuth {
    /// Takes the time, in seconds since the Unix epoch, from elsewhere.
    pub fn set_clock(&mut self, clock: impl Fn() -> u64 + Send + Sync + 'static) {
        self.clock = Clock(Arc::new(clock));
    }

    /// Where the discovery document says that everything is.
    pub(crate) fn set_base(&mut self, base: String) {
        self.base = base;
    }

    /// Lets Google know an application.
    pub fn add_client(&mut self, client: Client) {
        self.secrets.push(client.secret.clone());
        self.clients.push(client);
    }

    /// Lets somebody have an account.
    pub fn add_person(&mut self, person: Person) {
        self.people.retain(|known| known.sub != person.sub);
        self.people.push(person);
    }

    /// Who sits at the consent page, by address, and what they do.
    pub fn visitor(&mut self, email: &str, consent: Consent) {
        self.visitor = Some(email.to_owned());
        self.consent = consent;
    }

    /// Publishes a new key and signs with it; the one before is published on, older ones are not.
    pub fn rotate_keys(&mut self) {
        self.keys.rotate();
    }

    /// How many seconds the published keys may be kept.
    pub fn set_max_age(&mut self, seconds: u64) {
        self.keys.max_age = seconds;
    }

    /// An ID token for an application, as the person's device gets it when they sign in.
    pub fn id_token(&mut self, email: &str, audience: &str) -> String {
        let Some(person) = self.people.iter().find(|person| person.email == email).cloned() else {
            return String::new();
        };
        let claims = self.claims(&person, audience);
        self.sign(&claims)
    }

    /// The claims of an ID token that is issued now.
    pub fn claims(&self, person: &Person, audience: &str) -> Value {
        let now = self.clock.0();
        let mut claims = json!({
            "iss": "https://accounts.google.com", "azp": audience, "aud": audience, "sub": person.sub,
            "email": person.email, "email_verified": person.verified, "name": "Somebody",
            "iat": now, "exp": now + 3600,
        });
        if let Some(domain) = &person.domain {
            claims["hd"] = json!(domain);
        }
        claims
    }

    /// Signs claims with the present key.
    pub fn sign(&mut self, claims: &Value) -> String {
        let token = self.keys.sign(claims);
        self.secrets.push(token.clone());
        token
    }

    /// Signs claims under any header, with the present key.
    pub fn sign_as(&mut self, header: &Value, claims: &Value) -> String {
        self.keys.sign_as(header, claims)
    }

    /// The id of the present key.
    pub fn key_id(&mut self) -> String {
        self.keys.id()
    }

    /// Takes the permission of every application back, as the person can at their account's page.
    pub fn take_back(&mut self, tokens: &mut Tokens, email: &str) {
        let sub = self.people.iter().find(|person| person.email == email);
        if let Some(sub) = sub.map(|person| person.sub.clone()) {
            self.end(tokens, &sub, None);
        }
    }

    /// Every secret that was issued or told: codes, tokens, clients' secrets.
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// Whether any refresh token of this account is good.
    pub fn has_permission(&self, sub: &str) -> bool {
        self.refresh_tokens.values().any(|grant| grant.sub == sub)
    }

    /// Answers a request, if it is one for these endpoints.
    pub fn answer(&mut self, tokens: &mut Tokens, request: &Request) -> Option<Answer> {
        Some(match (&request.method, request.path.as_str()) {
            (&Method::GET, "/.well-known/openid-configuration") => self.discovery(),
            (&Method::GET, "/oauth2/v3/certs") => self.keys.published(),
            (&Method::GET, "/o/oauth2/v2/auth") => self.authorize(request),
            (&Method::POST, "/token") => self.token(tokens, request),
            (&Method::POST, "/revoke") => self.revoke(tokens, request),
            _ => return None,
        })
    }

    fn discovery(&self) -> Answer {
        let base = &self.base;
        Answer::json(&json!({
            "issuer": "https://accounts.google.com",
            "authorization_endpoint": format!("{base}/o/oauth2/v2/auth"),
            "token_endpoint": format!("{base}/token"),
            "revocation_endpoint": format!("{base}/revoke"),
            "jwks_uri": format!("{base}/oauth2/v3/certs"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
        }))
    }

    /// Ends a permission, with all of its tokens.
    fn end(&mut self, tokens: &mut Tokens, sub: &str, client: Option<&str>) {
        let is_of = |grant: &Grant| grant.sub == sub && client.is_none_or(|client| client == grant.client);
        self.refresh_tokens.retain(|_, grant| !is_of(grant));
        self.access_tokens.retain(|_, grant| !is_of(grant));
        self.codes.retain(|_, code| !is_of(&code.grant));
        if let Some(person) = self.people.iter().find(|person| person.sub == sub) {
            tokens.expire(&person.email);
        }
    }

    /// A text that was not issued before, and that the tests look for where it must not be.
    fn secret(&mut self, beginning: &str) -> String {
        self.issued += 1;
        let secret = format!("{beginning}fake-{:04}-{}", self.issued, keys::unpredictable());
        self.secrets.push(secret.clone());
        secret
    }
}
