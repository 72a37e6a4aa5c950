//! What `anyturn up` says when it serves: where things are, what is in use, and how to change it.

use crate::logging::Format;

use crate::runtime::Runtime;
use anyturn_check::Checked;
use anyturn_manifest::{Component, Dependency};
use anyturn_store::AnyStore;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Prints it to standard output; in JSON, as a log event.
pub(super) fn print(
    checked: &Checked,
    runtime: &Runtime,
    address: SocketAddr,
    took: Duration,
    format: Format,
) {
    let base = format!("http://{}", reachable(address));
    let status = &runtime.status;
    let dependencies = checked.application.triggered().flat_map(Component::dependencies);
    let provided = status.store.is_some()
        && status.components_store.is_none()
        && dependencies
            .map(Dependency::name)
            .any(|name| name.package().as_deref() == Some("anyturn:state"));
    if format == Format::Json {
        tracing::info!(
            address = %base,
            store = status.store.as_ref().map_or("none", AnyStore::description),
            model = status.model.as_ref().map_or("none", |model| model.provider),
            state_provided_by_host = provided,
            took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "serving"
        );
        return;
    }
    println!(
        "{} is served at {base} (ready in {} ms)\n",
        checked.application.name(),
        took.as_millis()
    );
    let find = |path: &str| {
        runtime
            .routes()
            .find(path)
            .map(|routed| routed.route.to.component().map(|component| component.id.clone()))
    };
    if find("/").is_some() {
        println!("  page      {base}/");
    }
    if find("/docs").is_some_and(|component| Some(component) != find("/no-such-page")) {
        println!("  API       {base}/docs");
    }
    println!("  health    {base}/health");
    if let Some(store) = &status.store {
        let advice = match store {
            AnyStore::Embedded(_) => "REDIS_URL=redis://… to share it between several hosts",
            AnyStore::Redis(_) => "unset REDIS_URL for the embedded one",
        };
        println!("\n  store     {}\n            ({advice})", store.description());
    }
    if let Some(model) = &status.model {
        let name = if model.name.is_empty() {
            String::new()
        } else {
            format!(", {}", model.name)
        };
        let advice = match model.provider {
            "offline" => "OPENAI_API_KEY, GROQ_API_KEY, GEMINI_API_KEY or LLM_BASE_URL for a language model",
            _ => "LLM_PROVIDER and LLM_MODEL choose another; LLM_PROVIDER=offline needs none",
        };
        println!("  model     {}{name}\n            ({advice})", model.provider);
    }
    if !checked.values.text("development_user").is_empty() && !anyturn_check::is_identified(&checked.values) {
        println!(
            "  users     everybody on this machine is {:?}\n            (JWT_SECRET or API_KEYS for others)",
            checked.values.text("development_user")
        );
    }
    if provided {
        println!("\n  anyturn:state is provided by this host; the manifest's dependency for it is left out.");
    }
    println!();
}

/// An address that a browser on this machine can open.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip().is_unspecified() {
        true => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()),
        false => address,
    }
}
