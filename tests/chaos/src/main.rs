//! Kills instances at random while clients talk, and counts what was lost and what was done twice.
//!
//! Several hosts on one Redis that keeps what it has acknowledged. Clients hold conversations whose turns call
//! tools of every effect class; they lose patience, come back at another host, and listen to streams that break.
//! Meanwhile hosts are killed and started again, paused for longer than their leases, and cut off from the
//! store. What tools did is counted in this process, where anyturn cannot reach it. The exit code is 1 when
//! anything was lost, doubled or said wrongly.
//!
//! The same seed gives the same conversations and the same failures in the same order; when exactly they meet
//! is up to the machine.

mod chance;
mod client;
mod fleet;
mod tally;
mod verdict;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use anyturn_tests::cluster::Cluster;
use anyturn_tests::users;
use clap::Parser;

use chance::Chance;
use client::World;
use fleet::Fleet;
use tally::Tally;

/// How much of everything.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "cargo xtask chaos",
    about = "Kill instances at random while clients talk, and count what was lost and what was done twice"
)]
struct Options {
    /// Instances to kill before it is enough.
    #[arg(long, default_value_t = 500)]
    kills: u64,
    /// Minutes after which it is enough, however many were killed.
    #[arg(long, default_value_t = 20)]
    minutes: u64,
    /// What chance begins with; printed, so that a run can be repeated.
    #[arg(long)]
    seed: Option<u64>,
    /// Hosts.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(2..=16))]
    hosts: u64,
    /// Clients that talk at the same time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1000))]
    clients: u64,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(run(options))
}

async fn run(options: Options) -> Result<ExitCode> {
    let seed = options.seed.unwrap_or_else(random_seed);
    println!("seed {seed}: repeat with `cargo xtask chaos --seed {seed}`");
    let chance = Chance::new(seed);
    let cluster = Arc::new(Cluster::start().await.env("JWT_SECRET", users::SECRET));
    cluster.provider.forget_requests();
    let tally = Arc::new(Tally::default());
    let fleet = Fleet::start(cluster.clone(), options.hosts, tally.clone()).await;
    let began = Instant::now();

    let world = Arc::new(World {
        cluster: cluster.clone(),
        fleet: fleet.clone(),
        tally: tally.clone(),
    });
    let clients: Vec<_> = (0..options.clients)
        .map(|number| tokio::spawn(client::live(world.clone(), number, chance.for_whom(number))))
        .collect();
    let failures = fleet.torment(&chance);

    let enough = Duration::from_secs(options.minutes * 60);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    while tally.kills() < options.kills && began.elapsed() < enough {
        ticks.tick().await;
        tally.show(began.elapsed());
    }
    // What is under way comes to its end on hosts that nobody disturbs.
    failures.end().await;
    tally.close();
    for client in clients {
        client.await?;
    }
    verdict::last(&world).await;
    let passed = tally.report(began.elapsed(), seed);
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn random_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_micros() as u64 % 1_000_000
}
