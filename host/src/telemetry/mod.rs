//! What is told of the application to those who run it, beyond what the host sees for itself.
//!
//! The host watches every crossing: requests, calls between components, operations of the store, requests to
//! other servers. What they are for, a component says by `anyturn:telemetry`: its [`spans`] say which turn,
//! step, model or tool it was. From the same spans come the counts of [`agents`], always, and [`traces`], where
//! somebody collects them. Metrics can be asked for at `/metrics`, and are [sent](push) to whoever wants them so.

pub(crate) mod agents;
pub(crate) mod conventions;
mod environment;
pub(crate) mod export;
mod labels;
pub(crate) mod push;
mod resource;
mod settings;
pub(crate) mod spans;
pub(crate) mod traces;
pub(crate) mod watch;

use crate::outbound::client;
use anyhow::{Result, anyhow};
use environment::Variables;
use push::Push;
use traces::Traces;

/// What leaves the process by OTLP.
pub(crate) struct Exporting {
    pub(crate) traces: Traces,
    pub(crate) metrics: Option<Push>,
}

/// Reads what OpenTelemetry's variables ask for; nothing without them. To be called within the asynchronous runtime,
/// which exports.
pub(crate) fn from_environment() -> Result<Exporting> {
    let read = |name: &str| std::env::var(name).ok();
    let variables = Variables(&read);
    let traces = settings::Settings::read(&variables)?;
    let metrics = push::Settings::read(&variables)?;
    if traces.is_none() && metrics.is_none() {
        return Ok(Exporting {
            traces: Traces::off(),
            metrics: None,
        });
    }
    let client = client::pool().map_err(|reason| anyhow!(reason))?;
    let resource = resource::resource(&variables);
    Ok(Exporting {
        traces: match traces {
            Some(settings) => Traces::exported(&settings, client.clone(), resource.clone())?,
            None => Traces::off(),
        },
        metrics: metrics.map(|settings| Push::new(settings, client, &resource)),
    })
}
