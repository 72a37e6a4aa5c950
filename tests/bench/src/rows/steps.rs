//! What each further step of a turn costs: a step is an answer of the model that calls a tool, and the call. Both are
//! in the journal before anything depends on them.

use super::requests::{begin_with, post};
use super::{WARM_UP, with_tools};
use crate::load::{self, Connection, Measured};
use crate::report::Report;
use anyhow::Result;
use anyturn_tests::cluster::{ASSISTANT, Cluster};
use anyturn_tests::effect_server::Class;
use anyturn_tests::plan::{Call, Plan};
use serde_json::json;
use std::time::{Duration, Instant};

/// The two turns that are compared have so many steps.
const FEW: usize = 1;
const MANY: usize = 9;
/// Requests for what the tool alone takes.
const TIMES: usize = 400;

/// The slope of a turn's time over its steps, and the part of it that is not anyturn's.
pub async fn measure(report: &mut Report, time: Duration) -> Result<()> {
    let cluster = with_tools().await;
    let member = cluster.member().await;
    let port = member.host.port();
    let few = median(port, FEW, time).await?;
    let many = median(port, MANY, time).await?;
    let outside = tool(&cluster).await? + model(&cluster).await?;
    let step = (many - few) / (MANY - FEW) as f64;
    report.add(
        "each further step of a turn (model and tool are fakes), one connection",
        step,
        "ms",
        None,
    );
    report.add(
        "… of it anyturn's: journal, store, calling model and tool",
        step - outside,
        "ms",
        None,
    );
    Ok(())
}

/// The median time of a turn with so many steps, in milliseconds.
async fn median(port: u16, steps: usize, time: Duration) -> Result<f64> {
    let message = plan(steps).message();
    let session = begin_with(port, ASSISTANT, &plan(0).message()).await?;
    let path = format!("/v1/sessions/{session}/turns");
    let turns = load::run(port, 1, WARM_UP, time / 2, |_| {
        let (path, message) = (path.clone(), message.clone());
        move || post(&path, &json!({ "message": message }))
    })
    .await?;
    Ok(turns.quantile(0.5))
}

fn plan(steps: usize) -> Plan {
    Plan {
        steps: (0..steps)
            .map(|step| vec![Call::new(Class::Idempotent, &format!("step {step}"))])
            .collect(),
        answer: "finished".to_owned(),
        ..Plan::default()
    }
}

/// What the tool itself takes for a call, in milliseconds.
async fn tool(cluster: &Cluster) -> Result<f64> {
    let call = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": { "name": Class::Read.tool(), "arguments": { "label": "directly" } },
    });
    directly(cluster.effects.address().port(), "/mcp", &call).await
}

/// What the model itself takes for an answer that calls a tool, in milliseconds.
async fn model(cluster: &Cluster) -> Result<f64> {
    let request = json!({
        "model": "gpt-4.1-mini",
        "messages": [{ "role": "user", "content": plan(1).message() }],
        "stream": true,
    });
    directly(
        cluster.provider.address().port(),
        "/v1/chat/completions",
        &request,
    )
    .await
}

async fn directly(port: u16, path: &str, body: &serde_json::Value) -> Result<f64> {
    let mut connection = Connection::open(port).await?;
    let mut latencies = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let start = Instant::now();
        connection.send(post(path, body)).await?;
        latencies.push(start.elapsed());
    }
    Ok(Measured::from_latencies(latencies).quantile(0.5))
}
