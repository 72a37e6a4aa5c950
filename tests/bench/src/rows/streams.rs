//! What clients cost that only listen: many open streams of events on one instance, and the turns beside them.

use super::requests::{begin_with, get, post, streamed};
use super::{WARM_UP, process, with_tools};
use crate::load::{self, Connection, Measured};
use crate::report::{Aim, Report};
use anyhow::{Context as _, Result};
use anyturn_tests::cluster::ASSISTANT;
use anyturn_tests::plan::Plan;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};
use std::time::Duration;

/// Open streams.
const STREAMS: usize = 1000;
/// Turns that they listen to.
const TURNS: usize = 10;
/// Connections that have turns meanwhile: few, so that it is not the queue that is measured.
const BUSY: usize = 4;

/// Memory of a stream, and the turns of others with and without the streams, in the same run.
pub async fn measure(report: &mut Report, time: Duration) -> Result<()> {
    let cluster = with_tools().await;
    let member = cluster.member().await;
    let (port, pid) = (member.host.port(), member.host.pid());

    let without = beside(port, time).await?;
    let before = process::proportional(pid)?;
    let mut open = Vec::with_capacity(STREAMS);
    let mut thinking = Vec::new();
    for turn in 0..TURNS {
        let plan = plan(&format!("listened to {turn}"));
        let hold = cluster.holds.place(plan.asking(0));
        let mut first = Stream::begin(port, &plan).await?;
        hold.reached().await;
        let (session, turn) = first.names().await?;
        let path = format!("/v1/sessions/{session}/turns/{turn}/events");
        open.push(first);
        for _ in 1..STREAMS / TURNS {
            let mut stream = Stream::listen(port, &path).await?;
            stream.next().await?;
            open.push(stream);
        }
        thinking.push(hold);
    }
    let each = (process::proportional(pid)? - before) * 1024.0 / open.len() as f64;
    let with = beside(port, time).await?;

    report.add(
        format!("memory of each of {STREAMS} open streams"),
        each,
        "KiB",
        Some(Aim::AtMost(256.0)),
    );
    report.add(
        format!("turns beside {STREAMS} open streams, {BUSY} connections, p99 against without"),
        with.quantile(0.99) / without.quantile(0.99),
        "×",
        Some(Aim::AtMost(2.0)),
    );
    Ok(())
}

fn plan(answer: &str) -> Plan {
    Plan {
        answer: answer.to_owned(),
        ..Plan::default()
    }
}

/// Turns of others.
async fn beside(port: u16, time: Duration) -> Result<Measured> {
    let mut sessions = Vec::new();
    for _ in 0..BUSY {
        sessions.push(begin_with(port, ASSISTANT, &plan("begun").message()).await?);
    }
    load::run(port, BUSY, WARM_UP, time, |number| {
        let path = format!(
            "/v1/sessions/{}/turns",
            sessions.get(number).map_or("", String::as_str)
        );
        move || post(&path, &json!({ "message": plan("beside").message() }))
    })
    .await
}

/// A stream that is kept open.
struct Stream {
    _connection: Connection,
    body: Incoming,
}

impl Stream {
    /// The stream of a new turn.
    async fn begin(port: u16, plan: &Plan) -> Result<Self> {
        let path = format!("/v1/assistants/{ASSISTANT}/turns");
        Self::open(port, post(&path, &json!({ "message": plan.message() }))).await
    }

    /// Another one, of a turn that is under way.
    async fn listen(port: u16, path: &str) -> Result<Self> {
        Self::open(port, get(path)).await
    }

    async fn open(port: u16, request: http::Request<http_body_util::Full<bytes::Bytes>>) -> Result<Self> {
        let mut connection = Connection::open(port).await?;
        let response = connection.begin(streamed(request)).await?;
        anyhow::ensure!(
            response.status().is_success(),
            "a stream was answered with {}",
            response.status()
        );
        Ok(Self {
            _connection: connection,
            body: response.into_body(),
        })
    }

    /// What comes next.
    async fn next(&mut self) -> Result<bytes::Bytes> {
        let frame = self.body.frame().await.context("the stream goes on")??;
        Ok(frame.into_data().unwrap_or_default())
    }

    /// The session and the turn, as the first event names them.
    async fn names(&mut self) -> Result<(String, String)> {
        let mut heard = Vec::new();
        let data = loop {
            heard.extend_from_slice(&self.next().await?);
            let text = String::from_utf8_lossy(&heard);
            if let Some(data) = text.split("\n\n").next().filter(|first| first.len() < text.len()) {
                let data = data.lines().find_map(|line| line.strip_prefix("data: "));
                break serde_json::from_str::<Value>(data.context("an event has data")?)?;
            }
        };
        let name = |key| Some(data.get(key)?.as_str()?.to_owned());
        name("session")
            .zip(name("turn"))
            .context("the first event names the turn")
    }
}
