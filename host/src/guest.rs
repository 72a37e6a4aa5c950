//! What one instance's store holds, and the call that it serves.

use crate::engine::limits::{Limits, Memory};
use crate::logging::Serving;
use crate::outbound::Hooks;
use crate::runtime::{Component, Runtime};
use crate::telemetry::traces::Place;
use crate::telemetry::watch::{Open, Watch};
use http::HeaderValue;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::sync::Notify;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// One request to one component, from outside or by chaining.
pub(crate) struct Call {
    /// Names the request in logs; the same for all calls that one request from outside leads to.
    pub(crate) request_id: RequestId,
    /// How many components stand between this call and the outside.
    pub(crate) depth: u8,
    pub(crate) started: Instant,
    /// Why the instance was stopped, once it was. Set before anybody can see the end of its response.
    pub(crate) failure: OnceLock<Failure>,
    /// Told when the instance has stopped working on the call.
    pub(crate) stopped: Notify,
    /// Where it stands in a trace.
    pub(crate) watch: Watch,
}

impl Call {
    /// A call that begins now.
    pub(crate) fn new(request_id: RequestId, depth: u8, watch: Watch) -> Arc<Self> {
        Arc::new(Self {
            request_id,
            depth,
            started: Instant::now(),
            failure: OnceLock::new(),
            stopped: Notify::new(),
            watch,
        })
    }
}

/// Names a request in logs. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The name as the value of a header.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl From<&HeaderValue> for RequestId {
    fn from(id: &HeaderValue) -> Self {
        Self(id.clone())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or("-"))
    }
}

/// Why a call has no (complete) response.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The component crashed.
    #[error("the component trapped: {0}")]
    Trap(Arc<str>),
    /// It used up its CPU time.
    #[error("the component used up its CPU time")]
    Cpu,
    /// It asked for more memory than it may have, and crashed.
    #[error("the component ran out of memory")]
    Memory,
    /// It took too long.
    #[error("the component took too long")]
    Wall,
    /// It answered with an error instead of a response.
    #[error("the component answered with an error: {0}")]
    Error(Arc<str>),
    /// There is no room for an instance.
    #[error("no instance can be made: {0}")]
    Instantiation(Arc<str>),
}

impl Failure {
    /// A word for metrics and logs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Wall => "wall",
            Self::Error(_) => "error",
            Self::Instantiation(_) => "instantiation",
        }
    }
}

/// The data of an instance's store.
pub(crate) struct Guest {
    /// Made when the guest first uses it: many requests never do, and it costs as much as an instance.
    wasi: Option<(WasiCtx, Serving)>,
    http: WasiHttpCtx,
    pub(crate) table: ResourceTable,
    pub(crate) memory: Memory,
    hooks: Hooks,
}

impl Guest {
    /// The data of a fresh instance.
    pub(crate) fn new(
        runtime: Arc<Runtime>,
        component: Arc<Component>,
        call: Arc<Call>,
        limits: &Limits,
    ) -> Self {
        Self {
            wasi: None,
            http: WasiHttpCtx::new(),
            table: ResourceTable::new(),
            memory: Memory::new(limits),
            hooks: Hooks {
                runtime,
                component,
                call,
                spans: Open::default(),
            },
        }
    }

    /// The component that runs.
    pub(crate) fn component(&self) -> &Arc<Component> {
        &self.hooks.component
    }

    /// The call that the instance serves.
    pub(crate) fn call(&self) -> &Arc<Call> {
        &self.hooks.call
    }

    /// What all instances share.
    pub(crate) fn runtime(&self) -> &Arc<Runtime> {
        &self.hooks.runtime
    }

    /// The spans that the instance has not ended.
    pub(crate) fn spans(&mut self) -> &mut Open {
        &mut self.hooks.spans
    }

    /// Where something belongs in a trace that the instance asks for now.
    pub(crate) fn place(&self) -> Option<Place> {
        self.hooks.place()
    }

    /// Names the call that the instance serves from now on.
    pub(crate) fn serve(&mut self, call: Arc<Call>) {
        if let Some((_, serving)) = &self.wasi {
            serving.serve(Arc::clone(&call));
        }
        self.hooks.call = call;
        self.hooks.spans = Open::default();
    }

    /// The view that `wasi:http` works on.
    pub(crate) fn http_view(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Self {
            wasi, table, hooks, ..
        } = self;
        let (ctx, _) = wasi.get_or_insert_with(|| {
            let serving = Serving::new(Arc::clone(&hooks.call));
            (hooks.component.wasi.build(&hooks.component.id, &serving), serving)
        });
        WasiCtxView { ctx, table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.http_view()
    }
}
