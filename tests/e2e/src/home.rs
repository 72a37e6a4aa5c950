//! A deployment of our own: the application in one of its homes, with everything that the promises can use.

use std::sync::Arc;

use anyturn_tests::application::Application;
use anyturn_tests::fake_provider::{Answer, Completion, FakeProvider};
use anyturn_tests::hold::Holds;
use anyturn_tests::host::{Host, HostBuilder};
use anyturn_tests::redis_server::RedisServer;
use anyturn_tests::spin::Spin;
use anyturn_tests::users::{SECRET, token, token_of};
use serde_json::Value;

use crate::site::{Credentials, Held, Site};

/// What serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The `anyturn` binary, on its embedded store.
    Host,
    /// The same, with instances that serve one request after another.
    Reusing,
    /// `spin up`, with a Redis.
    Spin,
}

/// A running deployment, and a second one whose model can be held; dropping it ends both.
#[derive(Debug)]
pub struct Home {
    site: Site,
    _servers: Vec<Server>,
    _redis: Option<RedisServer>,
    _application: Application,
}

#[derive(Debug)]
enum Server {
    Host(Host),
    Spin(Spin),
}

/// An assistant whose calls a manager approves.
const APPROVALS: &str = r#"prompt = "You keep a to-do list."

[[tools]]
server = "tasks"
approve = [{ tool = "delete_task", role = "manager" }]
"#;

/// A page's origin that is let in.
const ORIGIN: &str = "https://page.example";

impl Home {
    /// Starts it.
    pub async fn start(kind: Kind) -> Self {
        let holds = Holds::default();
        let provider = FakeProvider::start()
            .await
            .unwrap_or_else(|error| panic!("the fake provider starts: {error:#}"));
        provider.answer_by(model(holds.clone()));
        let application = Application::copy().assistant("approvals", APPROVALS);
        let redis = match kind {
            Kind::Host | Kind::Reusing => None,
            Kind::Spin => Some(RedisServer::start_without_log().await),
        };
        let mut variables = vec![
            ("jwt_secret".to_owned(), SECRET.to_owned()),
            ("cors_origins".to_owned(), ORIGIN.to_owned()),
        ];
        if let Some(redis) = &redis {
            variables.extend(["redis_url", "redis_origin"].map(|name| (name.to_owned(), redis.url())));
        }
        let open = serve(kind, &application, &variables).await;
        let origin = provider.base_url().trim_end_matches("/v1").to_owned();
        for (name, value) in [
            ("llm_provider", "openai"),
            ("llm_base_url", &provider.base_url()),
            ("llm_origin", &origin),
            ("llm_api_key", "sk-of-nobody"),
        ] {
            variables.push((name.to_owned(), value.to_owned()));
        }
        let slow = serve(kind, &application, &variables).await;
        let mut site = Site::open(&open.url(), Credentials::None)
            .await
            .unwrap_or_else(|error| panic!("{} is a deployment: {error:#}", open.url()));
        site.approvals = Some("approvals".to_owned());
        site.origin = Some(ORIGIN.to_owned());
        site.held = Some(Arc::new(Held {
            base: slow.url(),
            provider,
            holds,
        }));
        Self {
            site,
            _servers: vec![open, slow],
            _redis: redis,
            _application: application,
        }
    }

    /// The deployment as a user sees it who has never been there, and whom a manager knows.
    pub fn as_seen_by(&self, user: &str) -> Site {
        Site {
            me: Credentials::Token(token(user)),
            other: Some(Credentials::Token(token_of(
                &format!("{user}-manager"),
                &["manager"],
            ))),
            ..self.site.clone()
        }
    }
}

impl Server {
    fn url(&self) -> String {
        match self {
            Self::Host(host) => host.url(""),
            Self::Spin(spin) => spin.url(""),
        }
    }
}

async fn serve(kind: Kind, application: &Application, variables: &[(String, String)]) -> Server {
    match kind {
        Kind::Host | Kind::Reusing => {
            let mut builder = HostBuilder::new().manifest(application.manifest());
            if kind == Kind::Reusing {
                builder = builder.arg("--reuse").arg("128");
            }
            for (name, value) in variables {
                builder = builder.env(&format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
            }
            Server::Host(builder.start().await)
        }
        Kind::Spin => Server::Spin(Spin::start(&application.manifest(), variables).await),
    }
}

/// A model that does what its message says: `calls` (tools and arguments) first, then it says `say`. It can be held
/// at `place`, three words into that.
fn model(holds: Holds) -> impl Fn(&Completion) -> Answer {
    move |request| {
        let messages = request.messages();
        let asked = messages.iter().rposition(|message| message["role"] == "user");
        let since = messages.get(asked.unwrap_or_default()..).unwrap_or_default();
        let order = since
            .first()
            .and_then(|message| message["content"].as_str())
            .unwrap_or_default();
        let Ok(order) = serde_json::from_str::<Value>(order) else {
            return Answer::text("That is no order.");
        };
        let has_called = since.iter().any(|message| message["role"] == "tool");
        let calls = order["calls"].as_array().filter(|_| !has_called);
        if let Some(call) = calls.and_then(|calls| calls.first()) {
            let tool = call["tool"].as_str().unwrap_or_default();
            return Answer::tool_call(tool, &call["arguments"].to_string());
        }
        let say = Answer::text(order["say"].as_str().unwrap_or_default());
        match order["place"].as_str() {
            Some(place) => say.comes_after(4, &holds, place.to_owned()),
            None => say,
        }
    }
}
