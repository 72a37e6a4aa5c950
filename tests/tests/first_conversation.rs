//! What somebody sees who starts anyturn for the first time: no Redis, no key.

use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::{json_of, sse};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Says something in a conversation and returns the whole answer.
async fn say(host: &Host, session: &str, message: &str) -> Value {
    let (status, answer) = json_of(host.post(
        &format!("/v1/sessions/{session}/turns"),
        &json!({ "message": message }),
    ))
    .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["state"], "finished", "{answer}");
    answer
}

async fn begin(host: &Host, message: &str) -> (String, Value) {
    let (status, answer) =
        json_of(host.post("/v1/assistants/tasks/turns", &json!({ "message": message }))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["state"], "finished", "{answer}");
    (answer["session"].as_str().unwrap().to_owned(), answer)
}

fn content(answer: &Value) -> &str {
    answer["message"]["content"].as_str().unwrap()
}

#[tokio::test]
async fn a_todo_list_is_managed_by_talking_and_seen_through_rest() {
    let host = Host::start().await;
    let (session, added) = begin(&host, "add buy milk for tomorrow").await;
    assert!(content(&added).contains("buy milk"), "{added}");
    assert_eq!(added["tool_calls"][0]["tool"], "add_task", "{added}");
    say(&host, &session, "add call the plumber for next Friday").await;

    let (status, tasks) = json_of(host.get("/api/tasks")).await;
    assert_eq!(status, StatusCode::OK);
    let titles: Vec<&str> = tasks["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["title"].as_str().unwrap())
        .collect();
    assert!(
        titles.contains(&"buy milk") && titles.contains(&"call the plumber"),
        "{tasks}"
    );

    let due = say(&host, &session, "what is due tomorrow?").await;
    assert!(
        content(&due).contains("buy milk") && !content(&due).contains("plumber"),
        "{due}"
    );

    let done = say(&host, &session, "done with the milk").await;
    assert!(content(&done).contains("buy milk"), "{done}");
    let (_, open) = json_of(host.get("/api/tasks?status=open")).await;
    let (_, completed) = json_of(host.get("/api/tasks?status=done")).await;
    assert_eq!(open["tasks"].as_array().unwrap().len(), 1, "{open}");
    assert_eq!(completed["tasks"][0]["title"], "buy milk", "{completed}");
}

#[tokio::test]
async fn a_task_made_through_rest_is_known_in_the_conversation() {
    let host = Host::start().await;
    let (status, task) = json_of(host.post(
        "/api/tasks",
        &json!({ "title": "water the plants", "priority": "high" }),
    ))
    .await;
    assert_eq!(status, StatusCode::CREATED, "{task}");
    let (_, answer) = begin(&host, "what is on my list?").await;
    assert!(content(&answer).contains("water the plants"), "{answer}");
}

#[tokio::test]
async fn a_turn_is_streamed_as_it_happens() {
    let host = Host::start().await;
    let response = host
        .post(
            "/v1/assistants/tasks/turns",
            &json!({ "message": "add buy milk for tomorrow" }),
        )
        .header("accept", "text/event-stream")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let events = sse::all(response).await;
    let names: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(names.first(), Some(&"turn.started"), "{names:?}");
    assert_eq!(names.last(), Some(&"turn.finished"), "{names:?}");
    let place = |name: &str| {
        names
            .iter()
            .position(|one| *one == name)
            .unwrap_or_else(|| panic!("{name} in {names:?}"))
    };
    assert!(place("tool.started") < place("tool.finished") && place("tool.finished") < place("text.delta"));

    let text: String = events
        .iter()
        .filter(|event| event.event == "text.delta")
        .map(|event| event.json()["text"].as_str().unwrap().to_owned())
        .collect();
    let last = events.last().unwrap().json();
    assert_eq!(
        last["message"]["content"],
        text.as_str(),
        "the pieces make the whole"
    );
    let mut ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
    let turn = last["turn"].as_str().unwrap();
    assert!(ids.iter().all(|id| id.starts_with(turn)), "{ids:?}");
    ids.dedup();
    assert_eq!(ids.len(), events.len(), "every event has an id of its own");
}

#[tokio::test]
async fn sessions_can_be_listed_read_and_deleted() {
    let host = Host::start().await;
    let (session, _) = begin(&host, "add buy milk").await;
    say(&host, &session, "what is on my list?").await;

    let (_, list) = json_of(host.get("/v1/sessions")).await;
    assert_eq!(list["data"][0]["id"], session.as_str(), "{list}");
    assert_eq!(list["data"][0]["title"], "add buy milk", "{list}");

    let (status, one) = json_of(host.get(&format!("/v1/sessions/{session}"))).await;
    assert_eq!(status, StatusCode::OK);
    let inputs: Vec<&str> = one["turns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| turn["input"].as_str().unwrap())
        .collect();
    assert_eq!(inputs, ["add buy milk", "what is on my list?"], "{one}");

    let deleted = host
        .request("DELETE", &format!("/v1/sessions/{session}"))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    let (status, _) = json_of(host.get(&format!("/v1/sessions/{session}"))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (_, list) = json_of(host.get("/v1/sessions")).await;
    assert_eq!(list["data"], json!([]), "{list}");
}

#[tokio::test]
async fn the_same_key_is_the_same_turn() {
    let host = Host::start().await;
    let send = |message: &str| {
        host.post("/v1/assistants/tasks/turns", &json!({ "message": message }))
            .header("idempotency-key", "one and the same")
    };
    let (_, first) = json_of(send("add buy milk")).await;
    let (status, second) = json_of(send("add buy milk")).await;
    assert_eq!(status, StatusCode::OK, "{second}");
    assert_eq!(first["turn"], second["turn"]);
    assert_eq!(first["session"], second["session"]);
    let (_, tasks) = json_of(host.get("/api/tasks")).await;
    assert_eq!(tasks["tasks"].as_array().unwrap().len(), 1, "{tasks}");

    let (status, problem) = json_of(send("add something else")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
}

#[tokio::test]
async fn what_the_embedded_store_holds_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let host = HostBuilder::new().data(folder.path()).start().await;
    let (session, _) = begin(&host, "add buy milk").await;
    host.kill().await;

    let host = HostBuilder::new().data(folder.path()).start().await;
    let answer = say(&host, &session, "what is on my list?").await;
    assert!(content(&answer).contains("buy milk"), "{answer}");
}

#[tokio::test]
async fn a_second_host_on_the_same_data_is_told_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = HostBuilder::new().data(folder.path()).start().await;
    let (status, said) = HostBuilder::new().data(folder.path()).refused().await;
    assert!(!status.success());
    assert!(said.contains(&folder.path().display().to_string()), "{said}");
    assert!(
        said.contains(&first.pid().to_string()) || said.contains("another"),
        "{said}"
    );
}

#[tokio::test]
async fn the_first_page_the_documentation_and_the_health_page_are_there() {
    let host = Host::start().await;
    let page = host.get("/").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(
        page.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("default-src 'none'")
    );

    let docs = host.get("/docs").send().await.unwrap();
    assert_eq!(docs.status(), StatusCode::OK);
    assert!(
        docs.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );

    let (status, openapi) = json_of(host.get("/openapi.json")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        openapi["openapi"].as_str().unwrap().starts_with("3.1"),
        "{openapi}"
    );
    for path in [
        "/v1/assistants/{assistant}/turns",
        "/v1/sessions/{session}/turns",
        "/v1/sessions",
        "/v1/chat/completions",
        "/v1/models",
        "/api/tasks",
    ] {
        assert!(
            openapi["paths"].get(path).is_some(),
            "{path} is described; there are {:?}",
            openapi["paths"].as_object().unwrap().keys().collect::<Vec<_>>()
        );
    }

    let (status, health) = json_of(host.get("/health")).await;
    assert_eq!(status, StatusCode::OK, "{health}");
    assert!(
        health.to_string().contains("embedded") && health.to_string().contains("offline"),
        "{health}"
    );

    let metrics = host.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("# TYPE anyturn_"), "{metrics}");
}

#[tokio::test]
async fn the_start_says_where_everything_is_and_how_to_change_it() {
    let host = Host::start().await;
    let log = host.log();
    for needed in [
        host.url("/").as_str(),
        "/docs",
        "/health",
        "embedded",
        "offline",
        "REDIS_URL",
        "OPENAI_API_KEY",
    ] {
        assert!(log.contains(needed), "{needed} is in:\n{log}");
    }
}
