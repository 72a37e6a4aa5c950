//! A component, and instances of it for requests: each is kept for a while and for several requests, also at the same
//! time, as `wasmtime serve` does it by default.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use wasmtime::component::{Component, GuestTaskId, Linker, ResourceTable};
use wasmtime::error::Context as _;
use wasmtime::{Config, Engine, OptLevel, Result, Store, StoreContextMut};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView, p2, p3};

use crate::network::Network;

/// How many requests an instance of a WASI 0.3 component gets in its life, and at the same time.
const REUSE: (usize, usize) = (128, 16);
/// How long an instance without requests is kept.
const IDLE: Duration = Duration::from_secs(1);

/// What an instance may use: WASI 0.2 and 0.3, the network, its environment, no files.
pub(crate) struct Data {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    network: Network,
    table: ResourceTable,
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for Data {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.network,
        }
    }
}

/// A component that answers requests.
pub(crate) struct Guest {
    engine: Engine,
    component: ProxyPre<Data>,
    environment: Vec<(String, String)>,
    network: Network,
}

impl Guest {
    /// Compiles a component and looks for all that it imports.
    ///
    /// # Errors
    /// When it is none, imports what is not WASI's, or answers no requests.
    pub(crate) fn new(component: &[u8], environment: Vec<(String, String)>) -> Result<Self> {
        let mut config = Config::new();
        config.wasm_component_model_async(true);
        // What is served here is served a few times.
        config.cranelift_opt_level(OptLevel::None);
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        p2::add_only_http_to_linker_async(&mut linker)?;
        p3::add_to_linker(&mut linker)?;
        let component = linker.instantiate_pre(&Component::new(&engine, component)?)?;
        let component = match p3::bindings::ServicePre::new(component.clone()) {
            Ok(component) => ProxyPre::P3(component),
            Err(_) => {
                let component = p2::bindings::ProxyPre::new(component);
                ProxyPre::P2(component.context("the component answers no requests")?)
            }
        };
        Ok(Self {
            engine,
            component,
            environment,
            network: Network::new(),
        })
    }
}

impl HandlerState for Guest {
    type StoreData = Data;
    type WorkerExpiration = Idle;
    type WorkerState = Reuse;

    async fn instantiate(&self) -> Result<Instance<Data, Idle, Reuse>> {
        let wasi = WasiCtx::builder()
            .envs(&self.environment)
            .inherit_stdout()
            .inherit_stderr()
            .inherit_network()
            .allow_tcp(true)
            .allow_ip_name_lookup(true)
            .build();
        let data = Data {
            wasi,
            http: WasiHttpCtx::new(),
            network: self.network.clone(),
            table: ResourceTable::new(),
        };
        let mut store = Store::new(&self.engine, data);
        let proxy = self.component.instantiate_async(&mut store).await?;
        let (in_its_life, at_the_same_time) = match self.component {
            ProxyPre::P3(_) => REUSE,
            ProxyPre::P2(_) => (1, 1),
        };
        Ok(Instance {
            store,
            proxy,
            view: Data::http,
            expiration: Idle(Box::pin(tokio::time::sleep(IDLE))),
            state: Reuse {
                in_its_life,
                at_the_same_time,
            },
        })
    }
}

/// When an instance goes; never while it works.
pub(crate) struct Idle(Pin<Box<Sleep>>);

impl WorkerExpiration for Idle {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        match status {
            WorkerStatus::Requests | WorkerStatus::PostReturn => Poll::Pending,
            WorkerStatus::Idle => {
                let end = (since + IDLE).into();
                if self.0.deadline() != end {
                    self.0.as_mut().reset(end);
                }
                self.0.as_mut().poll(context)
            }
        }
    }
}

/// How many requests an instance gets.
pub(crate) struct Reuse {
    in_its_life: usize,
    at_the_same_time: usize,
}

impl WorkerState for Reuse {
    type StoreData = Data;
    type RequestData = ();

    fn should_accept_request(&self, now: usize, so_far: usize) -> ShouldAccept {
        if so_far >= self.in_its_life {
            ShouldAccept::Never
        } else if now >= self.at_the_same_time {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, Data>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(std::future::pending())
    }

    fn drop(&self, _: Store<Data>, result: Result<()>) {
        if let Err(error) = result {
            eprintln!("an instance failed: {error:?}");
        }
    }
}
