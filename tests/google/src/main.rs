//! Runs the fake by itself, to try anyturn against it by hand: `cargo run -p anyturn-google-fake -- 127.0.0.1:4000`.

use std::net::SocketAddr;

use anyhow::Context;
use anyturn_google_fake::FakeGoogle;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:4000".to_owned());
    let address: SocketAddr = address
        .parse()
        .with_context(|| format!("{address} is no address; write one like 127.0.0.1:4000"))?;
    let google = FakeGoogle::bind(address).await?;
    println!("The fake of Google listens at {}.", google.url());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
