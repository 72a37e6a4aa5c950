//! A world in memory: the component, a store whose writes are kept, and Google.

#![allow(
    dead_code,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "every test file uses a part, and a test fails by panicking"
)]

mod contract;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use anyturn_accounts::handle;
use anyturn_accounts::platform::{FetchError, Platform};
use anyturn_google_fake::Request;
use anyturn_google_fake::oauth::{Client, Consent, OAuth, Person};
use anyturn_google_fake::tokens::Tokens;
use anyturn_state::memory::MemoryStore;
use anyturn_state::{Committed, Error, Found, JournalSlice, Query, Store, Write};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::executor::block_on;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

pub const JWT_SECRET: &str = "a secret of the tests, forty bytes long!";
pub const WEB: &str = "web.apps.googleusercontent.example";
pub const IOS: &str = "ios.apps.googleusercontent.example";
pub const CLIENT_SECRET: &str = "GOCSPX-a-secret-of-the-client";
pub const REDIRECT: &str = "https://a.example/api/auth/google/callback";
pub const APP: &str = "com.example.app://connected";

/// The same key under an id of its own.
pub fn key(id: &str, byte: u8) -> String {
    format!("{id}:{}", STANDARD.encode([byte; 32]))
}

pub fn ada() -> Person {
    Person::new("117000000000000000001", "Ada@Northwind.example")
}

pub fn bob() -> Person {
    Person::new("117000000000000000002", "bob@lumen.example")
}

/// How Google fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    Unreachable,
    Status(u16, Option<u64>),
}

#[derive(Clone)]
pub struct World {
    pub store: Recording,
    pub google: Rc<RefCell<OAuth>>,
    pub apis: Rc<RefCell<Tokens>>,
    pub variables: Rc<RefCell<BTreeMap<&'static str, String>>>,
    pub down: Rc<Cell<Option<Down>>>,
    /// The paths that Google was asked for.
    pub fetched: Rc<RefCell<Vec<String>>>,
    /// Every answer so far: the status, the headers and the body.
    pub said: Rc<RefCell<Vec<String>>>,
    counter: Rc<Cell<u8>>,
}

/// A store that remembers what was ever written to it.
#[derive(Clone, Default)]
pub struct Recording {
    pub memory: MemoryStore,
    pub written: Rc<RefCell<Vec<u8>>>,
}

impl Store for Recording {
    async fn read(&self, scope: &str, queries: Vec<Query>) -> Result<Vec<Found>, Error> {
        self.memory.read(scope, queries).await
    }

    async fn commit(&self, scope: &str, writes: Vec<Write>, queries: Vec<Query>) -> Result<Committed, Error> {
        self.written.borrow_mut().extend_from_slice(scope.as_bytes());
        for write in &writes {
            if let Write::Put { value, .. } = write {
                self.written.borrow_mut().extend_from_slice(value);
            }
            self.written
                .borrow_mut()
                .extend_from_slice(format!("{write:?}").as_bytes());
        }
        self.memory.commit(scope, writes, queries).await
    }

    async fn watch(
        &self,
        scope: &str,
        journal: &str,
        start: u64,
        limit: u32,
        timeout: u64,
    ) -> Result<JournalSlice, Error> {
        self.memory.watch(scope, journal, start, limit, timeout).await
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The status and the kind of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        let json = self.json();
        assert_eq!(json["success"], json!(false), "{self:?}");
        assert!(json["message"].as_str().unwrap().ends_with('.'), "{self:?}");
        (self.status, json["error"].as_str().unwrap().to_owned())
    }

    /// The first address of a page whose link has this name.
    pub fn link(&self, name: &str) -> String {
        let end = self
            .text
            .find(&format!("\">{name}</a>"))
            .unwrap_or_else(|| panic!("{self:?}"));
        let begin = self.text[..end].rfind("href=\"").unwrap() + 6;
        self.text[begin..end].replace("&amp;", "&")
    }
}

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

impl Platform for World {
    type Store = Recording;

    fn store(&self) -> &Recording {
        &self.store
    }

    async fn variable(&self, name: &'static str) -> Result<String, String> {
        Ok(self.variables.borrow().get(name).cloned().unwrap_or_default())
    }

    fn now(&self) -> u64 {
        self.store.memory.clock().now()
    }

    fn random(&self) -> Result<[u8; 32], String> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    async fn sleep(&self, _milliseconds: u64) {
        yield_now().await;
    }

    async fn fetch(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, FetchError> {
        let (head, body) = request.into_parts();
        self.fetched.borrow_mut().push(head.uri.path().to_owned());
        let length = head.headers.get("content-length");
        let told = length.map_or(0, |length| length.to_str().unwrap().parse().unwrap());
        assert_eq!(told, body.len(), "the length of a body is told");
        // Whoever else wants something has time to want it.
        for _ in 0..20 {
            yield_now().await;
        }
        match self.down.get() {
            Some(Down::Unreachable) => return Err(FetchError::Unreachable),
            Some(Down::Status(status, retry_after)) => {
                let mut response = http::Response::new(Bytes::from_static(b"<html>Sorry"));
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                if let Some(seconds) = retry_after {
                    response.headers_mut().insert("retry-after", seconds.into());
                }
                return Ok(response);
            }
            None => {}
        }
        let target = head.uri.path_and_query().unwrap().as_str();
        let request = Request::new(head.method, target, head.headers, body);
        let answer = self
            .google
            .borrow_mut()
            .answer(&mut self.apis.borrow_mut(), &request);
        let answer = answer.unwrap_or_else(|| panic!("Google has no {target}"));
        let mut response = http::Response::new(answer.body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

impl World {
    /// Everything is configured; Ada and Bob have Google accounts.
    pub fn new() -> World {
        let store = Recording::default();
        let clock = store.memory.clock().clone();
        let mut google = OAuth::default();
        google.set_clock(move || clock.now() / 1000);
        google.add_client(Client {
            id: WEB.into(),
            secret: CLIENT_SECRET.into(),
            redirect_uris: vec![REDIRECT.into()],
        });
        google.add_person(ada());
        google.add_person(bob());
        google.visitor(&ada().email, Consent::All);
        let variables = [
            ("google_client_id", WEB),
            ("google_client_secret", CLIENT_SECRET),
            ("google_sign_in_client_ids", IOS),
            ("google_redirect_uri", REDIRECT),
            ("google_return_urls", APP),
            ("google_accounts_url", "https://accounts.google.com"),
            ("google_oauth_url", "https://oauth2.googleapis.com"),
            ("google_certs_url", "https://www.googleapis.com/oauth2/v3/certs"),
            ("jwt_secret", JWT_SECRET),
        ];
        let mut variables: BTreeMap<_, _> = variables.map(|(name, value)| (name, value.to_owned())).into();
        variables.insert("token_keys", key("2026", 1));
        World {
            store,
            google: Rc::new(RefCell::new(google)),
            apis: Rc::default(),
            variables: Rc::new(RefCell::new(variables)),
            down: Rc::default(),
            fetched: Rc::default(),
            said: Rc::default(),
            counter: Rc::default(),
        }
    }

    pub fn set(&self, variable: &'static str, value: &str) {
        self.variables.borrow_mut().insert(variable, value.to_owned());
    }

    pub fn wait(&self, milliseconds: u64) {
        self.store.memory.clock().advance(milliseconds);
    }

    /// How often Google was asked for a path.
    pub fn asked(&self, path: &str) -> usize {
        self.fetched
            .borrow()
            .iter()
            .filter(|asked| *asked == path)
            .count()
    }

    pub async fn send(&self, method: &str, target: &str, user: &str, body: &str) -> Answer {
        let mut request = http::Request::builder().method(method).uri(target);
        if !user.is_empty() {
            request = request.header("anyturn-user", user);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let (head, body) = handle(self, request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let answer = Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        };
        self.said
            .borrow_mut()
            .push(format!("{target} {:?} {}", answer.headers, answer.text));
        contract::check(method, target, &answer);
        answer
    }

    pub fn ask(&self, method: &str, target: &str, user: &str, body: Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        block_on(self.send(method, target, user, &body))
    }

    pub fn sign_in(&self, token: &str, email: &str) -> Answer {
        self.ask(
            "POST",
            "/auth/google",
            "",
            json!({"google_token": token, "user_email": email}),
        )
    }

    /// Asks for an access token as a tool does.
    pub fn token(&self, user: &str) -> Answer {
        self.ask("POST", "/token", user, Value::Null)
    }

    /// Begins a flow, and returns the address of Google's page.
    pub fn begin(&self, user: &str, body: Value) -> String {
        let answer = self.ask("POST", "/auth/google/authorize", user, body);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["authorization_url"].as_str().unwrap().to_owned()
    }

    /// Opens Google's page as a browser does, and returns where Google sends it: the part after the redirect address.
    pub fn consent(&self, url: &str) -> String {
        let target = url.strip_prefix("https://accounts.google.com").unwrap();
        let request = Request::new(http::Method::GET, target, HeaderMap::new(), Bytes::new());
        let answer = self
            .google
            .borrow_mut()
            .answer(&mut self.apis.borrow_mut(), &request)
            .unwrap();
        assert_eq!(answer.status, 302, "{answer:?}");
        let location = answer.headers["location"].to_str().unwrap();
        location.strip_prefix(REDIRECT).unwrap().to_owned()
    }

    /// Comes back from Google, or follows a link of our page.
    pub fn callback(&self, query: &str) -> Answer {
        let query = query.strip_prefix(REDIRECT).unwrap_or(query);
        self.ask("GET", &format!("/auth/google/callback{query}"), "", Value::Null)
    }

    /// The user id of somebody who signs in with Google.
    pub fn user(&self, person: &Person) -> String {
        format!("google-{}", person.sub)
    }

    /// Connects Ada's account to the user who she signs in as.
    pub fn connect_ada(&self) -> String {
        self.google.borrow_mut().visitor(&ada().email, Consent::All);
        let user = self.user(&ada());
        let page = self.callback(&self.consent(&self.begin(&user, Value::Null)));
        assert!(page.text.contains("<h1>Connected</h1>"), "{page:?}");
        user
    }

    pub fn account(&self, user: &str) -> Value {
        let answer = self.ask("GET", "/auth/google/account", user, Value::Null);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }
}
