//! The routes of the app's dialect.

use serde_json::{Map, Value, json};

use super::{Maker, body, idempotency_key, names, ok, ongoing, path_parameter, put};
use crate::app::turns::Body;
use crate::openapi::{Schemas, shapes};

/// Adds them.
pub(super) fn add(make: &Maker, schemas: &mut Schemas, paths: &mut Map<String, Value>) {
    let mut add = |path: &str, operations: Value| paths.insert(path.to_owned(), operations);
    let session = || path_parameter("session", "The session's id.");
    let events = |schemas: &mut Schemas| {
        let data = json!({"type": "object", "properties": {
            "progress": schemas.written::<shapes::AgentProgress>(),
            "response": schemas.written::<shapes::AppAnswer>(),
            "error": schemas.written::<shapes::AppFailure>(),
        }});
        json!({"schema": {"type": "string", "contentSchema": data, "description": "Each event's data, by the event's name."}})
    };

    let answer = json!({
        "description": "The assistant's answer; it may ask for a confirmation.",
        "headers": names(),
        "content": {"application/json": {"schema": schemas.written::<shapes::AppAnswer>()}, "text/event-stream": events(schemas)},
    });
    let mut process = make.app(
        "processMessage",
        "Say something",
        vec![idempotency_key(), ongoing::last_event_id()],
        ("200", answer),
        &[400, 404, 409, 413, 415, 422, 429, 502, 503, 504],
    );
    put(&mut process, "requestBody", body(schemas.read::<Body>()));
    put(&mut process, "description", PROCESS.into());
    add("/api/chat/process", json!({"post": process}));

    let stream = json!({"description": "What comes after that event.", "content": {"text/event-stream": events(schemas)}});
    let mut listen = make.app(
        "hearSession",
        "Hear how far a turn is",
        vec![session(), ongoing::last_event_id()],
        ("200", stream),
        &[400, 404, 429, 503],
    );
    put(&mut listen, "description", LISTEN.into());
    if let Some(answers) = listen.get_mut("responses") {
        put(
            answers,
            "204",
            json!({"description": "There is nothing to hear."}),
        );
    }
    add("/api/chat/session/{session}/events", json!({"get": listen}));

    let mut forget = |id: &str| {
        let done = ok("It is forgotten.", schemas.written::<shapes::AppDone>());
        make.app(id, "Forget a session", vec![session()], done, &[404, 429, 503])
    };
    let (forget_chat, forget) = (forget("forgetChatSession"), forget("forgetAppSession"));
    let read = make.app(
        "readChatSession",
        "Read a session with what was said",
        vec![session()],
        ok("The session.", schemas.written::<shapes::AppSession>()),
        &[404, 429, 503],
    );
    add(
        "/api/chat/session/{session}",
        json!({"get": read, "delete": forget_chat}),
    );
    let read = make.app(
        "readAppSession",
        "Read a session in short",
        vec![session()],
        ok("The session.", schemas.written::<shapes::AppSessionSummary>()),
        &[404, 429, 503],
    );
    add("/api/session/{session}", json!({"get": read, "delete": forget}));
    let caller = make.app(
        "readCaller",
        "Whom the credentials stand for",
        vec![],
        ok("The user.", schemas.written::<shapes::AppCaller>()),
        &[],
    );
    add("/api/chat/caller", json!({"get": caller}));
}

const PROCESS: &str = "The app's own dialect, for the assistant that the variable `app_assistant` names. Without \
    `session_id` the message begins a session, whose id the answer tells. Where something risky is to be done, the \
    answer asks for it (`requires_confirmation`), and a next message that says no more than yes or no decides it; any \
    other is a message of its own, and what was asked stays open until it expires. With `Accept: text/event-stream` \
    the answer comes as events: `progress`, any number of them, and then `response` or `error`. A client that goes away \
    does not stop the turn.";

const LISTEN: &str = "Events of the turn that `Last-Event-ID` belongs to, after that event; without one, of the turn that \
    runs in the session now. Any instance can tell them. `Accept` is ignored.";
