//! What is measured, row by row.

use crate::baseline;
use crate::load::{self, Connection, Measured};
use crate::report::{Aim, Report};
use anyhow::{Context as _, Result};
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::redis_server::RedisServer;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_millis(500);
/// Nobody is to be limited here.
const UNLIMITED: (&str, &str) = ("RATE_LIMIT_PER_MINUTE", "1000000000");

/// A route that does nothing: what the host itself costs.
pub async fn trivial_route(report: &mut Report, time: Duration) -> Result<()> {
    let (process, port) = baseline::start().await?;
    let bare = load::run(port, 64, WARM_UP, time, |_| || get("/")).await?;
    let bare_one = load::run(port, 1, WARM_UP, time / 2, |_| || get("/")).await?;
    drop(process);

    let manifest = anyturn_tests::repository().join("tests/hello/spin.toml");
    let host = HostBuilder::new().manifest(manifest).start().await;
    let many = load::run(host.port(), 64, WARM_UP, time, |_| || get("/")).await?;
    let one = load::run(host.port(), 1, WARM_UP, time / 2, |_| || get("/")).await?;

    report.add(
        "bare hyper, no component, 64 connections",
        bare.rate(),
        "/s",
        None,
    );
    report.add(
        "trivial route, fresh instance per request, 64 connections",
        many.rate(),
        "/s",
        Some(Aim::AtLeast(25_000.0)),
    );
    report.add("… p99", many.quantile(0.99), "ms", Some(Aim::AtMost(6.0)));
    report.add(
        "… share of bare hyper's rate",
        many.rate() / bare.rate(),
        "",
        None,
    );
    report.add(
        "bare hyper, one connection, p50",
        bare_one.quantile(0.5) * 1e3,
        "µs",
        None,
    );
    report.add(
        "trivial route, one connection, p50",
        one.quantile(0.5) * 1e3,
        "µs",
        Some(Aim::AtMost(150.0)),
    );
    Ok(())
}

/// Whole turns with the offline model on Redis.
pub async fn turns(report: &mut Report, time: Duration) -> Result<()> {
    let redis = RedisServer::start_without_log().await;
    let host = on_redis(&redis).await;
    let port = host.port();

    let session = begin(port, "chat").await?;
    let one = load::run(port, 1, WARM_UP, time, |_| turn(&session)).await?;
    report.add(
        "turn (JSON, offline model, Redis), one connection, p50",
        one.quantile(0.5),
        "ms",
        Some(Aim::AtMost(2.0)),
    );
    report.add("… p99", one.quantile(0.99), "ms", None);

    let mut sessions = Vec::new();
    for _ in 0..64 {
        sessions.push(begin(port, "chat").await?);
    }
    let many = load::run(port, 64, WARM_UP, time, |number| {
        turn(sessions.get(number).map_or("", String::as_str))
    })
    .await?;
    report.add(
        "turns, 64 connections",
        many.rate(),
        "/s",
        Some(Aim::AtLeast(3_000.0)),
    );
    report.add("… p50", many.quantile(0.5), "ms", None);
    report.add("… p99", many.quantile(0.99), "ms", None);

    let first = first_event(port, &session, 400).await?;
    report.add(
        "first streamed event, one connection, p50",
        first.quantile(0.5),
        "ms",
        Some(Aim::AtMost(2.0)),
    );

    report.add(
        "store round trips of a turn without tools",
        round_trips(&redis, port, &session, "hello").await?,
        "",
        Some(Aim::AtMost(3.0)),
    );

    let tasks = begin(port, "tasks").await?;
    let with_tool = load::run(port, 1, WARM_UP, time / 2, |_| {
        let session = tasks.clone();
        move || {
            post(
                &format!("/v1/sessions/{session}/turns"),
                &json!({ "message": "what is overdue?" }),
            )
        }
    })
    .await?;
    report.add(
        "turn with one tool call, one connection, p50",
        with_tool.quantile(0.5),
        "ms",
        None,
    );
    report.add(
        "… store round trips, the tool's own included",
        round_trips(&redis, port, &tasks, "what is overdue?").await?,
        "",
        None,
    );
    Ok(())
}

/// Does the thousandth turn cost what the tenth did?
pub async fn long_conversation(report: &mut Report) -> Result<()> {
    const CONVERSATIONS: usize = 3;
    let redis = RedisServer::start_without_log().await;
    let host = on_redis(&redis).await;
    let (mut early, mut late) = (Vec::new(), Vec::new());
    for _ in 0..CONVERSATIONS {
        let session = begin(host.port(), "chat").await?;
        let mut connection = Connection::open(host.port()).await?;
        let mut next = turn(&session);
        for number in 2..=1010 {
            let start = Instant::now();
            connection.send(next()).await?;
            match number {
                5..=55 => early.push(start.elapsed()),
                960..=1010 => late.push(start.elapsed()),
                _ => {}
            }
        }
    }
    let ratio = Measured::from_latencies(late).quantile(0.5) / Measured::from_latencies(early).quantile(0.5);
    report.add(
        "1,000th turn of a conversation against its 10th (medians)",
        ratio,
        "×",
        Some(Aim::AtMost(1.2)),
    );
    Ok(())
}

/// From nothing to the first answer, and what the host takes while it waits.
pub async fn start(report: &mut Report) -> Result<()> {
    drop(Host::start().await); // Fills the cache of compiled components.
    let mut starts = Vec::new();
    for _ in 0..7 {
        let begun = Instant::now();
        let host = Host::start().await;
        host.get("/v1/assistants").send().await?.error_for_status()?;
        starts.push(begun.elapsed());
    }
    let starts = Measured::from_latencies(starts);
    report.add(
        "start from a warm cache to the first answer, median of 7",
        starts.quantile(0.5),
        "ms",
        Some(Aim::AtMost(150.0)),
    );
    let host = Host::start().await;
    host.get("/v1/assistants").send().await?.error_for_status()?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid()))
        .context("reading the host's memory")?;
    let resident = status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?
            .trim()
            .strip_suffix(" kB")?
            .parse::<f64>()
            .ok()
    });
    report.add(
        "resident memory, idle",
        resident.unwrap_or(f64::NAN) / 1024.0,
        "MiB",
        Some(Aim::AtMost(80.0)),
    );
    Ok(())
}

/// How large the components are.
pub fn sizes(report: &mut Report) -> Result<()> {
    let folder = anyturn_tests::repository().join("target/wasm32-wasip2/component");
    for (name, aim) in [
        ("chat", Some(Aim::AtMost(1536.0))),
        ("model", None),
        ("tasks", None),
        ("state_redis", None),
        ("web", None),
    ] {
        let file = folder.join(format!("anyturn_{name}.wasm"));
        let size = std::fs::metadata(&file)
            .with_context(|| format!("reading {}", file.display()))?
            .len();
        report.add(
            format!("size of component {name}"),
            size as f64 / 1024.0,
            "KiB",
            aim,
        );
    }
    Ok(())
}

async fn on_redis(redis: &RedisServer) -> Host {
    HostBuilder::new()
        .redis(&redis.url())
        .env(UNLIMITED.0, UNLIMITED.1)
        .start()
        .await
}

/// Begins a conversation and returns its id.
async fn begin(port: u16, assistant: &str) -> Result<String> {
    let request = post(
        &format!("/v1/assistants/{assistant}/turns"),
        &json!({ "message": "hello" }),
    );
    let answer: Value = serde_json::from_slice(&Connection::open(port).await?.send(request).await?)?;
    Ok(answer
        .get("session")
        .and_then(Value::as_str)
        .context("the answer names the session")?
        .to_owned())
}

fn turn(session: &str) -> impl FnMut() -> Request<Full<Bytes>> + Send + use<> {
    let path = format!("/v1/sessions/{session}/turns");
    move || post(&path, &json!({ "message": "hello again" }))
}

async fn first_event(port: u16, session: &str, times: usize) -> Result<Measured> {
    let mut connection = Connection::open(port).await?;
    let mut latencies = Vec::new();
    for _ in 0..times {
        let mut request = turn(session)();
        request.headers_mut().insert(
            http::header::ACCEPT,
            http::HeaderValue::from_static("text/event-stream"),
        );
        let start = Instant::now();
        let mut body = connection.begin(request).await?.into_body();
        body.frame().await.context("the stream has a first event")??;
        latencies.push(start.elapsed());
        while body.frame().await.transpose()?.is_some() {}
    }
    Ok(Measured::from_latencies(latencies))
}

/// Counts at Redis itself, so that nothing can be forgotten.
async fn round_trips(redis: &RedisServer, port: u16, session: &str, message: &str) -> Result<f64> {
    const TURNS: u64 = 20;
    let scripts = || redis.calls("evalsha") + redis.calls("eval") + redis.calls("fcall");
    let mut connection = Connection::open(port).await?;
    let before = scripts();
    for _ in 0..TURNS {
        connection
            .send(post(
                &format!("/v1/sessions/{session}/turns"),
                &json!({ "message": message }),
            ))
            .await?;
    }
    Ok((scripts() - before) as f64 / TURNS as f64)
}

fn get(path: &str) -> Request<Full<Bytes>> {
    request("GET", path, Bytes::new())
}

fn post(path: &str, body: &Value) -> Request<Full<Bytes>> {
    request("POST", path, Bytes::from(body.to_string()))
}

fn request(method: &str, path: &str, body: Bytes) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(body))
        .unwrap_or_else(|error| panic!("{method} {path} is a request: {error}"))
}
