//! From a manifest to an application that is ready to serve.
//!
//! Components are composed and compiled side by side, each once: what is in the cache is loaded as it is, so
//! that only a first start takes time, and says what it is doing.

use crate::admission::{Admission, Queue};
use crate::code::Code;
use crate::compose::middleware::{self, Layer};
use crate::compose::{self, Part};
use crate::engine::anyhow_of;
use crate::engine::aot::Cache;
use crate::engine::limits::Limits;
use crate::files;
use crate::guest::Guest;
use crate::linker;
use crate::messages::handler::Handler;
use crate::metrics::{Measured, Metrics};
use crate::runtime::{Component, Runtime, Status};
use crate::server::routes::Routes;
use crate::telemetry::traces::Traces;
use crate::wasi::Template;
use anyhow::{Context as _, Result, anyhow};
use anyturn_check::Checked;
use anyturn_key_value::Bucket;
use anyturn_manifest::{Application, Dependency, DependencyName, Inherit, Middleware, Values};
use anyturn_store::AnyStore;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use wasmtime::Engine;
use wasmtime::component::{Component as Compiled, InstancePre};
use wasmtime_wasi_http::handler::ProxyPre;
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, p2, p3};

/// Part of every cache key: to be changed when composition changes what it makes of the same inputs.
const COMPOSITION: &[u8] = b"anyturn composition 4";

/// How the imports begin that the host's own state satisfies.
const STATE: &str = "anyturn:state/";

/// How the imports of components begin that speak to Redis themselves.
const REDIS: [&str; 2] = ["spin:redis/", "fermyon:spin/redis@"];

/// Compiled components, by id.
pub(crate) type Components = HashMap<String, Compiled>;

/// Composes and compiles every component that answers requests, or takes it from the cache. Dependencies that
/// are `provided` by the host are left out; `progress` is told of what is compiled, before and after.
pub(crate) fn compile(
    application: &Application,
    cache: &Cache,
    provided: &(impl Fn(&DependencyName) -> bool + Sync),
    progress: impl Fn(&str) + Sync,
) -> Result<Components> {
    let progress = &progress;
    std::thread::scope(|scope| {
        let threads: Vec<_> = application
            .triggered()
            .map(|component| {
                let thread = scope.spawn(move || {
                    compile_one(component, cache, provided, progress).with_context(|| {
                        format!("the component {:?} cannot be prepared", component.id().as_str())
                    })
                });
                (component.id().to_string(), thread)
            })
            .collect();
        threads
            .into_iter()
            .map(|(id, thread)| {
                let compiled = thread
                    .join()
                    .map_err(|_| anyhow!("the compiler failed on {id:?}"))??;
                Ok((id, compiled))
            })
            .collect()
    })
}

fn compile_one(
    component: &anyturn_manifest::Component,
    cache: &Cache,
    provided: impl Fn(&DependencyName) -> bool,
    progress: impl Fn(&str),
) -> Result<Compiled> {
    let own = Code::read(component.source())?;
    let dependencies: Vec<(&Dependency, Code<'_>)> = plugged(component, provided)
        .map(|dependency| Ok((dependency, Code::read(dependency.source())?)))
        .collect::<Result<_>>()?;
    let layers: Vec<(&Middleware, Code<'_>)> = component
        .middleware()
        .iter()
        .map(|layer| Ok((layer, Code::read(layer.source())?)))
        .collect::<Result<_>>()?;
    let descriptions: Vec<String> = dependencies
        .iter()
        .map(|(dependency, _)| description(dependency))
        .chain(
            layers
                .iter()
                .map(|(layer, _)| inherited("middleware", layer.inherit())),
        )
        .collect();
    let parts = dependencies.iter().map(|(_, code)| code);
    let parts = parts.chain(layers.iter().map(|(_, code)| code));
    let inputs = [COMPOSITION, own.digest()].into_iter();
    let key = cache.key(
        inputs.chain(
            parts
                .zip(&descriptions)
                .flat_map(|(code, text)| [text.as_bytes(), code.digest()]),
        ),
    );
    if let Some(compiled) = cache.load(&key) {
        return Ok(compiled);
    }
    progress(&format!("compiling {} …", component.id()));
    let started = Instant::now();
    let parts: Vec<Part<'_>> = dependencies
        .iter()
        .map(|(dependency, code)| {
            Ok(Part {
                name: dependency.name(),
                export: dependency.export(),
                inherit: dependency.inherit(),
                wasm: code.bytes()?,
            })
        })
        .collect::<Result<_>>()?;
    let composed = compose::compose(component.id().as_str(), own.bytes()?, &parts)?;
    let layers: Vec<Layer<'_>> = layers
        .iter()
        .map(|(layer, code)| {
            Ok(Layer {
                name: format!("the middleware {}", layer.source().display()),
                inherit: layer.inherit(),
                wasm: code.bytes()?,
            })
        })
        .collect::<Result<_>>()?;
    let composed = middleware::chain(component.id().as_str(), composed, &layers)?;
    let compiled = cache.compile(&key, &composed)?;
    progress(&format!(
        "compiled {} in {:.1} s",
        component.id(),
        started.elapsed().as_secs_f64()
    ));
    Ok(compiled)
}

/// Leaves notes in place of all code that [`compile`] reads.
pub(crate) fn leave_code_out(
    application: &Application,
    provided: impl Fn(&DependencyName) -> bool,
) -> Result<()> {
    let mut paths = BTreeSet::new();
    for component in application.triggered() {
        paths.insert(component.source());
        paths.extend(plugged(component, &provided).map(Dependency::source));
        paths.extend(component.middleware().iter().map(Middleware::source));
    }
    paths
        .into_iter()
        .try_for_each(|path| Code::read(path)?.leave_out())
}

/// The dependencies that become a part of a component.
fn plugged(
    component: &anyturn_manifest::Component,
    provided: impl Fn(&DependencyName) -> bool,
) -> impl Iterator<Item = &Dependency> {
    let dependencies = component.dependencies().iter();
    dependencies.filter(move |dependency| !provided(dependency.name()))
}

/// What of a dependency, besides its code, makes a difference to the composed component.
fn description(dependency: &Dependency) -> String {
    let name = format!("{} {}", dependency.name(), dependency.export().unwrap_or("-"));
    inherited(&name, dependency.inherit())
}

fn inherited(name: &str, inherit: &Inherit) -> String {
    let inherited: Vec<&str> = inherit
        .iter()
        .map(anyturn_manifest::Configuration::name)
        .collect();
    format!("{name} {}", inherited.join(","))
}

/// Puts the files that a component sees together under `directory`, if it has any, and returns where they are.
pub(crate) fn files(
    application: &Application,
    component: &anyturn_manifest::Component,
    directory: &Path,
) -> Result<Option<PathBuf>> {
    if component.files().is_empty() {
        return Ok(None);
    }
    let found = component
        .files()
        .resolve(application.root())
        .map_err(|findings| anyhow!("{findings}"))?;
    files::assemble(directory, &found).map(Some)
}

/// Whether any component needs the state that the host provides, by itself or for key-value stores.
pub(crate) fn needs_state(engine: &Engine, application: &Application, components: &Components) -> bool {
    let stores = |component: &anyturn_manifest::Component| !component.key_value_stores().is_empty();
    application.triggered().any(stores)
        || components
            .values()
            .any(|component| imports(engine, component, STATE))
}

/// Whether a component has an import that begins so.
fn imports(engine: &Engine, component: &Compiled, beginning: &str) -> bool {
    component
        .component_type()
        .imports(engine)
        .any(|(name, _)| name.starts_with(beginning))
}

/// The values of the variables for a component. One whose state the host provides is not told where the store is:
/// under Spin its dependency has to know, here that is left out. One that speaks to Redis itself is told.
fn values_for(engine: &Engine, code: &Compiled, values: &Values) -> Values {
    let mut values = values.clone();
    let speaks_redis = REDIS.iter().any(|beginning| imports(engine, code, beginning));
    if imports(engine, code, STATE) && !speaks_redis {
        for name in ["redis_url", "redis_origin"] {
            values.set(name, "");
        }
    }
    values
}

/// What a runtime is made with besides the application.
pub(crate) struct Means<'a> {
    pub(crate) engine: &'a Engine,
    /// Instances that the engine has room for.
    pub(crate) room: u32,
    /// How requests wait for an instance.
    pub(crate) queue: Queue,
    /// Requests that an instance may serve before it is thrown away.
    pub(crate) reuse: u32,
    pub(crate) limits: Limits,
    /// Where files for components are put together.
    pub(crate) files: &'a Path,
    pub(crate) traces: Traces,
    pub(crate) status: Status,
}

/// Puts everything together. The components are linked, so that what they miss is known before the first
/// request.
pub(crate) fn runtime(
    application: &Application,
    values: &Values,
    compiled: &Components,
    means: Means<'_>,
) -> Result<Runtime> {
    let Means {
        engine,
        room,
        queue,
        reuse,
        limits,
        files,
        traces,
        status,
    } = means;
    let metrics = Metrics::new(traces.counts());
    let mut linker = linker::new(engine).map_err(anyhow_of)?;
    let mut components = HashMap::new();
    for component in application.triggered() {
        let id = component.id().as_str();
        let Some(code) = compiled.get(id) else { continue };
        linker::denied::add(engine, &mut linker, code).map_err(anyhow_of)?;
        let settings = application
            .settings(component, &values_for(engine, code, values))
            .map_err(|findings| anyhow!("{findings}"))?;
        let state = match &status.store {
            Some(store) if imports(engine, code, STATE) => {
                Some(store.namespace(component.declared_as().as_str())?)
            }
            _ => None,
        };
        let mount = self::files(application, component, files)?;
        let environment = component
            .environment()
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let cannot = || format!("the component {id:?} cannot be linked");
        let instance = linker
            .instantiate_pre(code)
            .map_err(anyhow_of)
            .with_context(cannot)?;
        let answers = application.is_reachable(id);
        let pre = answers.then(|| pre(&instance)).transpose().with_context(cannot)?;
        let handles = application
            .redis_triggers()
            .iter()
            .any(|trigger| trigger.component() == component.id());
        let messages = handles
            .then(|| Handler::new(&instance))
            .transpose()
            .with_context(cannot)?;
        let prepared = Component {
            id: id.to_owned(),
            pre,
            messages,
            wasi: Template { environment, mount },
            variables: settings
                .variables
                .iter()
                .map(|(name, value)| (name.to_string(), value.expose().to_owned()))
                .collect(),
            allowed_hosts: settings.allowed_hosts,
            state,
            key_value_stores: key_value_stores(component, status.store.as_ref(), &metrics)?,
            redis: Default::default(),
            series: metrics.of(id),
            idle: Default::default(),
        };
        components.insert(id.to_owned(), Arc::new(prepared));
    }
    Ok(Runtime {
        engine: engine.clone(),
        limits,
        reuse,
        admission: Admission::new(room, queue),
        metrics,
        traces,
        outbound: Default::default(),
        forbidden_headers: Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name)),
        routes: Routes::new(application.router(), &components)?,
        components,
        status,
    })
}

/// The key-value stores that a component may use, by name. A store is the application's: its namespace is one that no
/// component has.
fn key_value_stores(
    component: &anyturn_manifest::Component,
    store: Option<&AnyStore>,
    metrics: &Metrics,
) -> Result<HashMap<String, Bucket<Measured>>> {
    let mut stores = HashMap::new();
    for (name, store) in component
        .key_value_stores()
        .iter()
        .filter_map(|name| Some((name, store?)))
    {
        let namespace = store.namespace(&format!("kv:{name}"))?;
        stores.insert(
            name.clone(),
            Bucket::new(Measured::new(namespace, metrics.store().clone())),
        );
    }
    Ok(stores)
}

/// A component that answers `wasi:http` of either version.
fn pre(instance: &InstancePre<Guest>) -> Result<ProxyPre<Guest>> {
    if let Ok(pre) = p3::bindings::ServicePre::new(instance.clone()) {
        return Ok(ProxyPre::P3(pre));
    }
    match p2::bindings::ProxyPre::new(instance.clone()) {
        Ok(pre) => Ok(ProxyPre::P2(pre)),
        Err(_) => Err(anyhow!(
            "it answers no HTTP requests: it exports neither wasi:http/handler@0.3.0 nor \
             wasi:http/incoming-handler@0.2.x"
        )),
    }
}

/// The store that the variables name.
pub(crate) async fn store(checked: &Checked, data: &Path) -> Result<AnyStore> {
    match checked.values.text("redis_url") {
        "" => {
            let directory = data.join("store");
            let store = anyturn_store::EmbeddedStore::open(&directory)
                .await
                .with_context(|| {
                    format!(
                        "the embedded store in {} cannot be opened; `--data-dir` takes another directory, \
                     `--redis-url` (REDIS_URL) uses Redis instead",
                        directory.display()
                    )
                })?;
            Ok(AnyStore::Embedded(store))
        }
        url => {
            let options = anyturn_store::RedisOptions {
                certificate_authority: checked.redis_authority.clone(),
                ..Default::default()
            };
            let store = anyturn_store::RedisStore::connect(url, options)
                .await
                .context("the store that redis_url (REDIS_URL) names cannot be used")?;
            Ok(AnyStore::Redis(store))
        }
    }
}
