//! The world around a request, over WASI 0.3 and Spin's variables.

use std::future::Future;
use std::rc::Rc;

use anyturn_engine::port::Environment;
use anyturn_engine::watch::{Attribute, Span, Traceparent};
use anyturn_state::component::Imported;
use bytes::Bytes;
use spin_sdk::wasip3::clocks::{monotonic_clock, system_clock};
use spin_sdk::wasip3::http_compat::IncomingResponseBody;
use spin_sdk::wasip3::random::random;

use super::{files, model, variables, watch, wire};
use crate::clock::Clock;
use crate::platform::{ModelDescription, Platform, SendError};
use crate::timezone;

/// What the host gives to this component for one request.
#[derive(Clone, Debug)]
pub struct World {
    trace: Option<Rc<Traceparent>>,
    clock: Clock,
}

impl World {
    /// What is given for this request.
    pub fn of<B>(request: &http::Request<B>) -> Self {
        let header = request.headers().get("traceparent");
        let trace = header.and_then(|header| Traceparent::parse(header.to_str().ok()?));
        Self {
            trace: trace.map(Rc::new),
            clock: Clock::default(),
        }
    }

    /// The clock of this request; all work on it goes on around that.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

impl Platform for World {
    type Store = Imported;
    type Model = model::Imported;
    type Environment = World;
    type Incoming = IncomingResponseBody;

    fn store(&self) -> &Imported {
        &Imported
    }

    fn model(&self) -> &model::Imported {
        &model::Imported
    }

    fn environment(&self) -> &World {
        self
    }

    async fn describe_model(&self) -> Result<ModelDescription, String> {
        model::describe().await
    }

    async fn variable(&self, name: &'static str) -> Result<String, String> {
        variables::read(name)
    }

    fn read_file(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        let contents = files::read(path);
        self.clock.pass();
        contents
    }

    fn list_files(&self, folder: &str) -> std::io::Result<Vec<String>> {
        let names = files::list(folder);
        self.clock.pass();
        names
    }

    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<IncomingResponseBody>, SendError> {
        wire::send(request).await
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let clock = self.clock.clone();
        spin_sdk::wasip3::spawn(async move { clock.around(task).await });
    }
}

impl Environment for World {
    fn now(&self) -> u64 {
        self.clock.now(|| {
            let now = system_clock::now();
            u64::try_from(now.seconds).unwrap_or(0) * 1000 + u64::from(now.nanoseconds) / 1_000_000
        })
    }

    fn random(&self) -> u128 {
        u128::from(random::get_random_u64()) << 64 | u128::from(random::get_random_u64())
    }

    fn local_time(&self, now: u64, timezone: Option<&str>) -> String {
        timezone::local_time(now, timezone)
    }

    async fn sleep(&self, milliseconds: u64) {
        monotonic_clock::wait_for(milliseconds.saturating_mul(1_000_000)).await;
    }

    fn watch(&self, name: &str, attributes: &[Attribute<'_>]) -> Span {
        let traced = self.trace.as_ref().is_some_and(|trace| trace.is_sampled());
        watch::begin(name, attributes, traced)
    }

    fn trace(&self) -> Option<&Traceparent> {
        self.trace.as_deref()
    }
}
