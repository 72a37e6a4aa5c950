//! What connected users cost: a WebSocket each, most of them silent, some with a turn that waits for its model.

use super::{UNLIMITED, process, with_tools};
use crate::report::{Aim, Report};
use anyhow::{Context as _, Result, bail};
use anyturn_tests::cluster::ASSISTANT;
use anyturn_tests::plan::Plan;
use anyturn_tests::users::{SECRET, token};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Users who are connected.
const USERS: usize = 1000;
/// How many of them wait for an answer.
const WAITING: usize = 100;

/// Memory above that of a host that has had a turn, and has nothing to do.
pub async fn measure(report: &mut Report) -> Result<()> {
    let cluster = with_tools()
        .await
        .env(UNLIMITED.0, UNLIMITED.1)
        .env("APP_ASSISTANT", ASSISTANT)
        .env("JWT_SECRET", SECRET);
    let host = cluster.instance().await;
    let (port, pid) = (host.port(), host.pid());
    let mut first = User::connect(port, "the first one").await?;
    first.say(&plan("begun")).await?;
    first.answer().await?;
    first.leave().await?;

    let idle = process::proportional(pid)?;
    let mut users = Vec::with_capacity(USERS);
    for number in 0..USERS {
        users.push(User::connect(port, &format!("user {number}")).await?);
    }
    let connected = process::proportional(pid)?;
    let mut holds = Vec::with_capacity(WAITING);
    for (number, user) in users.iter_mut().take(WAITING).enumerate() {
        let plan = plan(&format!("number {number}"));
        let hold = cluster.holds.place(plan.asking(0));
        user.say(&plan).await?;
        hold.reached().await;
        holds.push(hold);
    }
    let busy = process::proportional(pid)?;
    drop(holds);
    // All were connected all the time, and all that was asked is answered.
    for user in users.iter_mut().take(WAITING) {
        user.answer().await?;
    }
    for user in users {
        user.leave().await?;
    }

    report.add(
        format!("memory of {USERS} connected WebSockets above an idle host"),
        connected - idle,
        "MiB",
        None,
    );
    report.add(
        format!("… with {WAITING} turns in flight"),
        busy - idle,
        "MiB",
        Some(Aim::AtMost(100.0)),
    );
    Ok(())
}

fn plan(answer: &str) -> Plan {
    Plan {
        answer: answer.to_owned(),
        ..Plan::default()
    }
}

/// A user's connection.
struct User(WebSocketStream<TcpStream>);

impl User {
    async fn connect(port: u16, name: &str) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let address = format!("ws://127.0.0.1:{port}/ws?token={}", token(name));
        let (socket, _) = tokio_tungstenite::client_async(address, stream).await?;
        Ok(Self(socket))
    }

    async fn say(&mut self, plan: &Plan) -> Result<()> {
        let message = json!({"type": "message", "data": {"message": plan.message()}});
        Ok(self.0.send(Message::text(message.to_string())).await?)
    }

    /// Waits for the answer, which must be none of an error.
    async fn answer(&mut self) -> Result<()> {
        loop {
            let message = self.0.next().await.context("the connection stays")??;
            let Message::Text(text) = message else { continue };
            let told: Value = serde_json::from_str(&text)?;
            match told.get("type").and_then(Value::as_str) {
                Some("progress") => {}
                Some("response") => return Ok(()),
                _ => bail!("a user was told {text}"),
            }
        }
    }

    /// Closes, and waits until the host has closed as well.
    async fn leave(mut self) -> Result<()> {
        self.0.close(None).await?;
        while let Some(message) = self.0.next().await {
            message?;
        }
        Ok(())
    }
}
