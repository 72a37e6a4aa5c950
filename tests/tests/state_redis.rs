//! Every promise of the state port, as a component has it over Redis: the suite speaks to a component
//! (`tests/state-probe`) that was composed with `state-redis.wasm`, as Spin would compose it.
//!
//! It runs in the real host with a real redis-server. With `STATE_PROBE_URL=http://…` in the environment it runs
//! against an application that is served already, such as by Spin:
//!
//! ```text
//! SPIN_VARIABLE_REDIS_URL=redis://127.0.0.1:6379 spin up --from tests/state-probe/spin.toml --listen 127.0.0.1:3100
//! STATE_PROBE_URL=http://127.0.0.1:3100 cargo test -p anyturn-tests --test state_redis
//! ```

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyturn_state::conformance::{Fixture, check};
use anyturn_state::{
    Committed, DeadJob, Depth, Error, Found, Job, JournalSlice, NewJob, Query, Queue, Store, Write,
};
use anyturn_state_probe::Call;
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::redis_server::RedisServer;
use serde::de::DeserializeOwned;

/// What serves the probe.
enum Server {
    /// This test.
    Own { host: Host, _redis: RedisServer },
    /// Somebody else, at this address.
    Other(String),
}

/// The one that all tests share as long as any of them runs, so that it ends with the last.
static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Server {
    async fn start() -> Self {
        if let Ok(address) = std::env::var("STATE_PROBE_URL") {
            return Self::Other(address);
        }
        let redis = RedisServer::start_without_log().await;
        let host = HostBuilder::new()
            .manifest(anyturn_tests::repository().join("tests/state-probe/spin.toml"))
            .arg("--state")
            .arg("component")
            .arg("--variable")
            .arg(format!("redis_url={}", redis.url()))
            .start()
            .await;
        let said = host.log();
        assert!(
            said.contains("is served at") && !said.contains("anyturn:state is provided by this host"),
            "the host leaves the state to the component:\n{said}"
        );
        Self::Own { host, _redis: redis }
    }

    fn url(&self, path: &str) -> String {
        match self {
            Self::Own { host, .. } => host.url(path),
            Self::Other(address) => format!("{address}{path}"),
        }
    }
}

/// One namespace: whatever is asked of it is asked of the component.
struct Probe {
    client: reqwest::Client,
    address: String,
}

impl Probe {
    async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let answer = self
            .client
            .post(&self.address)
            .json(&call)
            .send()
            .await
            .unwrap_or_else(|error| panic!("{} answers: {error:?}", self.address));
        let status = answer.status();
        let body = answer
            .bytes()
            .await
            .unwrap_or_else(|error| panic!("{} answers to the end: {error:?}", self.address));
        serde_json::from_slice(&body).unwrap_or_else(|error| {
            let body = String::from_utf8_lossy(&body);
            panic!("{} answered {status}: {body} ({error})", self.address)
        })
    }
}

impl Store for Probe {
    async fn read(&self, scope: &str, queries: Vec<Query>) -> Result<Vec<Found>, Error> {
        let scope = scope.to_owned();
        self.ask(Call::Read { scope, queries }).await
    }

    async fn commit(&self, scope: &str, writes: Vec<Write>, queries: Vec<Query>) -> Result<Committed, Error> {
        let scope = scope.to_owned();
        self.ask(Call::Commit {
            scope,
            writes,
            queries,
        })
        .await
    }

    async fn watch(
        &self,
        scope: &str,
        journal: &str,
        start: u64,
        limit: u32,
        timeout: u64,
    ) -> Result<JournalSlice, Error> {
        let (scope, journal) = (scope.to_owned(), journal.to_owned());
        self.ask(Call::Watch {
            scope,
            journal,
            start,
            limit,
            timeout,
        })
        .await
    }
}

impl Queue for Probe {
    async fn enqueue(&self, queue: &str, job: NewJob) -> Result<bool, Error> {
        let queue = queue.to_owned();
        self.ask(Call::Enqueue { queue, job }).await
    }

    async fn claim(&self, queue: &str, limit: u32, visibility: u64) -> Result<Vec<Job>, Error> {
        let queue = queue.to_owned();
        self.ask(Call::Claim {
            queue,
            limit,
            visibility,
        })
        .await
    }

    async fn extend(&self, queue: &str, id: &str, receipt: u64, visibility: u64) -> Result<bool, Error> {
        let (queue, id) = (queue.to_owned(), id.to_owned());
        self.ask(Call::Extend {
            queue,
            id,
            receipt,
            visibility,
        })
        .await
    }

    async fn acknowledge(&self, queue: &str, id: &str, receipt: u64) -> Result<bool, Error> {
        let (queue, id) = (queue.to_owned(), id.to_owned());
        self.ask(Call::Acknowledge { queue, id, receipt }).await
    }

    async fn retry(
        &self,
        queue: &str,
        id: &str,
        receipt: u64,
        delay: u64,
        reason: &str,
    ) -> Result<bool, Error> {
        let (queue, id, reason) = (queue.to_owned(), id.to_owned(), reason.to_owned());
        self.ask(Call::Retry {
            queue,
            id,
            receipt,
            delay,
            reason,
        })
        .await
    }

    async fn dead_letters(&self, queue: &str, offset: u32, limit: u32) -> Result<Vec<DeadJob>, Error> {
        let queue = queue.to_owned();
        self.ask(Call::DeadLetters { queue, offset, limit }).await
    }

    async fn replay(&self, queue: &str, id: &str) -> Result<bool, Error> {
        let (queue, id) = (queue.to_owned(), id.to_owned());
        self.ask(Call::Replay { queue, id }).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        let queue = queue.to_owned();
        self.ask(Call::Depth { queue }).await
    }
}

struct Component {
    store: Probe,
    neighbour: Probe,
    begun: Instant,
}

impl Fixture for Component {
    type Store = Probe;

    fn store(&self) -> &Probe {
        &self.store
    }

    fn neighbour(&self) -> Option<&Probe> {
        Some(&self.neighbour)
    }

    fn unique(&self) -> String {
        // A server that was there before may have served the suite before.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        now.as_nanos().to_string()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn sleep(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

fn run(promise: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = {
        let mut slot = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
        slot.upgrade().unwrap_or_else(|| {
            let server = Arc::new(runtime.block_on(Server::start()));
            *slot = Arc::downgrade(&server);
            server
        })
    };
    runtime.block_on(async {
        let client = anyturn_tests::client();
        let namespace = |path| Probe {
            client: client.clone(),
            address: server.url(path),
        };
        let component = Component {
            store: namespace("/one"),
            neighbour: namespace("/two"),
            begun: Instant::now(),
        };
        check(promise, &component).await;
    });
}

anyturn_state::conformance_tests!(run);
