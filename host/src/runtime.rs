//! What all instances of a running application share.

use crate::admission::Admission;
use crate::engine::limits::Limits;
use crate::guest::Guest;
use crate::linker::redis::pool::Pool;
use crate::messages::handler::Handler;
use crate::metrics::{Measured, Metrics, Readings, Series};
use crate::outbound::client::Client;
use crate::probe::Probe;
use crate::server::routes::Routes;
use crate::telemetry::traces::Traces;
use crate::wasi::Template;
use crate::worker::Idle;
use anyturn_check::Model;
use anyturn_key_value::Bucket;
use anyturn_manifest::AllowedHosts;
use anyturn_store::{AnyStore, NamespacedStore};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime_wasi_http::ForbiddenHeaderFilter;
use wasmtime_wasi_http::handler::ProxyPre;

/// A component, ready to be instantiated.
pub(crate) struct Component {
    /// Its name in the manifest.
    pub(crate) id: String,
    /// How it answers HTTP requests, if it does.
    pub(crate) pre: Option<ProxyPre<Guest>>,
    /// How it handles messages, if it does.
    pub(crate) messages: Option<Handler>,
    pub(crate) wasi: Template,
    /// Its variables, resolved.
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) allowed_hosts: AllowedHosts,
    /// Its namespace of the store.
    pub(crate) state: Option<NamespacedStore>,
    /// The key-value stores that it may use, by name.
    pub(crate) key_value_stores: HashMap<String, Bucket<Measured>>,
    /// Its connections to Redis.
    pub(crate) redis: Pool,
    /// What is counted about it.
    pub(crate) series: Series,
    /// Instances that wait for another request, where they are reused.
    pub(crate) idle: Idle,
}

impl Component {
    /// How it answers HTTP requests. Routes and chaining lead to components only that do.
    pub(crate) fn http(&self) -> wasmtime::Result<&ProxyPre<Guest>> {
        self.pre
            .as_ref()
            .ok_or_else(|| wasmtime::format_err!("the component {:?} has no http trigger", self.id))
    }
}

/// What `/health` tells.
pub(crate) struct Status {
    pub(crate) store: Option<AnyStore>,
    /// The store that components reach by themselves, where they do.
    pub(crate) components_store: Option<Probe>,
    /// The language model that the variables choose, where the application has one.
    pub(crate) model: Option<Model>,
}

/// The application.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    /// Requests that an instance serves before it is thrown away.
    pub(crate) reuse: u32,
    pub(crate) admission: Admission,
    pub(crate) metrics: Metrics,
    pub(crate) traces: Traces,
    pub(crate) outbound: Client,
    pub(crate) forbidden_headers: ForbiddenHeaderFilter,
    pub(crate) components: HashMap<String, Arc<Component>>,
    pub(crate) routes: Routes,
    pub(crate) status: Status,
}

impl Runtime {
    /// The component that `http://<id>.spin.internal` names.
    pub(crate) fn chained(&self, id: &str) -> Option<&Arc<Component>> {
        self.components
            .get(id)
            .filter(|component| component.pre.is_some())
    }

    /// What `/metrics` says, on a host to which requests should be sent or not.
    pub(crate) fn series(&self, ready: bool) -> String {
        let (running, places) = self.admission.taken();
        self.metrics.text(&Readings {
            ready,
            live: self.admission.live(),
            running,
            places,
            waiting: self.admission.waiting(),
            store_round_trips: self.status.store.as_ref().map_or(0, AnyStore::round_trips),
        })
    }

    /// The public routes.
    pub(crate) fn routes(&self) -> &Routes {
        &self.routes
    }
}
