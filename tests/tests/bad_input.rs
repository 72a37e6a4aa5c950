//! Bad input gets a clear answer, and nothing is lost. Each test shows the exact answer.

use anyturn_tests::application::Application;
use anyturn_tests::host::{Host, HostBuilder};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Asserts a problem document (RFC 9457) and returns it.
async fn problem(request: reqwest::RequestBuilder, status: StatusCode, kind: &str) -> Value {
    let response = request.send().await.unwrap();
    let (actual, media_type) = (response.status(), response.headers()["content-type"].clone());
    let text = response.text().await.unwrap();
    assert_eq!(actual, status, "{text}");
    assert_eq!(media_type, "application/problem+json", "{text}");
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        problem["type"],
        format!("https://anyturn.dev/problems/{kind}"),
        "{problem}"
    );
    assert_eq!(problem["status"], status.as_u16(), "{problem}");
    for member in ["title", "detail"] {
        assert!(
            problem[member].as_str().is_some_and(|text| text.len() > 3),
            "{member} in {problem}"
        );
    }
    problem
}

/// Sends bytes as they are and returns everything that comes back until the server closes or pauses.
async fn raw(host: &Host, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", host.port())).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = vec![0; 65536];
    let mut length = 0;
    loop {
        let read = stream.read(&mut answer[length..]).await.unwrap_or(0);
        length += read;
        let text = String::from_utf8_lossy(&answer[..length]).into_owned();
        if read == 0 || (text.contains("\r\n\r\n") && text.ends_with('}')) {
            return text;
        }
    }
}

#[tokio::test]
async fn unknown_things_are_named() {
    let host = Host::start().await;
    problem(host.get("/v1/nothing"), StatusCode::NOT_FOUND, "not-found").await;
    let said = problem(
        host.post("/v1/assistants/nobody/turns", &json!({ "message": "hi" })),
        StatusCode::NOT_FOUND,
        "unknown-assistant",
    )
    .await;
    assert!(said["detail"].as_str().unwrap().contains("nobody"), "{said}");
    problem(
        host.get("/v1/sessions/ses_00000000000000000000000000"),
        StatusCode::NOT_FOUND,
        "unknown-session",
    )
    .await;
    problem(
        host.post(
            "/v1/sessions/ses_00000000000000000000000000/turns",
            &json!({ "message": "hi" }),
        ),
        StatusCode::NOT_FOUND,
        "unknown-session",
    )
    .await;
    let list: Value = host
        .get("/v1/sessions")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(list["data"], json!([]), "a refused turn leaves no trace");
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let host = Host::start().await;
    let response = host.request("PUT", "/v1/sessions").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(response.headers()["allow"].to_str().unwrap().contains("GET"));
}

#[tokio::test]
async fn a_body_that_is_wrong_is_told_where() {
    let host = Host::start().await;
    let path = "/v1/assistants/chat/turns";
    let send = |body: &'static str| {
        host.request("POST", path)
            .header("content-type", "application/json")
            .body(body)
    };
    let malformed = problem(
        send("{\"message\": \"hi\",,}"),
        StatusCode::BAD_REQUEST,
        "malformed-json",
    )
    .await;
    assert!(
        malformed["detail"].as_str().unwrap().contains("column"),
        "{malformed}"
    );
    let missing = problem(send("{}"), StatusCode::UNPROCESSABLE_ENTITY, "invalid-request").await;
    assert!(
        missing["detail"].as_str().unwrap().contains("message"),
        "{missing}"
    );
    let wrong = problem(
        send("{\"message\": 7}"),
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-request",
    )
    .await;
    assert!(wrong.to_string().contains("message"), "{wrong}");
    let unknown = problem(
        send("{\"message\": \"hi\", \"mesage\": 1}"),
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-request",
    )
    .await;
    assert!(
        unknown["detail"].as_str().unwrap().contains("mesage"),
        "{unknown}"
    );
    for empty in [
        "{\"message\": \"\"}",
        "{\"message\": \"  \"}",
        "{\"message\": []}",
    ] {
        problem(send(empty), StatusCode::UNPROCESSABLE_ENTITY, "invalid-message").await;
    }
    let text = host
        .request("POST", path)
        .header("content-type", "text/plain")
        .body("hi");
    problem(text, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type").await;
}

#[tokio::test]
async fn a_message_over_the_assistants_limit_is_refused_with_the_limit() {
    let host = Host::start().await;
    let long = "x".repeat(200_000);
    let said = problem(
        host.post("/v1/assistants/chat/turns", &json!({ "message": long })),
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-message",
    )
    .await;
    assert!(said["detail"].as_str().unwrap().contains("characters"), "{said}");
}

#[tokio::test]
async fn a_body_over_a_megabyte_is_refused_without_reading_on() {
    let host = Host::start().await;
    let head =
        "POST /v1/assistants/chat/turns HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    // Announced: refused before any of it is sent.
    let announced = raw(&host, format!("{head}content-length: 2000000\r\n\r\n").as_bytes()).await;
    assert!(announced.starts_with("HTTP/1.1 413"), "{announced}");
    assert!(announced.contains("problems/body-too-large"), "{announced}");

    // Not announced, and without an end: refused in the middle.
    let mut stream = TcpStream::connect(("127.0.0.1", host.port())).await.unwrap();
    stream
        .write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let chunk = format!("{:x}\r\n{}\r\n", 65536, " ".repeat(65536));
    let sender = tokio::spawn(async move {
        let mut sent = 0_u64;
        while sent < 1 << 30 && writer.write_all(chunk.as_bytes()).await.is_ok() {
            sent += 65536;
        }
        sent
    });
    let mut answer = [0; 12];
    reader.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    drop(reader);
    sender.abort();
    assert_eq!(
        host.get("/v1/assistants").send().await.unwrap().status(),
        StatusCode::OK,
        "the host goes on"
    );
}

#[tokio::test]
async fn openai_errors_have_openais_shape() {
    let host = Host::start().await;
    let path = "/v1/chat/completions";
    let messages = json!([{ "role": "user", "content": "hi" }]);
    for (body, status, code, param) in [
        (
            json!({ "model": "nobody", "messages": messages }),
            404,
            json!("model_not_found"),
            json!("model"),
        ),
        (json!({ "model": "chat" }), 400, Value::Null, json!("messages")),
        (
            json!({ "model": "chat", "messages": [] }),
            400,
            Value::Null,
            json!("messages"),
        ),
        (json!({ "messages": messages }), 400, Value::Null, json!("model")),
        (
            json!({ "model": "chat", "messages": messages, "n": 2 }),
            400,
            json!("unsupported_value"),
            json!("n"),
        ),
    ] {
        let response = host.post(path, &body).send().await.unwrap();
        assert_eq!(response.status(), status, "{body}");
        let answer: Value = response.json().await.unwrap();
        let error = &answer["error"];
        assert_eq!(error["type"], "invalid_request_error", "{body}: {answer}");
        assert!(
            error["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{answer}"
        );
        assert_eq!(error["param"], param, "{body}: {answer}");
        if !code.is_null() {
            assert_eq!(error["code"], code, "{body}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_broken_assistant_is_told_at_the_start_with_file_key_and_line() {
    let application = Application::copy().assistant(
        "broken",
        "title = \"Broken\"\nkind = \"agent\"\nprompt = \"Hello.\"\ntemprature = 1\n",
    );
    let (status, said) = HostBuilder::new()
        .manifest(application.manifest())
        .refused()
        .await;
    assert!(!status.success());
    for needed in ["broken.toml", "temprature", "4"] {
        assert!(said.contains(needed), "{needed} is in:\n{said}");
    }
}

#[tokio::test]
async fn what_the_host_does_not_support_is_refused_by_name() {
    let application = Application::copy().replace(
        "[component.chat]\n",
        "[component.chat]\nsqlite_databases = [\"default\"]\n",
    );
    let (status, said) = HostBuilder::new()
        .manifest(application.manifest())
        .refused()
        .await;
    assert!(!status.success());
    assert!(
        said.contains("sqlite_databases") && said.contains("spin.toml"),
        "{said}"
    );
}
