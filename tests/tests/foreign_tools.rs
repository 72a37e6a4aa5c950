//! Tools that are not written in Rust: a component in JavaScript, and servers with the official MCP SDK for Python.
//!
//! The examples are the ones that docs/tools.md shows, used as it says.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyturn_tests::application::Application;
use anyturn_tests::host::{Host, HostBuilder, is_made, target};
use anyturn_tests::json_of;
use anyturn_tests::process::{PATIENCE, Process, free_port};
use serde_json::{Value, json};

fn example(path: &str) -> String {
    let path = anyturn_tests::repository().join("components/examples").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

async fn turn(host: &Host, path: &str, message: &str) -> Value {
    let (status, turn) = json_of(host.post(path, &json!({ "message": message }))).await;
    assert_eq!(status, 200, "{turn}\n{}", host.log());
    turn
}

#[tokio::test]
async fn a_component_in_javascript_is_a_tool_of_an_assistant() {
    if !is_made(&target().join("wasm32-wasip2/component/units.wasm")) {
        return;
    }
    let application = Application::copy()
        .append(&example("units/component.toml"))
        .reaching("http://units.spin.internal")
        .assistant("units", &example("units/assistant.toml"));
    let host = HostBuilder::new().manifest(application.manifest()).start().await;
    let path = "/v1/assistants/units/turns";
    let converted = turn(&host, path, "convert 12 miles to km").await;
    assert_eq!(
        converted["message"]["content"], "12 mi is 19.3121 km.",
        "{converted}"
    );
    let call = &converted["tool_calls"][0];
    assert_eq!(
        (&call["server"], &call["tool"]),
        (&json!("units"), &json!("convert_units")),
        "{converted}"
    );
    assert_eq!(
        call["result"],
        json!({ "value": 19.312128, "unit": "km" }),
        "{converted}"
    );

    let refused = turn(&host, path, "convert 12 miles to kg").await;
    assert_eq!(refused["tool_calls"][0]["is_error"], true, "{refused}");
    // A fresh instance answers each, as many at a time as come.
    let many = (1..=16).map(|value| {
        let host = &host;
        async move {
            let told = turn(host, path, &format!("convert {value} m to cm")).await;
            assert_eq!(
                told["message"]["content"],
                format!("{value} m is {}00 cm.", value),
                "{told}"
            );
        }
    });
    futures::future::join_all(many).await;
}

/// A server with the official SDK, on a port of its own.
struct Server {
    port: u16,
    _process: Process,
}

impl Server {
    async fn start(python: &Path, script: &str) -> Self {
        let port = free_port();
        let child = Command::new(python)
            .arg(anyturn_tests::repository().join(script))
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{} starts: {error}", python.display()));
        let mut server = Self {
            port,
            _process: Process(child),
        };
        let deadline = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(server._process.ended().is_none(), "{script} serves");
            assert!(Instant::now() < deadline, "{script} listens within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        server
    }

    /// A host with an assistant that has its tools.
    async fn host(&self) -> Host {
        let origin = format!("http://127.0.0.1:{}", self.port);
        let assistant = example("books/assistant.toml").replace("http://127.0.0.1:8000", &origin);
        let application = Application::copy()
            .reaching(&origin)
            .assistant("books", &assistant);
        HostBuilder::new().manifest(application.manifest()).start().await
    }
}

fn python(environment: &str) -> PathBuf {
    target().join(environment).join("bin/python")
}

/// A conversation about the shelf: a tool that reads, one that has to be confirmed, and an error.
async fn talk(host: &Host) {
    let path = "/v1/assistants/books/turns";
    let found = turn(host, path, "who wrote Emma?").await;
    assert_eq!(
        found["message"]["content"], "“Emma” is by Jane Austen.",
        "{found}"
    );
    let session = format!("/v1/sessions/{}/turns", found["session"].as_str().unwrap());
    let asked = turn(host, &session, "give away Emma").await;
    let gate = &asked["gates"][0];
    assert_eq!(
        (&asked["state"], &gate["tool"]),
        (&json!("waiting"), &json!("give_away_book")),
        "{asked}"
    );
    let given = turn(host, &session, "yes").await;
    assert_eq!(given["message"]["content"], "Gave away “Emma”.", "{given}");
    let gone = turn(host, &session, "who wrote Emma?").await;
    assert_eq!(gone["tool_calls"][0]["is_error"], true, "{gone}");
    assert!(
        gone["message"]["content"]
            .as_str()
            .unwrap()
            .contains("There is no book"),
        "{gone}"
    );
}

#[tokio::test]
async fn a_server_with_the_official_python_sdk_offers_its_tools() {
    let python = python("clients");
    if is_made(&python) {
        let server = Server::start(&python, "components/examples/books/server.py").await;
        talk(&server.host().await).await;
    }
}

#[tokio::test]
async fn a_server_that_knows_revisions_up_to_2025_11_25_only_is_met_there() {
    let python = python("clients-2025");
    if is_made(&python) {
        let server = Server::start(&python, "tests/clients/books_2025.py").await;
        talk(&server.host().await).await;
    }
}
