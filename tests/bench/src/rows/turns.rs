//! Whole turns with the offline model on Redis.

use super::process;
use super::requests::{begin, post, streamed, turn};
use super::{WARM_UP, on_redis};
use crate::load::{self, Connection, Measured};
use crate::report::{Aim, Report};
use anyhow::{Context as _, Result};
use anyturn_tests::redis_server::RedisServer;
use http_body_util::BodyExt as _;
use serde_json::json;
use std::time::{Duration, Instant};

/// Turns with and without a tool, one after another and many at once.
pub async fn measure(report: &mut Report, time: Duration) -> Result<()> {
    let redis = RedisServer::start_without_log().await;
    let host = on_redis(&redis).await;
    let port = host.port();

    let session = begin(port, "chat").await?;
    let one = load::run(port, 1, WARM_UP, time, |_| turn(&session)).await?;
    report.add(
        "turn (JSON, offline model, Redis), one connection, p50",
        one.quantile(0.5),
        "ms",
        Some(Aim::AtMost(1.0)),
    );
    report.add("… p99", one.quantile(0.99), "ms", None);

    let mut sessions = Vec::new();
    for _ in 0..64 {
        sessions.push(begin(port, "chat").await?);
    }
    let of_session = |number: usize| turn(sessions.get(number).map_or("", String::as_str));
    let many = load::run(port, 64, WARM_UP, time, of_session).await?;
    report.add(
        "turns, 64 connections",
        many.rate(),
        "/s",
        Some(Aim::AtLeast(5_000.0)),
    );
    report.add("… p50", many.quantile(0.5), "ms", None);
    report.add("… p99", many.quantile(0.99), "ms", Some(Aim::AtMost(30.0)));
    let computing = || {
        let redis: u32 = redis
            .info("server", "process_id")
            .context("Redis tells its process")?
            .parse()?;
        let times = [
            process::computing(host.pid())?,
            process::computing(redis)?,
            process::own_computing()?,
        ];
        anyhow::Ok(times)
    };
    let before = computing()?;
    let run = load::run(port, 64, Duration::ZERO, time / 2, of_session).await?;
    let after = computing()?;
    let whose = ["the host", "Redis", "the load generator"];
    for ((whose, before), after) in whose.into_iter().zip(before).zip(after) {
        let taken = after.saturating_sub(before).as_secs_f64() * 1e6 / run.count() as f64;
        report.add(format!("… computing time of {whose} per turn"), taken, "µs", None);
    }

    let first = first_event(port, &session, 400).await?;
    report.add(
        "first streamed event, one connection, p50",
        first.quantile(0.5),
        "ms",
        Some(Aim::AtMost(1.5)),
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

async fn first_event(port: u16, session: &str, times: usize) -> Result<Measured> {
    let mut connection = Connection::open(port).await?;
    let mut latencies = Vec::new();
    for _ in 0..times {
        let request = streamed(turn(session)());
        let start = Instant::now();
        let mut body = connection.begin(request).await?.into_body();
        body.frame().await.context("the stream has a first event")??;
        latencies.push(start.elapsed());
        while body.frame().await.transpose()?.is_some() {}
    }
    Ok(Measured::from_latencies(latencies))
}

/// Counts at Redis itself, so that nothing can be forgotten; of several counts the least, as the host also looks for
/// turns that were lost, whenever a few seconds have passed.
async fn round_trips(redis: &RedisServer, port: u16, session: &str, message: &str) -> Result<f64> {
    const TURNS: u64 = 20;
    const TIMES: u32 = 3;
    let scripts = || redis.calls("evalsha") + redis.calls("eval") + redis.calls("fcall");
    let mut connection = Connection::open(port).await?;
    let mut least = f64::INFINITY;
    for _ in 0..TIMES {
        let before = scripts();
        for _ in 0..TURNS {
            connection
                .send(post(
                    &format!("/v1/sessions/{session}/turns"),
                    &json!({ "message": message }),
                ))
                .await?;
        }
        least = least.min((scripts() - before) as f64 / TURNS as f64);
    }
    Ok(least)
}
