//! One message to one instance: `spin:redis/inbound-redis@3.0.0`, or `fermyon:spin/inbound-redis` of WASI 0.2.
//!
//! A message has the limits of a request, and a fresh instance.

use crate::engine::limits::Meter;
use crate::guest::{Call, Failure, Guest};
use crate::runtime::{Component, Runtime};
use crate::worker;
use anyhow::{Result, anyhow};
use std::future::poll_fn;
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::InstancePre;

mod v3 {
    wasmtime::component::bindgen!({
        path: "wit/spin-redis",
        world: "handler",
        with: { "spin:redis/redis": crate::linker::redis::v3::bindings::spin::redis::redis },
        exports: { default: async },
    });
}

mod v2 {
    wasmtime::component::bindgen!({
        path: "wit/fermyon-inbound-redis",
        world: "handler",
        exports: { default: async },
    });
}

/// A component that handles messages, of either version.
pub(crate) enum Handler {
    V2(v2::HandlerPre<Guest>),
    V3(v3::HandlerPre<Guest>),
}

impl Handler {
    /// The handler that a component exports. Spin wants exactly one, and so it is here.
    pub(crate) fn new(instance: &InstancePre<Guest>) -> Result<Self> {
        match (
            v2::HandlerPre::new(instance.clone()),
            v3::HandlerPre::new(instance.clone()),
        ) {
            (Ok(pre), Err(_)) => Ok(Self::V2(pre)),
            (Err(_), Ok(pre)) => Ok(Self::V3(pre)),
            (Ok(_), Ok(_)) => Err(anyhow!(
                "it exports both spin:redis/inbound-redis@3.0.0 and fermyon:spin/inbound-redis"
            )),
            (Err(_), Err(_)) => Err(anyhow!(
                "it handles no messages: it exports neither spin:redis/inbound-redis@3.0.0 nor \
                 fermyon:spin/inbound-redis"
            )),
        }
    }

    /// Calls it; a text is the error that it answers with.
    async fn call(&self, store: &mut Store<Guest>, payload: Vec<u8>) -> wasmtime::Result<Result<(), String>> {
        match self {
            Self::V2(pre) => {
                let handler = pre.instantiate_async(&mut *store).await?;
                let answer = handler
                    .fermyon_spin_inbound_redis()
                    .call_handle_message(store, &payload)
                    .await?;
                Ok(answer.map_err(|error| format!("{error:?}")))
            }
            Self::V3(pre) => {
                let handler = pre.instantiate_async(&mut *store).await?;
                store
                    .run_concurrent(async |accessor| {
                        let answer = handler
                            .spin_redis_inbound_redis()
                            .call_handle_message(accessor, payload)
                            .await?;
                        // What the handler began and did not wait for may end.
                        poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
                        Ok(answer.map_err(|error| format!("{error:?}")))
                    })
                    .await?
            }
        }
    }
}

/// Has a fresh instance of the component handle a message.
pub(super) async fn handle(
    runtime: &Arc<Runtime>,
    component: &Arc<Component>,
    call: &Arc<Call>,
    payload: Vec<u8>,
) -> Result<(), Failure> {
    let Some(handler) = &component.messages else {
        return Err(Failure::Error("it handles no messages".into()));
    };
    let limits = runtime.limits;
    let meter = Arc::new(Meter::new());
    let mut store = worker::store(runtime, component, call, &limits, &meter);
    let work = worker::metered(&meter, handler.call(&mut store, payload));
    let answer = tokio::time::timeout(limits.wall, work).await;
    match answer {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(reason))) => Err(Failure::Error(reason.into())),
        Ok(Err(error)) => Err(worker::failure_of(&error, store.data().memory.refused)),
        Err(_) => Err(Failure::Wall),
    }
}
