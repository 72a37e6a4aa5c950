//! From a manifest to an application that is ready to serve.

use crate::admission::Admission;
use crate::app::App;
use crate::engine::aot::Cache;
use crate::engine::limits::Limits;
use crate::metrics::Metrics;
use crate::runtime::{ChainedRoute, Component, Runtime, Status};
use crate::server::routes::{Route, Routes};
use anyhow::{Context as _, Result, bail};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::Linker;
use wasmtime_wasi_http::handler::ProxyPre;
use crate::guest::Guest;

pub(crate) fn runtime(app: &App, engine: &Engine, room: u32, limits: Limits, cache: &Path, queue: usize) -> Result<Runtime> {
    let cache = Cache::open(cache, engine)?;
    let linker = crate::linker::new(engine).map_err(crate::engine::anyhow_of)?;
    let mut components = HashMap::new();
    for spec in &app.components {
        let wasm = std::fs::read(&spec.source).with_context(|| spec.source.display().to_string())?;
        let key = cache.key([wasm.as_slice()]);
        let compiled = match cache.load(&key) { Some(c) => c, None => cache.compile(&key, &wasm)? };
        let component = Arc::new(Component {
            id: spec.id.clone(),
            pre: pre(&linker, &compiled).with_context(|| spec.id.clone())?,
            wasi: Default::default(),
            variables: HashMap::new(),
            allowed_hosts: crate::app::AllowedHosts(spec.allowed.clone()),
            state: None,
        });
        components.insert(spec.id.clone(), ChainedRoute { component });
    }
    let mut routes = Vec::new();
    for (pattern, id) in &app.routes {
        let Some(c) = components.get(id) else { bail!("no component {id}") };
        routes.push(Route::new(pattern, Arc::clone(&c.component))?);
    }
    let metrics = Metrics::new();
    metrics.cache(cache.counts());
    Ok(Runtime {
        engine: engine.clone(), limits, admission: Admission::new(room, queue), metrics,
        outbound: Default::default(),
        forbidden_headers: Arc::new(|name| wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS.contains(name)),
        components, routes: Routes::new(routes)?,
        status: Status { store: None, model_provider: "offline".into(), model_name: String::new() },
    })
}

fn pre(linker: &Linker<Guest>, component: &wasmtime::component::Component) -> Result<ProxyPre<Guest>> {
    let instance = linker.instantiate_pre(component).map_err(crate::engine::anyhow_of)?;
    if let Ok(pre) = wasmtime_wasi_http::p3::bindings::ServicePre::new(instance.clone()) {
        return Ok(ProxyPre::P3(pre));
    }
    Ok(ProxyPre::P2(wasmtime_wasi_http::p2::bindings::ProxyPre::new(instance).map_err(crate::engine::anyhow_of)?))
}
