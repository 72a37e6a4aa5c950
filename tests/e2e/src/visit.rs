//! One user's stay at a deployment, for one promise: what they ask for, and the tidying up.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyturn_tests::sse::{Event, Stream};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use crate::site::{Credentials, Site};

/// A stay.
#[derive(Debug)]
pub struct Visit {
    /// Where.
    pub site: Site,
    mark: String,
    sessions: Mutex<BTreeSet<String>>,
}

/// A request to be sent.
#[derive(Debug)]
#[must_use = "nothing is asked until it is sent"]
pub struct Request<'a> {
    visit: &'a Visit,
    method: Method,
    path: String,
    builder: reqwest::RequestBuilder,
    credentials: Credentials,
}

/// An answer that has arrived whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub text: String,
}

impl Visit {
    /// Begins a stay.
    pub fn at(site: Site) -> Self {
        Self {
            site,
            mark: mark(),
            sessions: Mutex::default(),
        }
    }

    /// A name of a thing that nobody else has, such as `milk bxqzrk`.
    pub fn own(&self, thing: &str) -> String {
        format!("{thing} {}", self.mark)
    }

    /// A word that nothing else contains.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Begins a GET request.
    pub fn get(&self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    /// Begins a POST request with a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> Request<'_> {
        self.request("POST", path).json(body)
    }

    /// Begins a request with any method.
    pub fn request(&self, method: &str, path: &str) -> Request<'_> {
        let method: Method = method.parse().unwrap_or_else(|_| panic!("{method} is a method"));
        Request {
            visit: self,
            builder: self.site.client.request(method.clone(), self.site.url(path)),
            method,
            path: path.to_owned(),
            credentials: self.site.me.clone(),
        }
    }

    /// Says something in a new session of an assistant; the turn has to be finished.
    pub async fn begin(&self, assistant: &str, message: &str) -> (String, Value) {
        let path = format!("/v1/assistants/{assistant}/turns");
        let turn = self.post(&path, &json!({ "message": message })).ok().await;
        assert_eq!(turn["state"], "finished", "{turn}");
        (text(&turn["session"]), turn)
    }

    /// Says something in a session; the turn has to be finished.
    pub async fn say(&self, session: &str, message: &str) -> Value {
        let turn = self.turn(session, message).await;
        assert_eq!(turn["state"], "finished", "{turn}");
        turn
    }

    /// Says something in a session, whatever becomes of the turn.
    pub async fn turn(&self, session: &str, message: &str) -> Value {
        let path = format!("/v1/sessions/{session}/turns");
        self.post(&path, &json!({ "message": message })).ok().await
    }

    /// A task of this title, made through REST; its id.
    pub async fn task(&self, title: &str) -> String {
        let (status, task) = self.post("/api/tasks", &json!({ "title": title })).answer().await;
        assert_eq!(status, StatusCode::CREATED, "{task}");
        text(&task["id"])
    }

    /// The tasks of this stay, as `GET /api/tasks` tells them.
    pub async fn tasks(&self, query: &str) -> Vec<Value> {
        let list = self.get(&format!("/api/tasks?q={}{query}", self.mark)).ok().await;
        list["tasks"].as_array().cloned().unwrap_or_default()
    }

    fn saw(&self, session: &Value) {
        if let Some(session) = session.as_str() {
            self.made(session);
        }
    }

    /// Has a session deleted at the end; those that are seen in answers are.
    pub fn made(&self, session: &str) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(session.to_owned());
    }

    /// Deletes what was made: sessions, and tasks that carry the mark.
    ///
    /// # Panics
    /// When something stays.
    pub async fn tidy(&self) {
        let sessions = std::mem::take(&mut *self.sessions.lock().unwrap_or_else(PoisonError::into_inner));
        for session in sessions {
            let answer = self
                .request("DELETE", &format!("/v1/sessions/{session}"))
                .send()
                .await;
            // Another user's, or deleted before.
            let gone = [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND].contains(&answer.status);
            assert!(gone, "{session} can be deleted: {}", answer.text);
        }
        for task in self.tasks("").await {
            let path = format!("/api/tasks/{}", text(&task["id"]));
            let answer = self.request("DELETE", &path).send().await;
            assert!(
                answer.status.is_success(),
                "{task} can be deleted: {}",
                answer.text
            );
        }
    }
}

impl<'a> Request<'a> {
    /// With a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// With a JSON body.
    pub fn json(mut self, body: &Value) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    /// With a body of a media type.
    pub fn body(self, media_type: &str, body: impl Into<reqwest::Body>) -> Self {
        let mut request = self.header("content-type", media_type);
        request.builder = request.builder.body(body);
        request
    }

    /// By somebody else.
    pub fn by(mut self, credentials: &Credentials) -> Self {
        self.credentials = credentials.clone();
        self
    }

    /// Sends it and waits for the whole answer, which has to be as the description says.
    pub async fn send(self) -> Answer {
        let (visit, method, path) = (self.visit, self.method.clone(), self.path.clone());
        let response = self.response().await;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response
            .text()
            .await
            .unwrap_or_else(|error| panic!("{method} {path} is answered to the end: {error}"));
        let answer = Answer {
            status,
            headers,
            text,
        };
        visit
            .site
            .description
            .hold(&method, &path, status, answer.media_type(), &answer.text);
        if let Ok(body) = serde_json::from_str::<Value>(&answer.text) {
            visit.saw(&body["session"]);
        }
        if let Some(session) = answer.headers.get("anyturn-session") {
            visit.made(session.to_str().unwrap_or_default());
        }
        answer
    }

    /// Sends it, and returns the status and the body, which must be JSON.
    pub async fn answer(self) -> (StatusCode, Value) {
        let answer = self.send().await;
        (answer.status, answer.json())
    }

    /// Sends it where it has to succeed, and returns the JSON.
    pub async fn ok(self) -> Value {
        let what = format!("{} {}", self.method, self.path);
        let answer = self.send().await;
        assert!(
            answer.status.is_success(),
            "{what} answered {}: {}",
            answer.status,
            answer.text
        );
        answer.json()
    }

    /// Sends it where a problem document (RFC 9457) of this kind is due, and returns that.
    pub async fn problem(self, status: u16, kind: &str) -> Value {
        let what = format!("{} {}", self.method, self.path);
        let answer = self.send().await;
        assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text);
        assert_eq!(answer.media_type(), "application/problem+json", "{what}");
        let problem = answer.json();
        let expected = format!("https://anyturn.dev/problems/{kind}");
        assert_eq!(problem["type"], expected.as_str(), "{what}: {problem}");
        assert_eq!(problem["status"], status, "{what}: {problem}");
        for member in ["title", "detail"] {
            let told = problem[member].as_str().is_some_and(|text| text.len() > 3);
            assert!(told, "{what}: {member} in {problem}");
        }
        problem
    }

    /// Sends it and reads the events until the stream ends.
    pub async fn events(self) -> Vec<Event> {
        let mut heard = Vec::new();
        let mut events = self.listen().await;
        while let Some(event) = events.next().await {
            heard.push(event);
        }
        heard
    }

    /// Sends it and begins to read its events.
    pub async fn listen(self) -> Events<'a> {
        let request = self.header("accept", "text/event-stream");
        let (visit, method, path) = (request.visit, request.method.clone(), request.path.clone());
        Events {
            visit,
            method,
            path,
            stream: Stream::new(request.response().await),
        }
    }

    /// Sends it; where there were too many requests, again when that is over.
    async fn response(self) -> reqwest::Response {
        let what = format!("{} {}", self.method, self.path);
        let builder = self.credentials.sign(self.builder);
        loop {
            // A body that is a stream cannot be sent twice.
            let Some(again) = builder.try_clone() else {
                return builder
                    .send()
                    .await
                    .unwrap_or_else(|error| panic!("{what} is answered: {error:?}"));
            };
            let response = again
                .send()
                .await
                .unwrap_or_else(|error| panic!("{what} is answered: {error:?}"));
            let wait = response
                .headers()
                .get("retry-after")
                .and_then(|wait| wait.to_str().ok()?.parse().ok());
            match wait {
                Some(seconds) if response.status() == StatusCode::TOO_MANY_REQUESTS => {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                }
                _ => return response,
            }
        }
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        if self.text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{:?} is JSON: {error}", self.text))
    }

    /// A header; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The media type without its parameters; empty when there is none.
    pub fn media_type(&self) -> &str {
        self.header("content-type").split(';').next().unwrap_or_default()
    }
}

/// The events of a turn, each held to the description.
#[derive(Debug)]
pub struct Events<'a> {
    visit: &'a Visit,
    method: Method,
    path: String,
    stream: Stream,
}

impl Events<'_> {
    /// The next event; nothing at the end.
    pub async fn next(&mut self) -> Option<Event> {
        let event = self.stream.next().await?;
        self.visit
            .site
            .description
            .hold_event(&self.method, &self.path, &event);
        if event.event == "turn.started" {
            self.visit.saw(&event.json()["session"]);
        }
        Some(event)
    }

    /// Reads on until an event of this name, which has to come.
    pub async fn until(&mut self, name: &str) -> Event {
        loop {
            let event = self
                .next()
                .await
                .unwrap_or_else(|| panic!("`{name}` comes before the stream ends"));
            if event.event == name {
                return event;
            }
        }
    }
}

/// The text of a JSON value that must be one.
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is a text"))
        .to_owned()
}

/// What the assistant said in a turn.
pub fn said(turn: &Value) -> String {
    text(&turn["message"]["content"])
}

/// Six consonants: no word of any language, and nothing that the offline model could take for a date.
fn mark() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz";
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes).unwrap_or_else(|error| panic!("chance: {error}"));
    let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
    bytes.iter().map(letter).collect()
}
