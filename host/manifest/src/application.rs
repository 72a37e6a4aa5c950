//! The application as the host runs it: every id checked, every reference resolved, nothing left to validate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::dependency::{Dependency, DependencyName};
use crate::files::Files;
use crate::finding::{Finding, Findings, Place};
use crate::hosts::{AllowedHost, AllowedHosts};
use crate::names::{ComponentId, VariableName};
use crate::reader::suggest;
use crate::router::Router;
use crate::template::Template;
use crate::trigger::{HttpTrigger, Middleware, RedisTrigger, Route, Subscription};
use crate::variables::{Declaration, Inputs, Value, Values};

/// An application, read from a manifest. Made by [`crate::load`].
#[derive(Clone, Debug)]
pub struct Application {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) manifest: PathBuf,
    pub(crate) root: PathBuf,
    pub(crate) variables: BTreeMap<VariableName, Declaration>,
    pub(crate) components: BTreeMap<ComponentId, Component>,
    pub(crate) triggers: Vec<HttpTrigger>,
    pub(crate) redis_triggers: Vec<RedisTrigger>,
}

/// A component and what it may use.
#[derive(Clone, Debug)]
pub struct Component {
    pub(crate) id: ComponentId,
    pub(crate) declared_as: ComponentId,
    pub(crate) description: String,
    pub(crate) source: PathBuf,
    pub(crate) source_place: Place,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) middleware: Vec<Middleware>,
    pub(crate) key_value_stores: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) files: Files,
    pub(crate) variables: BTreeMap<VariableName, Template>,
    pub(crate) hosts: Vec<HostEntry>,
    pub(crate) tick: Option<Tick>,
    pub(crate) websocket: Option<WebSocket>,
}

/// A request that the host makes to a component again and again: `[component.x.tool.anyturn]` with
/// `tick = { path = "/internal/tick", every = "1s" }`. Spin ignores it; there something else has to make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The path, to which is posted.
    pub path: String,
    /// How often.
    pub every: Duration,
}

/// A WebSocket in front of a component that streams events: `[component.x.tool.anyturn]` with
/// `websocket = { path = "/ws", api = "/api/chat" }`. Spin ignores it; there is none there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocket {
    /// The path at which clients connect.
    pub path: String,
    /// Below which path the component has what it takes: `/process`, `/caller` and `/session/{id}/events`.
    pub api: String,
}

/// An entry of `allowed_outbound_hosts`, read as far as it can be before the variables are known.
#[derive(Clone, Debug)]
pub(crate) struct HostEntry {
    pub(crate) place: Place,
    pub(crate) key: String,
    pub(crate) spec: HostSpec,
}

#[derive(Clone, Debug)]
pub(crate) enum HostSpec {
    Fixed(AllowedHost),
    Template(Template),
}

impl HostEntry {
    /// The entry with its variables filled in; `None` when that leaves nothing of it.
    pub(crate) fn read(&self, values: &Values) -> Result<Option<AllowedHost>, Finding> {
        let template = match &self.spec {
            HostSpec::Fixed(host) => return Ok(Some(host.clone())),
            HostSpec::Template(template) => template,
        };
        let fail = |reason: String| Finding::error(self.place.clone(), self.key.clone(), reason);
        let value = values
            .render(template)
            .map_err(|name| fail(format!("the application has no variable `{name}`")))?;
        AllowedHost::from_rendered(value.expose()).map_err(|error| {
            let reason = if value.is_secret() {
                error.without_text()
            } else {
                error.to_string()
            };
            fail(format!("{template} is \"{value}\": {reason}")).advise(error.advice())
        })
    }
}

/// What a component gets at run time: its variables' values and the addresses it may reach.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Component variables, as `spin:variables` and `wasi:config` hand them out.
    pub variables: BTreeMap<VariableName, Value>,
    /// Where it may connect to.
    pub allowed_hosts: AllowedHosts,
}

impl Component {
    /// Its id.
    pub fn id(&self) -> &ComponentId {
        &self.id
    }

    /// The id under which the manifest declares it. It is another one than its id where several triggers lead to one
    /// component through different middleware: then there is a component for each of them.
    pub fn declared_as(&self) -> &ComponentId {
        &self.declared_as
    }

    /// What it is, in the words of the manifest.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The component file; absolute, not checked to exist.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// Where the manifest names the component file.
    pub fn source_place(&self) -> &Place {
        &self.source_place
    }

    /// Its imports that are satisfied by other components.
    pub fn dependencies(&self) -> &[Dependency] {
        &self.dependencies
    }

    /// What stands before it, the outermost first.
    pub fn middleware(&self) -> &[Middleware] {
        &self.middleware
    }

    /// The key-value stores that it may open.
    pub fn key_value_stores(&self) -> &[String] {
        &self.key_value_stores
    }

    /// Its environment variables.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// The files it can read.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// What the host asks it to do again and again.
    pub fn tick(&self) -> Option<&Tick> {
        self.tick.as_ref()
    }

    /// The WebSocket that the host has in front of it.
    pub fn websocket(&self) -> Option<&WebSocket> {
        self.websocket.as_ref()
    }
}

impl Application {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version; empty when the manifest gives none.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it is; empty when the manifest does not say.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The manifest, as the caller named it.
    pub fn manifest(&self) -> &Path {
        &self.manifest
    }

    /// The directory that relative paths start from: the manifest's; absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The application variables.
    pub fn variables(&self) -> &BTreeMap<VariableName, Declaration> {
        &self.variables
    }

    /// All components, by id.
    pub fn components(&self) -> impl Iterator<Item = &Component> {
        self.components.values()
    }

    /// The component with this id.
    pub fn component(&self, id: &str) -> Option<&Component> {
        self.components.get(id)
    }

    /// What answers HTTP requests, in the order of the manifest.
    pub fn triggers(&self) -> &[HttpTrigger] {
        &self.triggers
    }

    /// What handles messages from Redis, in the order of the manifest.
    pub fn redis_triggers(&self) -> &[RedisTrigger] {
        &self.redis_triggers
    }

    /// The components that something calls; the others exist as dependencies only.
    pub fn triggered(&self) -> impl Iterator<Item = &Component> {
        self.components().filter(|component| {
            let is_it = |id: &ComponentId| *id == component.id;
            self.is_reachable(component.id.as_str())
                || self.redis_triggers.iter().any(|t| is_it(&t.component))
        })
    }

    /// The public routes.
    pub fn router(&self) -> Router {
        Router::new(self.triggers.iter().filter_map(|trigger| match &trigger.route {
            Route::Public(pattern) => Some((pattern.clone(), trigger.answer.clone())),
            Route::Private => None,
        }))
    }

    /// The channels that are subscribed to.
    ///
    /// # Errors
    /// Every address and channel that the values make invalid.
    pub fn subscriptions(&self, values: &Values) -> Result<Vec<Subscription>, Findings> {
        let mut findings = Findings::default();
        let mut subscriptions = Vec::new();
        for trigger in &self.redis_triggers {
            match trigger.subscription(values) {
                Ok(subscription) => subscriptions.push(subscription),
                Err(finding) => findings.push(finding),
            }
        }
        findings
            .into_result(subscriptions)
            .map(|(subscriptions, _)| subscriptions)
    }

    /// Whether the component can be reached at `http://<id>.spin.internal`: it needs a trigger, a private one will do.
    pub fn is_reachable(&self, id: &str) -> bool {
        self.triggers.iter().any(|trigger| {
            trigger
                .component()
                .is_some_and(|component| component.as_str() == id)
        })
    }

    /// A value for every application variable, and warnings.
    ///
    /// # Errors
    /// Every variable without a value and every input that fits none.
    pub fn values(&self, inputs: &Inputs) -> Result<(Values, Findings), Findings> {
        Values::resolve(&self.variables, inputs)
    }

    /// What a component gets at run time.
    ///
    /// # Errors
    /// Every entry of `allowed_outbound_hosts` that the values make invalid.
    pub fn settings(&self, component: &Component, values: &Values) -> Result<Settings, Findings> {
        let mut findings = Findings::default();
        let mut variables = BTreeMap::new();
        for (name, template) in &component.variables {
            match values.render(template) {
                Ok(value) => {
                    variables.insert(name.clone(), value);
                }
                Err(missing) => {
                    let key = format!("component.{}.variables.{name}", component.declared_as);
                    findings.push(Finding::error(
                        component.source_place.clone(),
                        key,
                        format!("the application has no variable `{missing}`"),
                    ));
                }
            }
        }
        let mut hosts = Vec::new();
        for entry in &component.hosts {
            match entry.read(values) {
                Ok(host) => hosts.extend(host),
                Err(finding) => findings.push(finding),
            }
        }
        let ids: Vec<_> = self.components.keys().collect();
        let settings = Settings {
            variables,
            allowed_hosts: AllowedHosts::new(hosts, &ids),
        };
        findings.into_result(settings).map(|(settings, _)| settings)
    }

    /// Checks that every component file and every mounted file is there. Dependencies for which `provided` says yes are
    /// left out: the host provides them itself.
    pub fn check_files(&self, provided: impl Fn(&DependencyName) -> bool) -> Findings {
        let mut findings = Findings::default();
        let missing = |path: &Path, place: &Place, key: String| {
            let shown = path.strip_prefix(&self.root).unwrap_or(path).display();
            let reason = match std::fs::metadata(path) {
                Ok(found) if found.is_file() => return None,
                Ok(_) => format!("`{shown}` is no file"),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    format!("`{shown}` does not exist")
                }
                Err(error) => format!("`{shown}` cannot be read: {error}"),
            };
            Some(Finding::error(place.clone(), key, reason).advise("build the components: cargo xtask build"))
        };
        for component in self.components.values() {
            let key = format!("component.{}.source", component.declared_as);
            missing(&component.source, &component.source_place, key)
                .into_iter()
                .for_each(|f| findings.push(f));
            for dependency in component
                .dependencies
                .iter()
                .filter(|dependency| !provided(&dependency.name))
            {
                missing(&dependency.source, &dependency.place, dependency.key.clone())
                    .into_iter()
                    .for_each(|f| findings.push(f));
            }
            for middleware in &component.middleware {
                missing(&middleware.source, &middleware.place, middleware.key.clone())
                    .into_iter()
                    .for_each(|f| findings.push(f));
            }
            if let Err(files) = component.files.resolve(&self.root) {
                findings.extend(files);
            }
        }
        findings.sort();
        findings
    }

    /// Warns of `http://<id>.spin.internal` entries that lead nowhere.
    pub(crate) fn check_chaining(&self) -> Findings {
        let mut findings = Findings::default();
        for entry in self.components.values().flat_map(|component| &component.hosts) {
            let HostSpec::Fixed(host) = &entry.spec else {
                continue;
            };
            let Some(target) = host.component() else { continue };
            if self.is_reachable(target) {
                continue;
            }
            let (reason, advice) = if self.component(target).is_some() {
                let trigger = format!(
                    "add [[trigger.http]] with route = {{ private = true }} and component = \"{target}\""
                );
                (
                    format!("the component `{target}` has no http trigger, so it cannot be reached"),
                    trigger,
                )
            } else {
                let ids: Vec<_> = self.components.keys().map(ComponentId::as_str).collect();
                (format!("there is no component `{target}`"), suggest(target, &ids))
            };
            findings.push(Finding::warning(entry.place.clone(), entry.key.clone(), reason).advise(advice));
        }
        findings
    }
}
