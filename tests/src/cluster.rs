//! Several hosts on one Redis, with a model and tools that a test is in charge of.

use crate::application::Application;
use crate::effect_server::EffectServer;
use crate::fake_provider::FakeProvider;
use crate::hold::Holds;
use crate::host::{Host, HostBuilder};
use crate::line::Line;
use crate::plan;
use crate::redis_server::RedisServer;

/// The assistant that has the tools of [`EffectServer`], and carries out [`plan::Plan`]s.
pub const ASSISTANT: &str = "effects";

/// What the hosts share.
#[derive(Debug)]
pub struct Cluster {
    /// The store.
    pub redis: RedisServer,
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
            redis: RedisServer::start().await,
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

    /// Starts a host.
    pub async fn member(&self) -> Member {
        let line = Line::to(self.redis.port()).await;
        let host = self.host(&line, None).await;
        Member { host, line }
    }

    /// Starts a host on a line that there is already, and on a port that another one had.
    pub async fn host(&self, line: &Line, port: Option<u16>) -> Host {
        let mut builder = HostBuilder::new()
            .manifest(self.application.manifest())
            .redis(&format!("redis://{}", line.address()))
            .env("OPENAI_BASE_URL", self.provider.base_url())
            .env("OPENAI_API_KEY", "sk-of-nobody")
            .env("RATE_LIMIT_PER_MINUTE", "0");
        for (name, value) in &self.environment {
            builder = builder.env(name, value);
        }
        if let Some(port) = port {
            builder = builder.port(port);
        }
        builder.start().await
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
