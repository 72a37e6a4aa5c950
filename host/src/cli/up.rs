//! `anyturn up`: serves the application until it is told to stop.

use super::configuration::{self, error_of};
use super::{duration, greeting};
use crate::admission::Queue;
use crate::engine::aot::Cache;
use crate::engine::limits::Limits;
use crate::engine::{self, Ticker};
use crate::logging::{self, Format};
use crate::prepare::{self, Means};
use crate::readiness::Readiness;
use crate::runtime::Status;
use crate::telemetry;
use crate::telemetry::push::Pushing;
use crate::websocket::{self, WebSockets};
use crate::{drain, messages, server, tick};
use anyhow::{Context as _, Result, anyhow};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What `up` can be told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    application: configuration::Arguments,

    /// Where to listen. Anything but a loopback address needs JWT_SECRET or API_KEYS.
    #[arg(
        long,
        env = "ANYTURN_LISTEN",
        default_value = super::LISTEN,
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,

    /// How many requests an instance serves before it is thrown away. With 1, no memory of a request survives it.
    #[arg(long, env = "ANYTURN_REUSE", default_value_t = 1, value_name = "REQUESTS",
          value_parser = clap::value_parser!(u32).range(1..))]
    reuse: u32,

    /// Threads that serve connections and run components. As many as there are cores unless it is said.
    #[arg(long, env = "ANYTURN_THREADS", value_name = "THREADS",
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,

    /// How many requests are worked on at once.
    #[arg(long, env = "ANYTURN_MAX_REQUESTS", default_value_t = 2000, value_name = "REQUESTS",
          value_parser = clap::value_parser!(u32).range(1..=20_000))]
    max_requests: u32,

    /// How many more may wait; the rest is answered 503.
    #[arg(
        long,
        env = "ANYTURN_MAX_WAITING",
        default_value_t = 1000,
        value_name = "REQUESTS"
    )]
    max_waiting: usize,

    /// How long each of them may wait.
    #[arg(long, env = "ANYTURN_MAX_WAIT", default_value = "2s", value_name = "TIME", value_parser = duration)]
    max_wait: Duration,

    /// How many connections may be open; the rest is answered 503.
    #[arg(
        long,
        env = "ANYTURN_MAX_CONNECTIONS",
        default_value_t = 10_000,
        value_name = "CONNECTIONS"
    )]
    max_connections: usize,

    /// How many WebSockets a user may have open.
    #[arg(
        long,
        env = "ANYTURN_MAX_WEBSOCKETS_PER_USER",
        default_value_t = 20,
        value_name = "CONNECTIONS"
    )]
    max_websockets_per_user: usize,

    /// How often a silent WebSocket client is asked whether it is still there; it is left after three times.
    #[arg(long, env = "ANYTURN_WEBSOCKET_PING", default_value = "30s", value_name = "TIME", value_parser = duration)]
    websocket_ping: Duration,

    /// How long a WebSocket client may take to read a message until it is left.
    #[arg(long, env = "ANYTURN_WEBSOCKET_PATIENCE", default_value = "30s", value_name = "TIME", value_parser = duration)]
    websocket_patience: Duration,

    /// Memory that an instance may have, in MiB.
    #[arg(long, env = "ANYTURN_MEMORY_LIMIT", default_value_t = 256, value_name = "MIB",
          value_parser = clap::value_parser!(u32).range(1..=4096))]
    memory_limit: u32,

    /// Computing time that a request may take.
    #[arg(long, env = "ANYTURN_CPU_LIMIT", default_value = "10s", value_name = "TIME", value_parser = duration)]
    cpu_limit: Duration,

    /// Time that a request may take, its stream included.
    #[arg(long, env = "ANYTURN_TIME_LIMIT", default_value = "10m", value_name = "TIME", value_parser = duration)]
    time_limit: Duration,

    /// How long the store may be out of reach before /ready says no.
    #[arg(long, env = "ANYTURN_READY_GRACE", default_value = "10s", value_name = "TIME", value_parser = duration)]
    ready_grace: Duration,

    /// Time between /ready saying no and the port being closed, when the program is told to stop; without it 5s,
    /// and none on a loopback address.
    #[arg(long, env = "ANYTURN_DRAIN_PAUSE", value_name = "TIME", value_parser = duration)]
    drain_pause: Option<Duration>,

    /// Time for what is under way when the program is told to stop, after the pause.
    #[arg(long, env = "ANYTURN_DRAIN_TIMEOUT", default_value = "30s", value_name = "TIME", value_parser = duration)]
    drain_timeout: Duration,

    /// How to log, to standard error.
    #[arg(long, env = "ANYTURN_LOG_FORMAT", value_enum, default_value = "pretty")]
    log_format: Format,
}

/// The pause before the port is closed, where others than this machine can connect: longer than load balancers
/// take to notice, as they ask every few seconds.
const DRAIN_PAUSE: Duration = Duration::from_secs(5);

/// The shortest time between two pings: none would be a loop.
const SHORTEST_PING: Duration = Duration::from_millis(10);

/// Time for the last exports, when everything else left none, and at most.
const LEAST_FOR_EXPORTS: Duration = Duration::from_secs(1);
const MOST_FOR_EXPORTS: Duration = Duration::from_secs(5);

/// Elements that a table may have: function pointers, so far more than any component needs.
const TABLE_LIMIT: usize = 20_000;

/// Serves.
pub(super) fn run(arguments: Arguments) -> Result<()> {
    logging::start(arguments.log_format);
    let mut tokio = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = arguments.threads {
        tokio.worker_threads(usize::try_from(threads).unwrap_or(usize::MAX));
    }
    let tokio = tokio
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be started")?;
    tokio.block_on(serve(arguments))
}

async fn serve(arguments: Arguments) -> Result<()> {
    let started = Instant::now();
    let application = &arguments.application;
    let (mut checked, warnings) = application
        .check(arguments.listen.ip())
        .map_err(|findings| error_of(&findings, &application.manifest))?;
    for warning in warnings.iter() {
        tracing::warn!("{warning}");
    }
    tick::choose_secret(&mut checked.values)?;
    // Half of the room is for calls from component to component.
    let (engine, room) = engine::new(arguments.max_requests.saturating_mul(2), application.processor)?;
    let _ticker = Ticker::start(&engine)?;
    let cache = Cache::open(&application.compiled(), &engine)?;
    let compiled = tokio::task::block_in_place(|| {
        prepare::compile(
            &checked.application,
            &cache,
            &|name| application.provides(name),
            |text| eprintln!("{text}"),
        )
    })?;
    let store = match prepare::needs_state(&engine, &checked.application, &compiled) {
        true => Some(prepare::store(&checked, &application.data_dir).await?),
        false => None,
    };

    let exporting = telemetry::from_environment()?;
    let means = Means {
        engine: &engine,
        room,
        queue: Queue {
            length: arguments.max_waiting,
            patience: arguments.max_wait,
        },
        reuse: arguments.reuse,
        limits: Limits {
            memory: usize::try_from(arguments.memory_limit)
                .unwrap_or(usize::MAX)
                .saturating_mul(1 << 20),
            table: TABLE_LIMIT,
            cpu: arguments.cpu_limit,
            wall: arguments.time_limit,
        },
        files: &application.files(),
        traces: exporting.traces,
        status: Status {
            store,
            components_store: application.components_store(&checked),
            model: anyturn_check::model(&checked.values),
        },
    };
    let runtime = prepare::runtime(&checked.application, &checked.values, &compiled, means)?;
    runtime.metrics.cache(cache.counts());
    drop(compiled);
    let listener = server::bind(arguments.listen).await?;
    let address = listener.local_addr()?;
    greeting::print(
        &checked,
        &runtime,
        address,
        started.elapsed(),
        arguments.log_format,
    );
    let identified = anyturn_check::is_identified(&checked.values);
    let runtime = Arc::new(runtime);
    let drain = drain::Drain::new();
    let readiness = Readiness::watch(runtime.status.store.clone(), arguments.ready_grace);
    let pushing = exporting.metrics.map(|metrics| {
        let (runtime, readiness, drain) = (Arc::clone(&runtime), readiness.clone(), drain.clone());
        let exports = runtime.metrics.exports().clone();
        metrics.start(exports, move || {
            runtime.series(readiness.obstacle(&drain).is_none())
        })
    });
    tick::start(&checked.application, &runtime, &drain);
    let subscriptions = checked.application.subscriptions(&checked.values);
    messages::start(
        subscriptions.map_err(|findings| anyhow!("{findings}"))?,
        &runtime,
        &drain,
    );
    let websockets = WebSockets::new(
        &checked.application,
        &runtime,
        websocket::Limits {
            per_user: arguments.max_websockets_per_user,
            ping: arguments.websocket_ping.max(SHORTEST_PING),
            patience: arguments.websocket_patience,
        },
    );
    let settings = server::Settings {
        connections: arguments.max_connections,
        development: !identified && arguments.listen.ip().is_loopback(),
        readiness,
        websockets,
    };
    until_stopped(listener, runtime, pushing, settings, drain, &arguments).await
}

async fn until_stopped(
    listener: tokio::net::TcpListener,
    runtime: Arc<crate::runtime::Runtime>,
    pushing: Option<Pushing>,
    settings: server::Settings,
    drain: drain::Drain,
    arguments: &Arguments,
) -> Result<()> {
    // Whoever sees that the host is ready may stop it at once.
    let stopped = drain::signal();
    let serving = tokio::spawn(server::serve(
        listener,
        Arc::clone(&runtime),
        settings,
        drain.clone(),
    ));
    stopped.await;
    let loopback = arguments.listen.ip().is_loopback();
    let pause = match arguments.drain_pause {
        Some(pause) => pause,
        None if loopback => Duration::ZERO,
        None => DRAIN_PAUSE,
    };
    tracing::info!(
        live = runtime.admission.live(),
        "stopping; /ready says no, the port is closed in {} s, what is under way has {} s then, another signal \
         ends it at once",
        pause.as_secs_f64(),
        arguments.drain_timeout.as_secs_f64()
    );
    drain.leave();
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = drain::signal() => {
            tracing::warn!(live = runtime.admission.live(), "stopped at once");
            return Ok(());
        }
    }
    drain.begin();
    let deadline = Instant::now() + arguments.drain_timeout;
    serving.await?;
    tokio::select! {
        finished = drain.finish(arguments.drain_timeout, || runtime.admission.live() == 0) => {
            if !finished {
                tracing::warn!(live = runtime.admission.live(), "not everything ended in time");
            }
        }
        () = drain::signal() => {
            tracing::warn!(live = runtime.admission.live(), "stopped at once");
            return Ok(());
        }
    }
    let left = deadline.saturating_duration_since(Instant::now());
    finish_exports(runtime, pushing, left.clamp(LEAST_FOR_EXPORTS, MOST_FOR_EXPORTS)).await;
    Ok(())
}

/// Exports the last spans and what the metrics say at last, for as long as that may take; another signal ends it at once.
async fn finish_exports(runtime: Arc<crate::runtime::Runtime>, pushing: Option<Pushing>, limit: Duration) {
    let (done, finished) = tokio::sync::oneshot::channel();
    // In a thread that nobody waits for, as the asynchronous runtime does for its own.
    std::thread::spawn(move || {
        runtime.traces.finish(limit);
        let _ = done.send(());
    });
    let metrics = async {
        if let Some(pushing) = pushing {
            pushing.finish(limit).await;
        }
    };
    tokio::select! {
        _ = futures::future::join(finished, metrics) => {}
        () = drain::signal() => {}
    }
}
