//! A deployment as its clients see it: a base URL, and who visits it.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use anyturn_tests::fake_provider::FakeProvider;
use anyturn_tests::hold::Holds;
use serde_json::Value;

use crate::Skipped;
use crate::description::Description;

/// What a client sends to say who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing: development mode, where everybody is the local user.
    #[default]
    None,
    /// `Authorization: Bearer …`
    Token(String),
    /// `x-api-key: …`
    Key(String),
}

impl Credentials {
    /// Adds them to a request.
    pub fn sign(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match self {
            Self::None => request,
            Self::Token(token) => request.bearer_auth(token),
            Self::Key(key) => request.header("x-api-key", key),
        }
    }
}

/// A deployment and what may be used of it.
#[derive(Clone, Debug)]
pub struct Site {
    /// Without a `/` at the end.
    pub(crate) base: String,
    pub(crate) client: reqwest::Client,
    pub(crate) description: Arc<Description>,
    /// Who visits.
    pub me: Credentials,
    /// Somebody else, who has the role that [`Site::approvals`] asks for.
    pub other: Option<Credentials>,
    /// An assistant with the tools of `tasks` of which `delete_task` has to be approved.
    pub approvals: Option<String>,
    /// An origin in `cors_origins`.
    pub origin: Option<String>,
    /// The same application with a model that can be held, for what happens while a turn runs.
    pub held: Option<Arc<Held>>,
}

/// An application whose model says what its message says, and waits where it is told to.
#[derive(Debug)]
pub struct Held {
    /// Where it is.
    pub base: String,
    /// Its model.
    pub provider: FakeProvider,
    /// Where its model can be held.
    pub holds: Holds,
}

impl Site {
    /// A deployment that answers.
    ///
    /// # Errors
    /// When it does not, or does not answer as anyturn does.
    pub async fn open(base: &str, me: Credentials) -> Result<Self> {
        let base = base.trim_end_matches('/').to_owned();
        let client = anyturn_tests::client();
        let url = format!("{base}/openapi.json");
        let answer = client
            .get(&url)
            .send()
            .await
            .with_context(|| format!("{url} does not answer"))?;
        let status = answer.status();
        if !status.is_success() {
            bail!("{url} answers {status}: is this the base URL of an anyturn deployment?");
        }
        let description: Value = answer
            .json()
            .await
            .with_context(|| format!("{url} is not JSON"))?;
        let description =
            Description::read(description).with_context(|| format!("{url} describes no API"))?;
        Ok(Self {
            base,
            client,
            description: Arc::new(description),
            me,
            other: None,
            approvals: None,
            origin: None,
            held: None,
        })
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The same application with the model that can be held.
    ///
    /// # Errors
    /// Where there is none.
    pub fn held(&self) -> Result<(Self, Arc<Held>), Skipped> {
        let held = self.held.clone().ok_or_else(|| {
            Skipped("it takes a model that can be held, which only a server started for this has".to_owned())
        })?;
        let site = Self {
            base: held.base.clone(),
            held: None,
            ..self.clone()
        };
        Ok((site, held))
    }

    /// Somebody else.
    ///
    /// # Errors
    /// Where nobody is known.
    pub fn other(&self) -> Result<&Credentials, Skipped> {
        self.other
            .as_ref()
            .ok_or_else(|| Skipped("no second identity was given (--other-key, --other-token)".to_owned()))
    }

    /// Whether users sign in; else everybody is the local user.
    pub fn signs_in(&self) -> bool {
        self.me != Credentials::None
    }
}
