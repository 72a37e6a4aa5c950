//! OpenAI's dialect, by plain HTTP and by the official client.

use std::path::PathBuf;

use http::StatusCode;
use serde_json::{Value, json};

use crate::visit::{Request, Visit, text};
use crate::{Credentials, Skipped, Verdict};

fn ask<'a>(visit: &'a Visit, body: &Value) -> Request<'a> {
    visit.post("/v1/chat/completions", body)
}

fn by_user(message: &str) -> Value {
    json!([{ "role": "user", "content": message }])
}

pub(crate) async fn a_completion_has_openais_shape(visit: &Visit) -> Verdict {
    let milk = visit.own("buy milk");
    let messages = by_user(&format!("add {milk}"));
    let answer = ask(visit, &json!({ "model": "tasks", "messages": messages }))
        .ok()
        .await;
    assert_eq!(
        (&answer["object"], &answer["model"]),
        (&json!("chat.completion"), &json!("tasks")),
        "{answer}"
    );
    let choice = &answer["choices"][0];
    assert!(text(&choice["message"]["content"]).contains(&milk), "{answer}");
    assert_eq!(
        (&choice["finish_reason"], &choice["index"]),
        (&json!("stop"), &json!(0)),
        "{answer}"
    );
    let usage = &answer["usage"];
    let tokens = |name: &str| usage[name].as_u64().unwrap_or_default();
    assert!(tokens("total_tokens") > 0, "{answer}");
    assert_eq!(
        tokens("total_tokens"),
        tokens("prompt_tokens") + tokens("completion_tokens"),
        "{answer}"
    );
    Ok(())
}

pub(crate) async fn a_streamed_completion_ends_with_its_usage_and_done(visit: &Visit) -> Verdict {
    let milk = visit.own("buy milk");
    visit.task(&milk).await;
    let body = json!({
        "model": "tasks", "messages": by_user("what is on my list?"),
        "stream": true, "stream_options": { "include_usage": true },
    });
    let mut events = ask(visit, &body).events().await;
    assert_eq!(events.pop().map(|event| event.data).as_deref(), Some("[DONE]"));
    let chunks: Vec<Value> = events.iter().map(|event| event.json()).collect();
    let last = chunks.last().cloned().unwrap_or_default();
    assert_eq!(last["choices"], json!([]), "{last}");
    assert!(
        last["usage"]["total_tokens"]
            .as_u64()
            .is_some_and(|tokens| tokens > 0),
        "{last}"
    );
    let said: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert!(said.contains(&milk), "{said}");
    let reasons: Vec<&str> = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str())
        .collect();
    assert_eq!(reasons, ["stop"]);
    Ok(())
}

pub(crate) async fn a_named_conversation_is_remembered(visit: &Visit) -> Verdict {
    let milk = visit.own("buy milk");
    let say = |message: &str| {
        let metadata = json!({ "session_id": visit.mark() });
        ask(
            visit,
            &json!({ "model": "tasks", "messages": by_user(message), "metadata": metadata }),
        )
        .send()
    };
    let first = say(&format!("add {milk}")).await;
    let asked = say(&format!("delete {milk}")).await;
    assert_eq!(first.header("anyturn-session"), asked.header("anyturn-session"));
    let question = text(&asked.json()["choices"][0]["message"]["content"]);
    assert!(
        question.contains(&milk) && question.contains("“yes”"),
        "{question}"
    );
    let done = say("yes").await.json();
    assert!(
        text(&done["choices"][0]["message"]["content"]).contains(&milk),
        "{done}"
    );
    assert_eq!(visit.tasks("").await, Vec::<Value>::new());
    let session = visit
        .get(&format!("/v1/sessions/{}", first.header("anyturn-session")))
        .ok()
        .await;
    assert_eq!(session["turns"].as_array().map(Vec::len), Some(2), "{session}");
    Ok(())
}

pub(crate) async fn errors_have_openais_shape(visit: &Visit) -> Verdict {
    let messages = by_user("hi");
    for (body, status, code, param) in [
        (
            json!({ "model": "nobody", "messages": messages }),
            404,
            Some("model_not_found"),
            "model",
        ),
        (json!({ "model": "chat" }), 400, None, "messages"),
        (json!({ "model": "chat", "messages": [] }), 400, None, "messages"),
        (json!({ "messages": messages }), 400, None, "model"),
        (
            json!({ "model": "chat", "messages": messages, "n": 2 }),
            400,
            Some("unsupported_value"),
            "n",
        ),
    ] {
        let answer = ask(visit, &body).send().await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text);
        let answer = answer.json();
        let error = &answer["error"];
        assert_eq!(error["type"], "invalid_request_error", "{body}: {answer}");
        assert!(
            error["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{answer}"
        );
        assert_eq!(error["param"], param, "{body}: {answer}");
        if let Some(code) = code {
            assert_eq!(error["code"], code, "{body}: {answer}");
        }
    }
    let unknown = visit.get("/v1/models/nobody").send().await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    Ok(())
}

pub(crate) async fn the_official_python_client_works_unmodified(visit: &Visit) -> Verdict {
    let key = match &visit.site.me {
        Credentials::None => "unused-in-development",
        Credentials::Token(key) | Credentials::Key(key) => key,
    };
    let python = python()?;
    let output = tokio::process::Command::new(&python)
        .arg(anyturn_tests::repository().join("tests/clients/openai_client.py"))
        .arg(visit.site.url(""))
        .arg(visit.mark())
        // Not an argument, which every user of the machine can read.
        .env("OPENAI_API_KEY", key)
        .output()
        .await
        .unwrap_or_else(|error| panic!("{} runs: {error}", python.display()));
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    visit.made(String::from_utf8_lossy(&output.stdout).trim());
    Ok(())
}

/// The Python of the environment that `cargo xtask` keeps, with the client installed.
fn python() -> Result<PathBuf, Skipped> {
    let python = anyturn_tests::host::target().join("clients/bin/python");
    if python.is_file() {
        Ok(python)
    } else {
        Err(Skipped(
            "there is no Python with OpenAI's client; `cargo xtask test` installs it".to_owned(),
        ))
    }
}
