//! What can be done with a turn that was begun: look, listen, stop, decide, undo, branch off.

use serde_json::{Map, Value, json};

use super::{
    Maker, body, events, failed_turns, idempotency_key, names, ok, path_parameter, put, put_answer, query,
    shapes, shared, turn_answer,
};
use crate::native::fork::ForkBody;
use crate::native::gates::DecisionBody;
use crate::native::listen::Stop;
use crate::native::undo::UndoBody;
use crate::openapi::Schemas;
use crate::tick::Tick;

/// Adds its paths.
pub(super) fn add(make: &Maker, schemas: &mut Schemas, paths: &mut Map<String, Value>) {
    let mut add = |path: &str, operations: Value| paths.insert(path.to_owned(), operations);
    let session = || path_parameter("session", "The session's id.");
    let turn = || path_parameter("turn", "The turn's id.");
    let before = "Only what lies before this place; `before` of the page after.";

    let report = json!({
        "description": "How far the turn is, or how it ended.",
        "headers": names(),
        "content": {"application/json": {"schema": schemas.written::<shapes::Turn>()}},
    });
    add(
        "/v1/sessions/{session}/turns/{turn}",
        json!({"get": make.native("getTurn", "Turns", "How far a turn is",
            vec![session(), turn()], ("200", report), &[401, 404, 409, 429, 503])}),
    );

    let mut listen = make.native(
        "listenToTurn",
        "Turns",
        "What happens in a turn, from its beginning or after an event",
        vec![
            session(),
            turn(),
            last_event_id(),
            json!({"name": "after", "in": "query", "schema": {"type": "string"},
                "description": "The same as the header `Last-Event-ID`, for clients that cannot set headers."}),
        ],
        (
            "200",
            json!({"description": "The events.", "headers": names(),
                "content": {"text/event-stream": {"schema": {"type": "string", "contentSchema": events(schemas),
                    "description": "Each event's data, by the event's name."}}}}),
        ),
        &[400, 401, 404, 409, 422, 429, 503],
    );
    put(&mut listen, "description", LISTEN.into());
    put_answer(
        &mut listen,
        "204",
        json!({"description": "The turn has ended, or waits for decisions, and there is nothing after that event."}),
    );
    add(
        "/v1/sessions/{session}/turns/{turn}/events",
        json!({"get": listen}),
    );

    let stopped = schemas.written::<Stop>();
    let mut stop = make.native(
        "stopTurn",
        "Turns",
        "Stop a turn, wherever it runs",
        vec![session(), turn()],
        ok("It was stopped before.", stopped.clone()),
        &[401, 404, 409, 429, 503],
    );
    put(&mut stop, "description", STOP.into());
    put_answer(
        &mut stop,
        "202",
        ok("It was told to stop; its last event is `turn.stopped`.", stopped).1,
    );
    add("/v1/sessions/{session}/turns/{turn}/stop", json!({"post": stop}));

    let decide = |id: &str, summary: &str, place: Vec<Value>, schemas: &mut Schemas| {
        let mut operation = make.native(
            id,
            "Decisions",
            summary,
            place,
            ok("It is decided.", schemas.written::<shapes::DecisionTaken>()),
            &[400, 401, 403, 404, 409, 413, 415, 422, 429, 503],
        );
        put(
            &mut operation,
            "requestBody",
            body(schemas.read::<DecisionBody>()),
        );
        put(&mut operation, "description", DECIDE.into());
        json!({"post": operation})
    };
    add(
        "/v1/sessions/{session}/gates/{gate}",
        decide(
            "decideGate",
            "Decide whether a call of one's own session may run",
            vec![session(), path_parameter("gate", "The gate's id.")],
            schemas,
        ),
    );
    add(
        "/v1/approvals",
        json!({"get": make.native("listApprovals", "Decisions", "List the calls that wait for one of the caller's roles",
            vec![query("limit", "At most so many; 20 without it, at most 100."),
                query("offset", "Where to begin; `next_offset` of the page before.")],
            ok("A page, what expires first before others.", schemas.written::<shapes::ApprovalList>()),
            &[401, 422, 429, 503])}),
    );
    add(
        "/v1/approvals/{approval}",
        decide(
            "decideApproval",
            "Decide whether a call of somebody else's session may run",
            vec![path_parameter("approval", "An `id` of the list of approvals.")],
            schemas,
        ),
    );
    add(
        "/v1/sessions/{session}/audit",
        json!({"get": make.native("getAudit", "Decisions", "Who decided and undid what, the latest first",
            vec![session(), query("limit", "At most so many entries; 50 without it, at most 100."), query("before", before)],
            ok("A page. Empty for a session in which nothing was decided, and for one that never was: the audit outlives \
                the session.", schemas.written::<shapes::Audit>()),
            &[401, 422, 429, 503])}),
    );

    let mut undo = make.native(
        "undo",
        "Decisions",
        "Undo what a tool did",
        vec![session()],
        turn_answer(schemas),
        &[400, 401, 404, 409, 413, 415, 422, 429, 502, 503],
    );
    put(
        &mut undo,
        "requestBody",
        json!({"required": false, "content": {"application/json": {"schema": schemas.read::<UndoBody>()}}}),
    );
    put(&mut undo, "description", UNDO.into());
    failed_turns(make, &mut undo, schemas);
    add("/v1/sessions/{session}/undo", json!({"post": undo}));

    let mut fork = make.native(
        "forkSession",
        "Sessions",
        "Begin a session with the past of this one, up to or before a turn",
        vec![session(), idempotency_key()],
        turn_answer(schemas),
        &[400, 401, 404, 409, 413, 415, 422, 429, 502, 503, 504],
    );
    put(&mut fork, "requestBody", body(schemas.read::<ForkBody>()));
    put(&mut fork, "description", FORK.into());
    failed_turns(make, &mut fork, schemas);
    let created = json!({
        "description": "The new session, where no message was sent.",
        "headers": {"location": {"description": "Its address.", "schema": {"type": "string"}}},
        "content": {"application/json": {"schema": schemas.written::<shapes::ForkedSession>()}},
    });
    put_answer(&mut fork, "201", created);
    add("/v1/sessions/{session}/fork", json!({"post": fork}));

    let answers = json!({
        "200": ok("What was met.", schemas.written::<Tick>()).1,
        "401": shared("Problem", 401),
        "404": shared("Problem", 404),
        "500": shared("Problem", 500),
        "503": shared("Problem", 503),
    });
    add(
        "/internal/tick",
        json!({"post": {"operationId": "tick", "tags": ["Operations"], "security": [{"internal": []}],
            "summary": "Go on with turns whose instance died", "description": TICK, "responses": answers}}),
    );
}

/// The header by which a listener says what it has heard.
pub(super) fn last_event_id() -> Value {
    json!({"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"},
        "description": "The event that was heard last; what comes after it is told, without a gap or a repeat."})
}

const LISTEN: &str = "A turn can be listened to by any number of clients, on any instance, while it runs and afterwards; \
    what happened is kept for ten minutes, and later retold in short. A turn whose instance died is gone on with by \
    whoever listens. `Accept` is ignored. The stream ends with the turn, or when the turn waits for decisions; a \
    client that comes back then is answered 204, which also stops a browser's `EventSource`.";

const STOP: &str = "The model's answer is broken off and no further tool is called; what ran stays recorded, and can be \
    undone. A turn that has finished, failed or waits for decisions is not changed: 409.";

const DECIDE: &str = "A call runs once, with exactly the arguments that were shown (or with those of the decision) and no \
    others. When the last open gate of the turn is decided, the turn goes on, and the answer comes when it has ended \
    or waits again; its events can be listened to meanwhile. The same decision again is answered as the first time; \
    a different one is 409. What asks for a role (`approve`) is decided below `/v1/approvals`, by somebody else than \
    the session's user: 403.";

const UNDO: &str = "Undoing is a turn of its own: it calls what the tool has named as the inverse of what it did, for five \
    minutes after it, and reports each thing that was to be undone. The same call again gives the same turn, unless \
    something was not undone: that is tried again. With `Accept: text/event-stream` it is told as it happens. What is \
    risky waits for a decision, as any call.";

const FORK: &str = "The new session begins with what was said up to the turn, or before it. With `message` it goes on with \
    that, and the answer is the new session's first turn, as JSON or as a stream of events: with `before`, that is \
    editing what was said. Without, it is 201 and the new session. Nothing changes in the session itself; gates, \
    permissions and what can be undone stay there.";

const TICK: &str = "For whoever runs the server: our host calls it every second. The token is the variable \
    `internal_secret`; without one there is no such path.";
