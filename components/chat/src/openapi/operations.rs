//! Every route with what it takes and what it answers.

mod app;
mod ongoing;

use serde_json::{Map, Value, json};

use super::{Schemas, shapes};
use crate::app::Refusal;
use crate::health::Health;
use crate::http::problem::Details;
use crate::native::assistants::AssistantList;
use crate::native::request::TurnBody;
use crate::openai::answer::ChatCompletion;
use crate::openai::error::ErrorBody;
use crate::openai::models::{ModelList, ModelObject};
use crate::openai::request::ChatCompletionRequest;
use crate::openai::stream::ChatCompletionChunk;

/// All paths.
pub(super) fn all(schemas: &mut Schemas) -> Map<String, Value> {
    let mut paths = Map::new();
    let make = Maker {
        problem: schemas.written::<Details<'static>>(),
    };
    ongoing::add(&make, schemas, &mut paths);
    app::add(&make, schemas, &mut paths);
    let mut add = |path: &str, operations: Value| paths.insert(path.to_owned(), operations);

    add(
        "/v1/assistants",
        json!({"get": make.native("listAssistants", "Assistants", "List the assistants", vec![],
            ok("The assistants.", schemas.written::<AssistantList>()), &[401, 429])}),
    );
    let turn = |make: &Maker, id: &str, summary: &str, place: Value, schemas: &mut Schemas| {
        let mut operation = make.native(
            id,
            "Turns",
            summary,
            vec![place, idempotency_key(), ongoing::last_event_id()],
            turn_answer(schemas),
            &[400, 401, 404, 409, 413, 415, 422, 429, 500, 503],
        );
        put(&mut operation, "requestBody", body(schemas.read::<TurnBody>()));
        put(&mut operation, "description", TURN.into());
        failed_turns(make, &mut operation, schemas);
        json!({"post": operation})
    };
    let assistant = path_parameter("assistant", "The assistant's name.");
    let session = path_parameter("session", "The session's id.");
    add(
        "/v1/assistants/{assistant}/turns",
        turn(
            &make,
            "beginSession",
            "Say something to an assistant in a new session",
            assistant,
            schemas,
        ),
    );
    add(
        "/v1/sessions/{session}/turns",
        turn(
            &make,
            "continueSession",
            "Say something in a session",
            session.clone(),
            schemas,
        ),
    );
    add(
        "/v1/sessions",
        json!({"get": make.native("listSessions", "Sessions", "List the sessions, the one used last first",
            vec![query("limit", "At most so many; 20 without it, at most 100."),
                query("offset", "Where to begin; `next_offset` of the page before.")],
            ok("A page of sessions.", schemas.written::<shapes::SessionList>()), &[401, 422, 429, 503])}),
    );
    add(
        "/v1/sessions/{session}",
        json!({
            "get": make.native("getSession", "Sessions", "Read a session, the latest turns first to last",
                vec![session.clone(), query("limit", "At most so many turns; 50 without it, at most 100."),
                    query("before", "Only turns before this place; `before` of the page after.")],
                ok("The session.", schemas.written::<shapes::Session>()), &[401, 404, 422, 429, 503]),
            "delete": make.native("deleteSession", "Sessions", "Forget a session", vec![session],
                ("204", json!({"description": "It is forgotten."})), &[401, 404, 429, 503]),
        }),
    );
    openai(&make, schemas, &mut add);
    add(
        "/health",
        json!({"get": public(json!({
            "operationId": "health", "tags": ["Operations"], "summary": "Whether turns can be taken",
            "responses": {
                "200": ok("They can.", schemas.written::<Health>()).1,
                "503": ok("They cannot.", schemas.written::<Health>()).1,
            },
        }))}),
    );
    add(
        "/openapi.json",
        json!({"get": public(json!({
            "operationId": "description", "tags": ["Operations"], "summary": "This description",
            "responses": {"200": ok("An OpenAPI 3.1 description.", json!({"type": "object"})).1},
        }))}),
    );
    add(
        "/docs",
        json!({"get": public(json!({
            "operationId": "docs", "tags": ["Operations"], "summary": "This description as a page",
            "responses": {"200": {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}},
        }))}),
    );
    paths
}

const TURN: &str = "With `Accept: text/event-stream` the turn is told as it happens: `turn.started`, `text.delta`, \
    `tool.started`, `tool.finished`, `gate.opened`, and at the end `turn.finished`, `turn.failed`, `turn.stopped` or \
    `turn.waiting` with the whole turn. Each event has an id, `<turn>.<epoch>.<n>`, from which any instance goes on \
    telling (`Last-Event-ID`, with the same idempotency key or at the turn's `events`); comments keep the connection \
    alive. When another instance has taken the turn over, `turn.resumed` holds the text that takes the place of all \
    text before it. What goes wrong before the turn has begun is an ordinary answer; a stream that cannot go on ends \
    with an event `error`, whose data are problem details. A client that goes away does not stop the turn. A turn whose \
    tool calls need a decision ends for now in the state `waiting`, which is no error (200); its `gates` tell what is to \
    be decided, and a message that says no more than yes or no decides those that ask for the user's confirmation. A \
    message that says no more than `undo` undoes what was done last.";

fn openai(make: &Maker, schemas: &mut Schemas, add: &mut impl FnMut(&str, Value) -> Option<Value>) {
    let chunk = schemas.written::<ChatCompletionChunk<'static>>();
    let completion = schemas.written::<ChatCompletion<'static>>();
    let mut complete = make.openai(
        "createChatCompletion",
        "Say something to an assistant, as OpenAI's clients do",
        vec![
            json!({"name": "anyturn-session", "in": "header", "schema": {"type": "string", "maxLength": 255},
                "description": "Names the conversation, as `metadata.session_id` does."}),
            idempotency_key(),
        ],
        (
            "200",
            json!({
                "description": "The answer; with `stream` as chunks, and `[DONE]` at the end.",
                "headers": names(),
                "content": {
                    "application/json": {"schema": completion},
                    "text/event-stream": {"schema": {"type": "string", "contentSchema": chunk,
                        "description": "Each event's data is a chunk, an error or `[DONE]`."}},
                },
            }),
        ),
        &[400, 401, 404, 409, 413, 415, 429, 500, 502, 503, 504],
    );
    put(
        &mut complete,
        "requestBody",
        body(schemas.read::<ChatCompletionRequest>()),
    );
    put(&mut complete, "description", OPENAI.into());
    add("/v1/chat/completions", json!({"post": complete}));
    add(
        "/v1/models",
        json!({"get": make.openai("listModels", "List the assistants as models", vec![],
            ok("The models.", schemas.written::<ModelList>()), &[401])}),
    );
    add(
        "/v1/models/{model}",
        json!({"get": make.openai("getModel", "An assistant as a model",
            vec![path_parameter("model", "The assistant's name.")],
            ok("The model.", schemas.written::<ModelObject>()), &[401, 404])}),
    );
}

const OPENAI: &str = "`model` is an assistant's name. Tools are the assistant's own and stay hidden. A request that names \
    a conversation by `metadata.session_id` or the header `anyturn-session` adds its last message to it; without one, its \
    messages are the whole conversation. Refused with 400 are `n` over 1, `tools`, `functions`, choices of tools other \
    than `auto` and `none`, formats and modalities other than text, `audio`, `logprobs`, `web_search_options` and messages \
    of tools; ignored is what does not change the meaning of the answer: `user`, `store`, penalties, `logit_bias`, \
    `service_tier`, `parallel_tool_calls`, `reasoning_effort`, `verbosity`, cache and safety keys, and unknown parameters. \
    A streamed answer begins with the first text, so that a model that fails before is an ordinary error. Where a tool call \
    needs a confirmation, the answer says what is to be confirmed, and the next message decides it by yes or no; that takes \
    a conversation that the server keeps.";

/// Makes operations.
struct Maker {
    problem: Value,
}

impl Maker {
    fn native(
        &self,
        id: &str,
        tag: &str,
        summary: &str,
        parameters: Vec<Value>,
        success: (&str, Value),
        failures: &[u16],
    ) -> Value {
        let mut answers = Map::from_iter([(success.0.to_owned(), success.1)]);
        // A page of an origin that is not listed is refused whatever it asks for.
        for status in failures.iter().chain(&[403, 500]) {
            answers.insert(status.to_string(), shared("Problem", *status));
        }
        json!({"operationId": id, "tags": [tag], "summary": summary, "parameters": parameters, "responses": answers})
    }

    fn openai(
        &self,
        id: &str,
        summary: &str,
        parameters: Vec<Value>,
        success: (&str, Value),
        failures: &[u16],
    ) -> Value {
        let mut answers = Map::from_iter([(success.0.to_owned(), success.1)]);
        for status in failures.iter().chain(&[403, 500]) {
            answers.insert(status.to_string(), shared("Error", *status));
        }
        json!({"operationId": id, "tags": ["OpenAI"], "summary": summary, "parameters": parameters, "responses": answers})
    }

    fn app(
        &self,
        id: &str,
        summary: &str,
        parameters: Vec<Value>,
        success: (&str, Value),
        failures: &[u16],
    ) -> Value {
        let mut answers = Map::from_iter([(success.0.to_owned(), success.1)]);
        for status in failures.iter().chain(&[401, 403, 500]) {
            answers.insert(status.to_string(), shared("AppError", *status));
        }
        json!({"operationId": id, "tags": ["App"], "summary": summary, "parameters": parameters, "responses": answers})
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        400 => "Not JSON, or not valid.",
        401 => "Who is calling is not known.",
        403 => "The page that asks is of an origin that is not let in, or it is somebody else's to decide.",
        404 => "There is no such thing for this user.",
        409 => {
            "It does not fit how things are by now: another turn is running, the turn has ended, the gate is decided, …"
        }
        413 => "The body is over 1 MiB.",
        415 => "The body's type is not JSON.",
        422 => "Not valid; a pointer tells where.",
        429 => "Too many requests.",
        500 => "An assistant's file or a variable is wrong.",
        502 => "The model or a tool server failed.",
        503 => "The store cannot be reached; turns that were stored are safe.",
        504 => "The model did not answer in time.",
        _ => "An error.",
    }
}

/// The answers that many operations have: problems, and errors in OpenAI's and in the app's shape.
pub(super) fn answers(schemas: &mut Schemas) -> Map<String, Value> {
    let (problem, error, refusal) = (
        schemas.written::<Details<'static>>(),
        schemas.written::<ErrorBody>(),
        schemas.written::<Refusal<'static>>(),
    );
    let mut answers = Map::new();
    for status in [400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 502, 503, 504] {
        for (shape, media_type, schema) in [
            ("Problem", "application/problem+json", &problem),
            ("Error", "application/json", &error),
            ("AppError", "application/json", &refusal),
        ] {
            let content = json!({media_type: {"schema": schema}});
            answers.insert(
                format!("{shape}{status}"),
                json!({"description": reason(status), "content": content}),
            );
        }
    }
    answers
}

/// A reference to one of [`answers`].
pub(super) fn shared(shape: &str, status: u16) -> Value {
    json!({"$ref": format!("#/components/responses/{shape}{status}")})
}

fn ok(description: &str, schema: Value) -> (&'static str, Value) {
    (
        "200",
        json!({"description": description, "content": {"application/json": {"schema": schema}}}),
    )
}

/// The answers of an operation whose turn failed: the turn itself, with a status that says why.
fn failed_turns(make: &Maker, operation: &mut Value, schemas: &mut Schemas) {
    for (status, reason) in [
        (
            "409",
            "It does not fit how things are by now, or the turn failed because nobody decided in time.",
        ),
        (
            "422",
            "Invalid, or the turn failed because the model refuses the conversation.",
        ),
        (
            "429",
            "Too many requests, or the turn failed because the model is over its limit.",
        ),
        (
            "500",
            "An assistant's file or a variable is wrong, or the turn was given up: its instances died again and again.",
        ),
        ("502", "The turn failed because the model or a tool server did."),
        ("504", "The turn failed because the model did not answer in time."),
    ] {
        let failed = schemas.written::<shapes::Turn>();
        let content = json!({"application/json": {"schema": failed}, "application/problem+json": {"schema": make.problem}});
        put_answer(
            operation,
            status,
            json!({"description": reason, "content": content}),
        );
    }
}

fn turn_answer(schemas: &mut Schemas) -> (&'static str, Value) {
    let content = json!({
        "application/json": {"schema": schemas.written::<shapes::Turn>()},
        "text/event-stream": {"schema": {"type": "string", "contentSchema": events(schemas),
            "description": "Each event's data, by the event's name."}},
    });
    (
        "200",
        json!({"description": "The turn is finished, was stopped, or waits for decisions.", "headers": names(), "content": content}),
    )
}

/// The data of each event.
fn events(schemas: &mut Schemas) -> Value {
    json!({"type": "object", "properties": {
        "turn.started": schemas.written::<shapes::TurnStarted>(),
        "text.delta": schemas.written::<shapes::TextDelta>(),
        "tool.started": schemas.written::<shapes::ToolStarted>(),
        "tool.finished": schemas.written::<shapes::ToolCall>(),
        "agent.progress": schemas.written::<shapes::AgentProgress>(),
        "turn.resumed": schemas.written::<shapes::TurnResumed>(),
        "gate.opened": schemas.written::<shapes::Gate>(),
        "gate.decided": schemas.written::<shapes::Gate>(),
        "undo.finished": schemas.written::<shapes::UndoReport>(),
        "turn.finished": schemas.written::<shapes::Turn>(),
        "turn.failed": schemas.written::<shapes::Turn>(),
        "turn.stopped": schemas.written::<shapes::Turn>(),
        "turn.waiting": schemas.written::<shapes::Turn>(),
        "error": schemas.written::<Details<'static>>(),
    }})
}

fn names() -> Value {
    let text = |description: &str| json!({"description": description, "schema": {"type": "string"}});
    json!({"anyturn-session": text("The session's id."), "anyturn-turn": text("The turn's id.")})
}

fn body(schema: Value) -> Value {
    json!({"required": true, "content": {"application/json": {"schema": schema}}})
}

fn idempotency_key() -> Value {
    json!({"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": "The same key again attaches to the running turn or returns the finished one."})
}

fn path_parameter(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "description": description, "schema": {"type": "string"}})
}

fn query(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": {"type": "integer", "minimum": 0}})
}

fn public(mut operation: Value) -> Value {
    put(&mut operation, "security", json!([]));
    operation
}

fn put(operation: &mut Value, name: &str, value: Value) {
    if let Some(members) = operation.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn put_answer(operation: &mut Value, status: &str, answer: Value) {
    if let Some(answers) = operation.get_mut("responses") {
        put(answers, status, answer);
    }
}
