//! `anyturn health`: asks a running host how it is, for health checks where there is neither a shell nor curl, as in
//! anyturn's own image.

use super::duration;
use anyhow::{Context as _, Result, bail};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// What `health` can be told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The address that the host listens at.
    #[arg(long, env = "ANYTURN_LISTEN", default_value = super::LISTEN, value_name = "ADDRESS")]
    listen: SocketAddr,

    /// What to ask for.
    #[arg(value_enum, default_value = "ready")]
    page: Page,

    /// How long the answer may take.
    #[arg(long, default_value = "3s", value_name = "TIME", value_parser = duration)]
    timeout: Duration,
}

/// What a host tells about itself.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Page {
    /// Whether it works at all, also while it stops.
    Live,
    /// Whether requests should be sent to it.
    Ready,
    /// Whether everything that it needs is there, the store too.
    Health,
}

impl Page {
    fn path(self) -> &'static str {
        match self {
            Self::Live => "/live",
            Self::Ready => "/ready",
            Self::Health => "/health",
        }
    }
}

/// Prints what the host answers; an error unless that is a success.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let url = format!("http://{}{}", local(arguments.listen), arguments.page.path());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be started")?;
    let (status, body) = runtime.block_on(ask(&url, arguments.timeout))?;
    println!("{body}");
    if !status.is_success() {
        bail!("{url} answers {status}");
    }
    Ok(())
}

async fn ask(url: &str, timeout: Duration) -> Result<(http::StatusCode, String)> {
    // The client insists on a provider for TLS, which nothing here needs.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .tls_certs_only([])
        .no_proxy()
        .timeout(timeout)
        .build()
        .context("the network client cannot be made")?;
    let asked = async {
        let response = client.get(url).send().await?;
        Ok::<_, reqwest::Error>((response.status(), response.text().await?))
    };
    asked
        .await
        .with_context(|| format!("{url} gives no answer; `--listen` (ANYTURN_LISTEN) says where the host is"))
}

/// Where a host that listens at an address is reached from the same machine.
fn local(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_listens_everywhere_is_asked_on_this_machine() {
        for (listen, asked) in [
            ("0.0.0.0:3000", "127.0.0.1:3000"),
            ("[::]:8080", "[::1]:8080"),
            ("10.0.0.7:3000", "10.0.0.7:3000"),
        ] {
            assert_eq!(local(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
