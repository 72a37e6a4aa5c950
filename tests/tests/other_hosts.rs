//! Components of anyturn on a host that knows WASI and nothing else, alone and composed, as docs/hosts.md shows it.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};

use anyturn_tests::fake_provider::{Answer, FakeProvider};
use anyturn_tests::host::{is_made, target};
use anyturn_tests::process::{Process, Signal};
use anyturn_tests::redis_server::RedisServer;
use anyturn_tests::{client, json_of};
use serde_json::{Value, json};

/// A component that is served; ends when it is dropped.
struct Served {
    url: String,
    /// Open as long as somebody could write to it.
    _output: BufReader<ChildStdout>,
    _process: Process,
}

/// Built beside the host, in the release profile, because it holds wasmtime.
fn program() -> PathBuf {
    let program = target().join("release/anyturn-plain-host");
    assert!(
        program.is_file(),
        "{} is not there: `cargo xtask test` makes it",
        program.display()
    );
    program
}

fn component(name: &str) -> PathBuf {
    target()
        .join("wasm32-wasip2/component")
        .join(format!("{name}.wasm"))
}

fn command(name: &str, plugs: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program());
    command.arg(component(name)).stdin(Stdio::null());
    for plug in plugs {
        command.arg("--plug").arg(component(plug));
    }
    for (name, value) in environment {
        command.arg("--env").arg(format!("{name}={value}"));
    }
    command
}

impl Served {
    fn start(name: &str, plugs: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = command(name, plugs, environment)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let process = Process(child);
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let url = line
            .trim()
            .strip_prefix("serving ")
            .unwrap_or_else(|| panic!("{name} is served, and says so: {line:?}"));
        Self {
            url: url.to_owned(),
            _output: output,
            _process: process,
        }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = client().get(format!("{}{path}", self.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Calls a tool by MCP 2026-07-28, in which every request stands for itself.
    async fn call(&self, tool: &str, arguments: Value) -> Value {
        let version = "2026-07-28";
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let answer = client()
            .post(format!("{}/mcp", self.url))
            .header("mcp-protocol-version", version)
            .header("mcp-method", "tools/call")
            .header("mcp-name", tool)
            .header("accept", "application/json, text/event-stream")
            .json(&request);
        let (status, answer) = json_of(answer).await;
        assert_eq!(status, 200, "{answer}");
        answer["result"].clone()
    }
}

#[tokio::test]
async fn the_chat_page_is_served_as_it_is() {
    let page = Served::start("anyturn_web", &[], &[]);
    let (status, text) = page.get("/").await;
    assert_eq!(status, 200);
    assert!(text.contains("<title>anyturn</title>"), "{text}");
}

#[tokio::test]
async fn a_tool_in_javascript_is_an_mcp_server_by_itself() {
    if !is_made(&component("units")) {
        return;
    }
    let units = Served::start("units", &[], &[]);
    let converted = units
        .call("convert_units", json!({ "value": 12, "from": "mi", "to": "km" }))
        .await;
    assert_eq!(
        converted["structuredContent"],
        json!({ "value": 19.312128, "unit": "km" }),
        "{converted}"
    );
}

/// What the tool server needs: its state, and the two adapters in place of what Spin provides.
const STATE: [&str; 3] = [
    "anyturn_state_redis",
    "anyturn_redis_adapter",
    "anyturn_variables_adapter",
];

fn tasks(redis: &str) -> Served {
    let environment = [
        ("REDIS_URL", redis),
        ("STATE_NAMESPACE", "tasks"),
        ("DEFAULT_USER", "ada"),
    ];
    Served::start("anyturn_tasks", &STATE, &environment)
}

fn titles(listed: &Value) -> Vec<&str> {
    let tasks = listed["structuredContent"]["tasks"].as_array();
    let tasks = tasks.unwrap_or_else(|| panic!("tasks are listed: {listed}"));
    tasks.iter().filter_map(|task| task["title"].as_str()).collect()
}

#[tokio::test]
async fn the_task_tools_are_an_mcp_server_by_themselves_with_their_state_in_redis() {
    let redis = RedisServer::start_without_log().await;
    let server = tasks(&redis.url());
    let added = server
        .call("add_task", json!({ "title": "buy milk", "due": "2031-01-31" }))
        .await;
    assert_eq!(added["isError"], false, "{added}");
    // Redis holds it under the keys that every host uses.
    let keys = redis.command(&["KEYS", "anyturn:{tasks/user/ada}*"]);
    assert!(keys.contains("task_"), "{keys}");
    // Another process has it.
    let other = tasks(&redis.url());
    let (status, list) = json_of(client().get(format!("{}/tasks", other.url))).await;
    assert_eq!(
        (status.as_u16(), &list["tasks"][0]["title"]),
        (200, &json!("buy milk")),
        "{list}"
    );
}

#[tokio::test]
async fn requests_that_one_instance_has_at_the_same_time_do_not_mix() {
    let redis = RedisServer::start_without_log().await;
    let server = tasks(&redis.url());
    let names: Vec<String> = (0..16).map(|number| format!("thing {number:02}")).collect();
    let added = names
        .iter()
        .map(|name| server.call("add_task", json!({ "title": name })));
    for (name, added) in names.iter().zip(futures::future::join_all(added).await) {
        assert!(added.to_string().contains(name.as_str()), "{name}: {added}");
    }
    let listed = server.call("list_tasks", json!({})).await;
    let mut listed = titles(&listed);
    listed.sort_unstable();
    assert_eq!(listed, names);
}

#[tokio::test]
async fn a_redis_that_wants_a_password_lets_the_component_in_and_into_its_database() {
    let redis = RedisServer::start_with(&["--user", "tasks", "on", ">se:cret", "~*", "+@all"]).await;
    let inside = redis.url().replace("redis://", "redis://tasks:se%3Acret@") + "/3";
    let server = tasks(&inside);
    let added = server.call("add_task", json!({ "title": "buy milk" })).await;
    assert_eq!(added["isError"], false, "{added}");
    let databases = redis.text(&["INFO", "keyspace"]);
    assert!(
        databases.contains("db3:") && !databases.contains("db0:"),
        "{databases}"
    );
    let outside = redis.url().replace("redis://", "redis://tasks:wrong@");
    let (status, problem) = tasks(&outside).get("/tasks").await;
    assert_eq!(status, 503, "{problem}");
}

#[tokio::test]
async fn a_store_that_is_not_there_or_hangs_is_said_and_used_again_when_it_answers() {
    let nowhere = tasks("redis://127.0.0.1:1");
    let (status, problem) = nowhere.get("/tasks").await;
    assert_eq!(status, 503, "{problem}");
    let redis = RedisServer::start_without_log().await;
    let server = tasks(&redis.url());
    let added = server.call("add_task", json!({ "title": "buy milk" })).await;
    assert_eq!(added["isError"], false, "{added}");
    redis.signal(Signal::Stop);
    let (status, problem) = server.get("/tasks").await;
    assert_eq!(status, 503, "{problem}");
    redis.signal(Signal::Continue);
    // An answer that comes too late is nobody's.
    let listed = server.call("list_tasks", json!({})).await;
    assert_eq!(titles(&listed), ["buy milk"]);
}

async fn ask(environment: &[(&str, &str)]) -> (u16, String) {
    let plugs = ["anyturn_model", "anyturn_variables_adapter"];
    let served = Served::start("anyturn_ask_example", &plugs, environment);
    let answer = client().post(&served.url).body("hello").send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn the_model_answers_where_it_is_composed_with_a_component_that_asks() {
    let (status, said) = ask(&[]).await;
    assert_eq!(status, 200, "{said}");
    assert!(said.contains("offline model"), "{said}");
}

#[tokio::test]
async fn the_model_reaches_the_provider_that_the_environment_names() {
    let provider = FakeProvider::start().await.unwrap();
    provider.require_key("sk-test-key-of-nobody");
    let base = provider.base_url();
    provider.script([Answer::text("Hello from afar.").in_chunks_of(3)]);
    let environment = [
        ("LLM_BASE_URL", base.as_str()),
        ("LLM_API_KEY", "sk-test-key-of-nobody"),
        ("LLM_MODEL", "gpt-4.1"),
    ];
    let (status, said) = ask(&environment).await;
    assert_eq!((status, said.as_str()), (200, "Hello from afar."));
    let asked = &provider.requests()[0].body;
    assert_eq!(asked["model"], "gpt-4.1", "{asked}");
    assert!(asked["messages"].to_string().contains("hello"), "{asked}");
    // What goes wrong there is said.
    let environment = [("LLM_BASE_URL", base.as_str()), ("LLM_API_KEY", "sk-wrong")];
    let (status, said) = ask(&environment).await;
    assert_eq!(status, 502, "{said}");
}

#[test]
fn what_is_missing_is_named() {
    let refused = command("anyturn_tasks", &[], &[]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("anyturn:state/"),
        "{said}"
    );
    let refused = command("anyturn_tasks", &["anyturn_web"], &[]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("anyturn_web.wasm provides nothing that is wanted"),
        "{said}"
    );
}
