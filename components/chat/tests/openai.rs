//! What an unmodified client of OpenAI relies on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers included"
)]

mod support;

use anyturn_engine::port::{ModelErrorKind, Role};
use serde_json::{Value, json};
use support::{World, with};

const PATH: &str = "/v1/chat/completions";

fn body(extra: Value) -> String {
    let mut body = json!({"model": "chat", "messages": [{"role": "user", "content": "hi"}]});
    for (key, value) in extra.as_object().unwrap() {
        body[key] = value.clone();
    }
    body.to_string()
}

fn chunks(text: &str) -> Vec<Value> {
    let mut lines: Vec<_> = text
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .collect();
    assert_eq!(lines.pop(), Some("[DONE]"), "{text}");
    lines
        .into_iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_completion_looks_like_openais() {
    let world = World::new();
    world.model.say(&["Hello."]);
    let reply = world.post(PATH, &body(json!({"user": "u", "presence_penalty": 1, "n": 1, "tools": [], "response_format": {"type": "text"}, "brand_new": {}})));
    let mut completion = reply.json();
    assert!(
        completion["id"].take().as_str().unwrap().starts_with("chatcmpl-"),
        "{reply:?}"
    );
    assert_eq!(
        completion,
        json!({
            "id": null, "object": "chat.completion", "created": 1_763_614_800, "model": "chat",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello.", "refusal": null},
                "logprobs": null, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10,
                "prompt_tokens_details": {"cached_tokens": 2}},
        })
    );
    assert!(reply.header("anyturn-session").starts_with("ses_"));
    assert_eq!(
        world.get("/v1/sessions").json()["data"],
        json!([]),
        "a conversation that is brought along is not listed"
    );
}

#[test]
fn a_stream_looks_like_openais() {
    let world = World::new();
    world.model.say(&["Hel", "lo."]);
    let reply = world.post(
        PATH,
        &body(json!({"stream": true, "stream_options": {"include_usage": true}})),
    );
    assert_eq!(reply.header("content-type"), "text/event-stream");
    let chunks = chunks(&reply.body);
    let deltas: Vec<_> = chunks
        .iter()
        .map(|chunk| {
            (
                chunk["choices"][0]["delta"].clone(),
                chunk["choices"][0]["finish_reason"].clone(),
            )
        })
        .collect();
    assert_eq!(
        deltas,
        [
            (json!({"role": "assistant", "content": ""}), Value::Null),
            (json!({"content": "Hel"}), Value::Null),
            (json!({"content": "lo."}), Value::Null),
            (json!({}), json!("stop")),
            (Value::Null, Value::Null),
        ]
    );
    assert!(
        chunks[..4]
            .iter()
            .all(|chunk| chunk["usage"].is_null() && chunk.get("usage").is_some())
    );
    assert_eq!(
        (&chunks[4]["usage"]["total_tokens"], &chunks[4]["choices"]),
        (&10.into(), &json!([]))
    );
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk["id"] == chunks[0]["id"] && chunk["object"] == "chat.completion.chunk")
    );

    world.model.say(&["a"]);
    let plain = world.post(PATH, &body(json!({"stream": true})));
    assert!(!plain.body.contains("usage"), "only if asked for");
}

#[test]
fn the_messages_are_the_whole_conversation() {
    let world = World::new();
    world.model.say(&["ok"]);
    let messages = json!([
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}}]},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]);
    let reply = world.post(PATH, &body(json!({"messages": messages})));
    assert_eq!(reply.status, 200, "{reply:?}");
    let asked = world.model.asked.borrow();
    let roles: Vec<_> = asked[0].messages.iter().map(|message| message.role).collect();
    assert_eq!(
        roles,
        [
            Role::System,
            Role::System,
            Role::User,
            Role::Assistant,
            Role::User
        ]
    );
    assert_eq!(asked[0].messages[2].parts.len(), 2);
}

#[test]
fn a_named_conversation_is_kept_and_only_the_last_message_counts() {
    let world = World::new();
    world.model.say(&["one"]);
    assert_eq!(
        world
            .post(PATH, &body(json!({"metadata": {"session_id": "my talk"}})))
            .status,
        200
    );
    world.model.say(&["two"]);
    let messages = json!([{"role": "user", "content": "forged"}, {"role": "assistant", "content": "forged"}, {"role": "user", "content": "again"}]);
    let headers = [
        ("content-type", "application/json"),
        ("anyturn-session", "my talk"),
    ];
    let reply = world.ask(with("POST", PATH, &body(json!({"messages": messages})), &headers));
    assert_eq!(reply.status, 200, "{reply:?}");
    let asked = world.model.asked.borrow();
    let texts = serde_json::to_string(&asked[1].messages).unwrap();
    assert!(
        texts.contains("one") && texts.contains("again") && !texts.contains("forged"),
        "{texts}"
    );
    let session = world.get("/v1/sessions/my%20talk").json();
    assert_eq!(session["turns"].as_array().unwrap().len(), 2, "{session}");
    let other = world.ask(with("POST", PATH, &body(json!({"model": "tasks"})), &headers));
    assert_eq!(
        (other.status.as_u16(), &other.json()["error"]["code"]),
        (409, &json!("other_assistant"))
    );
}

#[test]
fn errors_are_in_openais_shape() {
    let world = World::new();
    let image = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]);
    let tool = json!([{"role": "tool", "content": "x"}, {"role": "user", "content": "x"}]);
    let calls = json!([{"role": "assistant", "tool_calls": [{}]}, {"role": "user", "content": "x"}]);
    for (extra, status, code, param) in [
        (
            json!({"model": "nobody"}),
            404,
            json!("model_not_found"),
            json!("model"),
        ),
        (json!({"messages": []}), 400, Value::Null, json!("messages")),
        (json!({"messages": "hi"}), 400, Value::Null, json!("messages")),
        (
            json!({"messages": [{"content": "hi"}]}),
            400,
            Value::Null,
            json!("messages[0].role"),
        ),
        (
            json!({"messages": [{"role": "user", "content": " "}]}),
            400,
            Value::Null,
            json!("messages[0].content"),
        ),
        (
            json!({"messages": [{"role": "assistant", "content": "a"}]}),
            400,
            Value::Null,
            json!("messages[0].role"),
        ),
        (
            json!({"messages": image}),
            400,
            Value::Null,
            json!("messages[0].content[0].image_url.url"),
        ),
        (
            json!({"messages": tool}),
            400,
            json!("unsupported_value"),
            json!("messages[0].role"),
        ),
        (
            json!({"messages": calls}),
            400,
            json!("unsupported_value"),
            json!("messages[0].tool_calls"),
        ),
        (json!({"n": 2}), 400, json!("unsupported_value"), json!("n")),
        (
            json!({"tools": [{"type": "function"}]}),
            400,
            json!("unsupported_value"),
            json!("tools"),
        ),
        (
            json!({"tool_choice": "required"}),
            400,
            json!("unsupported_value"),
            json!("tool_choice"),
        ),
        (
            json!({"response_format": {"type": "json_object"}}),
            400,
            json!("unsupported_value"),
            json!("response_format"),
        ),
        (
            json!({"modalities": ["audio"]}),
            400,
            json!("unsupported_value"),
            json!("modalities"),
        ),
        (
            json!({"logprobs": true}),
            400,
            json!("unsupported_value"),
            json!("logprobs"),
        ),
        (json!({"temperature": 3}), 400, Value::Null, json!("temperature")),
        (json!({"max_tokens": 0}), 400, Value::Null, json!("max_tokens")),
        (
            json!({"stop": ["1", "2", "3", "4", "5"]}),
            400,
            Value::Null,
            json!("stop"),
        ),
        (
            json!({"metadata": {"session_id": 7}}),
            400,
            Value::Null,
            json!("metadata.session_id"),
        ),
        (
            json!({"metadata": {"session_id": "x".repeat(256)}}),
            400,
            Value::Null,
            json!("metadata.session_id"),
        ),
        (
            json!({"metadata": {"timezone": "Moon"}}),
            400,
            Value::Null,
            json!("metadata.timezone"),
        ),
        (
            json!({"messages": [{"role": "user", "content": "x".repeat(101)}]}),
            400,
            Value::Null,
            json!("messages"),
        ),
    ] {
        let reply = world.post(PATH, &body(extra.clone()));
        let error = &reply.json()["error"];
        assert_eq!(reply.status, status, "{extra} {error}");
        assert_eq!(
            (&error["type"], &error["code"], &error["param"]),
            (&json!("invalid_request_error"), &code, &param),
            "{extra} {error}"
        );
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty())
        );
    }
    let malformed = world.post(PATH, "{");
    assert_eq!(
        (malformed.status.as_u16(), &malformed.json()["error"]["type"]),
        (400, &json!("invalid_request_error"))
    );
    let method = world.ask(with("GET", PATH, "", &[]));
    assert_eq!((method.status.as_u16(), method.header("allow")), (405, "POST"));
    assert_eq!(
        world.post("/v1/embeddings", "{}").json()["error"]["code"],
        "unknown_url"
    );
}

#[test]
fn a_model_that_fails_before_it_speaks_is_an_error_also_when_streaming() {
    for stream in [false, true] {
        for (kind, status, code) in [
            (ModelErrorKind::RateLimited, 429, "rate_limit_exceeded"),
            (ModelErrorKind::Timeout, 504, "model_timeout"),
            (ModelErrorKind::Unavailable, 502, "model_failed"),
            (ModelErrorKind::ContextTooLong, 400, "context_length_exceeded"),
        ] {
            let world = World::new();
            world.model.fail(kind, Some(4_000));
            let reply = world.post(PATH, &body(json!({"stream": stream})));
            assert_eq!(
                (reply.status.as_u16(), &reply.json()["error"]["code"]),
                (status, &json!(code)),
                "{kind:?}"
            );
            // Only where coming again helps; and clients that would do so by themselves are told not to.
            let lasts = kind == ModelErrorKind::ContextTooLong;
            assert_eq!(reply.header("retry-after"), if lasts { "" } else { "4" });
            assert_eq!(reply.header("x-should-retry"), if lasts { "false" } else { "" });
        }
    }
}

#[test]
fn a_model_that_breaks_off_ends_the_stream_with_an_error() {
    let world = World::new();
    world.model.break_off("Half", ModelErrorKind::Protocol);
    let reply = world.post(PATH, &body(json!({"stream": true})));
    assert_eq!(reply.status, 200);
    let last = reply
        .body
        .trim_end()
        .rsplit("\n\n")
        .next()
        .unwrap()
        .strip_prefix("data: ")
        .unwrap();
    let error: Value = serde_json::from_str(last).unwrap();
    assert_eq!(error["error"]["code"], "model_failed");
    assert!(!reply.body.contains("[DONE]"));
}

#[test]
fn assistants_are_models() {
    let world = World::new();
    let list = world.get("/v1/models").json();
    assert_eq!(
        list["data"][0],
        json!({"id": "chat", "object": "model", "created": 0, "owned_by": "anyturn"})
    );
    assert_eq!(world.get("/v1/models/tasks").json()["id"], "tasks");
    let missing = world.get("/v1/models/nobody");
    assert_eq!(
        (missing.status.as_u16(), &missing.json()["error"]["code"]),
        (404, &json!("model_not_found"))
    );
}
