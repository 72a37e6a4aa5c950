//! Several hosts on one store, with a model and tools that a test is in charge of.

use crate::application::Application;
use crate::effect_server::EffectServer;
use crate::fake_provider::FakeProvider;
use crate::hold::Holds;
use crate::host::{Host, HostBuilder};
use crate::line::Line;
use crate::plan;
use crate::redis_cluster::RedisCluster;
use crate::redis_sentinel::RedisSentinel;
use crate::redis_server::RedisServer;

/// The assistant that has the tools of [`EffectServer`], and carries out [`plan::Plan`]s.
pub const ASSISTANT: &str = "effects";

/// A Redis that hosts can share.
pub trait Redis {
    /// Its address, as `REDIS_URL` takes it.
    fn url(&self) -> String;

    /// The address of a server that has a conversation, or knows who has it.
    fn server(&self) -> String;
}

impl Redis for RedisServer {
    fn url(&self) -> String {
        self.url()
    }

    fn server(&self) -> String {
        self.url()
    }
}

impl Redis for RedisSentinel {
    fn url(&self) -> String {
        self.url()
    }

    fn server(&self) -> String {
        self.primary().url()
    }
}

impl Redis for RedisCluster {
    fn url(&self) -> String {
        self.url()
    }

    fn server(&self) -> String {
        let living = self.nodes().iter().find(|node| node.answers_now());
        living.map_or_else(|| panic!("some node of the cluster lives"), RedisServer::url)
    }
}

/// What the hosts share.
#[derive(Debug)]
pub struct Cluster<R = RedisServer> {
    /// The store.
    pub redis: R,
    /// The model, which carries out plans.
    pub provider: FakeProvider,
    /// The tools.
    pub effects: EffectServer,
    /// The line between all hosts and the tools.
    pub tools: Line,
    /// Where the model and the tools can be held.
    pub holds: Holds,
    application: Application,
    environment: Vec<(String, String)>,
}

/// A host with a line to the store of its own.
#[derive(Debug)]
pub struct Member {
    /// The host.
    pub host: Host,
    /// Its line to the store.
    pub line: Line,
}

impl Cluster {
    /// Starts everything but the hosts.
    pub async fn start() -> Self {
        Self::on(RedisServer::start().await).await
    }

    /// Starts a host.
    pub async fn member(&self) -> Member {
        let line = Line::to(self.redis.port()).await;
        let host = self.host(&line, None).await;
        Member { host, line }
    }

    /// Starts a host on a line that there is already, and on a port that another one had.
    pub async fn host(&self, line: &Line, port: Option<u16>) -> Host {
        let builder = self.builder(&format!("redis://{}", line.address()));
        match port {
            Some(port) => builder.port(port).start().await,
            None => builder.start().await,
        }
    }
}

impl<R: Redis> Cluster<R> {
    /// Starts everything but the hosts and the store.
    pub async fn on(redis: R) -> Self {
        let holds = Holds::default();
        let provider = FakeProvider::start()
            .await
            .unwrap_or_else(|error| panic!("the fake provider starts: {error:#}"));
        provider.answer_by(plan::model(holds.clone()));
        let effects = EffectServer::start(holds.clone()).await;
        let tools = Line::to(effects.address().port()).await;
        let origin = format!("http://{}", tools.address());
        let application = Application::copy()
            .assistant(ASSISTANT, &assistant(&origin))
            .reaching(&origin);
        Self {
            redis,
            provider,
            effects,
            tools,
            holds,
            application,
            environment: Vec::new(),
        }
    }

    /// An environment variable of all hosts that start from now on.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts a host without a line of its own.
    pub async fn instance(&self) -> Host {
        self.builder(&self.redis.url()).start().await
    }

    fn builder(&self, redis: &str) -> HostBuilder {
        let builder = HostBuilder::new()
            .manifest(self.application.manifest())
            .redis(redis)
            .env("OPENAI_BASE_URL", self.provider.base_url())
            .env("OPENAI_API_KEY", "sk-of-nobody")
            .env("RATE_LIMIT_PER_MINUTE", "0");
        self.environment
            .iter()
            .fold(builder, |builder, (name, value)| builder.env(name, value))
    }
}

/// An assistant that has these tools and nothing else.
fn assistant(origin: &str) -> String {
    format!(
        r#"prompt = "Do what the message says."

[session]
ttl = "24h"

[limits]
steps = 16
tool_calls = 64

[[tools]]
url = "{origin}/mcp"
"#
    )
}
