//! What the program can be asked to do.

use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

#[derive(Parser)]
#[command(name = "anyturn", version, about = "Serves the application that a spin.toml describes")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves.
    Up(Up),
}

#[derive(clap::Args)]
struct Up {
    #[arg(long, env = "ANYTURN_LISTEN", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    #[arg(long, env = "ANYTURN_MANIFEST", default_value = "spin.toml")]
    manifest: PathBuf,
    #[arg(long, env = "ANYTURN_DATA_DIR", default_value = ".anyturn")]
    data_dir: PathBuf,
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    crate::logging::start(crate::logging::Format::Pretty);
    let result = match arguments.command { Command::Up(up) => run(up) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => { eprintln!("error: {error:#}"); ExitCode::FAILURE }
    }
}

fn run(up: Up) -> anyhow::Result<()> {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tokio.block_on(async move {
        let app = crate::app::read(&up.manifest)?;
        let (engine, room) = crate::engine::new(2048)?;
        let _ticker = crate::engine::Ticker::start(&engine)?;
        let limits = crate::engine::limits::Limits { memory: 256 << 20, table: 100_000, cpu: Duration::from_secs(10), wall: Duration::from_secs(600) };
        let runtime = crate::prepare::runtime(&app, &engine, room, limits, &up.data_dir.join("compiled"), 256)?;
        let drain = crate::drain::Drain::new();
        let listener = crate::server::bind(up.listen).await?;
        eprintln!("serving on http://{}", listener.local_addr()?);
        let runtime = Arc::new(runtime);
        let settings = crate::server::Settings { connections: 10_000, development: true };
        let serving = tokio::spawn(crate::server::serve(listener, Arc::clone(&runtime), settings, drain.clone()));
        crate::drain::signal().await;
        drain.begin();
        serving.await?;
        drain.finish(Duration::from_secs(30), || runtime.admission.live() == 0).await;
        Ok(())
    })
}
