//! `anyturn load`: real turns against a running server, and a report of how it did.
//!
//! Bounded in time and in the number of turns. Without `--rate` each client begins its next turn when the last
//! one has ended; with it, turns begin at that rate whatever the server does, and count from the moment at which
//! they should have begun, so that a server that stalls cannot hide it.

mod client;
mod report;
mod server;

pub(crate) use report::{OFFLINE, Report};

use super::duration;
use anyhow::{Context as _, Result, bail};
use client::{Client, Outcome};
use report::Tally;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What `load` can be told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:3000", value_name = "URL")]
    url: String,

    /// An API key or a JWT, sent as `Authorization: Bearer …`.
    #[arg(long, env = "ANYTURN_KEY", hide_env_values = true, value_name = "KEY")]
    key: Option<String>,

    /// The assistant that is talked to.
    #[arg(long, default_value = "chat", value_name = "NAME")]
    assistant: String,

    /// What is said; may be given several times, and is said in turn.
    #[arg(long = "message", default_value = "Hello!", value_name = "TEXT")]
    messages: Vec<String>,

    /// How many turns one conversation has.
    #[arg(long, default_value_t = 5, value_name = "TURNS", value_parser = clap::value_parser!(u32).range(1..))]
    turns_per_session: u32,

    /// How many clients talk at the same time.
    #[arg(long, default_value_t = 16, value_name = "CLIENTS", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,

    /// Turns that begin each second; without it, as many as the clients manage.
    #[arg(long, value_name = "TURNS")]
    rate: Option<f64>,

    /// How many turns at most.
    #[arg(long, default_value_t = 1000, value_name = "TURNS", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    turns: u64,

    /// For how long at most; turns that have begun then are waited for.
    #[arg(long, default_value = "1m", value_name = "TIME", value_parser = duration)]
    duration: Duration,

    /// How long a turn may take.
    #[arg(long, default_value = "1m", value_name = "TIME", value_parser = duration)]
    timeout: Duration,

    /// Asks for answers in one piece instead of streams.
    #[arg(long)]
    json: bool,

    /// Writes the report as JSON too, for `anyturn capacity --report`.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What all clients share.
struct Run {
    arguments: Arguments,
    began: Instant,
    begun: AtomicU64,
    stopped: AtomicBool,
    tally: Mutex<Tally>,
}

impl Run {
    /// The number of the next turn and when it is due; `None` when there is none.
    fn next(&self) -> Option<(u64, Instant)> {
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let due = match self.arguments.rate {
            Some(rate) => self.began + Duration::from_secs_f64(number as f64 / rate),
            None => Instant::now(),
        };
        let over = number >= self.arguments.turns || due >= self.began + self.arguments.duration;
        (!over).then_some((number, due))
    }

    fn tally<T>(&self, look: impl FnOnce(&mut Tally) -> T) -> T {
        look(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Does it, and ends with a failure when no turn succeeded.
pub(super) fn run(arguments: Arguments) -> Result<()> {
    if arguments
        .rate
        .is_some_and(|rate| !rate.is_finite() || rate <= 0.0)
    {
        bail!("--rate must be more than 0");
    }
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be started")?;
    let report = tokio.block_on(drive(arguments))?;
    print!("{report}");
    if report.turns == 0 {
        bail!("no turn succeeded");
    }
    Ok(())
}

async fn drive(arguments: Arguments) -> Result<Report> {
    let http = crate::outbound::client::pool().map_err(anyhow::Error::msg)?;
    let client = Arc::new(Client::new(http.clone(), &arguments)?);
    let before = server::read(&http, &arguments.url).await;
    let run = Arc::new(Run {
        began: Instant::now(),
        begun: AtomicU64::new(0),
        stopped: AtomicBool::new(false),
        tally: Mutex::default(),
        arguments,
    });
    eprintln!(
        "{} clients, at most {} turns and {:?}; Ctrl-C ends it early",
        run.arguments.clients, run.arguments.turns, run.arguments.duration
    );
    let talking: Vec<_> = (0..run.arguments.clients)
        .map(|_| tokio::spawn(talk(Arc::clone(&run), Arc::clone(&client))))
        .collect();
    let progress = tokio::spawn(progress(Arc::clone(&run)));
    let stop = tokio::spawn({
        let run = Arc::clone(&run);
        async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                run.stopped.store(true, Ordering::Relaxed);
                eprintln!("ending; turns that have begun are waited for");
            }
        }
    });
    for client in talking {
        client.await?;
    }
    let took = run.began.elapsed();
    progress.abort();
    stop.abort();
    let after = server::read(&http, &run.arguments.url).await;
    let tally = run.tally(std::mem::take);
    let report = Report::new(&run.arguments, tally, took, before, after);
    if let Some(file) = &run.arguments.report {
        let json = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, json + "\n").with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(report)
}

/// One client: conversation after conversation.
async fn talk(run: Arc<Run>, client: Arc<Client>) {
    let mut session: Option<String> = None;
    let mut turns = 0;
    while let Some((number, due)) = run.next() {
        tokio::time::sleep_until(due).await;
        if turns == run.arguments.turns_per_session {
            session = None;
            turns = 0;
        }
        let count = run.arguments.messages.len().max(1) as u64;
        let message = usize::try_from(number % count)
            .ok()
            .and_then(|index| run.arguments.messages.get(index))
            .map_or("", String::as_str);
        let turn = client.turn(session.as_deref(), message, due);
        let outcome = match tokio::time::timeout(run.arguments.timeout, turn).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Failed("no answer in time".to_owned()),
        };
        match &outcome {
            Outcome::Finished(finished) => {
                session = Some(finished.session.clone());
                turns += 1;
            }
            // What became of the conversation is not known.
            Outcome::Failed(_) => session = None,
        }
        run.tally(|tally| tally.add(outcome));
    }
}

/// Tells how far it has come, every second.
async fn progress(run: Arc<Run>) {
    let mut interval = tokio::time::interval(Duration::from_secs(1));
    interval.tick().await;
    let mut last = 0;
    loop {
        interval.tick().await;
        let (turns, failed) = run.tally(|tally| (tally.turns(), tally.failed()));
        eprintln!(
            "{:>5} s  {turns:>8} turns  {:>7}/s  {failed:>6} failed",
            run.began.elapsed().as_secs(),
            turns - last,
        );
        last = turns;
    }
}
