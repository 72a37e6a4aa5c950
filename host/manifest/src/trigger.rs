//! What calls components, and what a route answers without one.

use std::path::{Path, PathBuf};

use http::{HeaderMap, StatusCode};
use url::Url;

use crate::dependency::Inherit;
use crate::finding::{Finding, Place};
use crate::names::ComponentId;
use crate::router::RoutePattern;
use crate::template::Template;
use crate::variables::{Value, Values};

/// Something that is answered over HTTP.
#[derive(Clone, Debug)]
pub struct HttpTrigger {
    pub(crate) id: String,
    pub(crate) answer: Answer,
    pub(crate) route: Route,
}

/// Who answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A component.
    Component(ComponentId),
    /// The host, always in the same way.
    Static(StaticResponse),
}

/// From where a component can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// From outside, under this pattern, and from the application's own components.
    Public(RoutePattern),
    /// From the application's own components only, at `http://<id>.spin.internal`.
    Private,
}

/// An answer that needs no component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticResponse {
    /// The status; 200 where the manifest gives none.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty where the manifest gives none.
    pub body: String,
}

/// A component that stands before another one: it answers a request itself or passes it on, and may change both the
/// request and the answer.
#[derive(Clone, Debug)]
pub struct Middleware {
    pub(crate) source: PathBuf,
    pub(crate) inherit: Inherit,
    pub(crate) place: Place,
    pub(crate) key: String,
}

impl HttpTrigger {
    /// The trigger's id, given or generated.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Who answers.
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// The component that answers, if one does.
    pub fn component(&self) -> Option<&ComponentId> {
        match &self.answer {
            Answer::Component(id) => Some(id),
            Answer::Static(_) => None,
        }
    }

    /// From where it can be reached.
    pub fn route(&self) -> &Route {
        &self.route
    }
}

impl Middleware {
    /// The component file; absolute, not checked to exist.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// What of the component's configuration it may use.
    pub fn inherit(&self) -> &Inherit {
        &self.inherit
    }

    /// Where the manifest names it.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The manifest's key for it.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// A component that is called with the messages of a Redis channel.
#[derive(Clone, Debug)]
pub struct RedisTrigger {
    pub(crate) id: String,
    pub(crate) component: ComponentId,
    pub(crate) place: Place,
    pub(crate) key: String,
    pub(crate) address: Template,
    pub(crate) channel: Template,
}

/// A Redis trigger whose variables are filled in.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The trigger's id, given or generated.
    pub trigger: String,
    /// Who handles the messages.
    pub component: ComponentId,
    /// The server: `redis://` or `rediss://`. May hold a password.
    pub address: Value,
    /// The channel.
    pub channel: String,
}

impl RedisTrigger {
    /// The trigger's id, given or generated.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Who handles the messages.
    pub fn component(&self) -> &ComponentId {
        &self.component
    }

    /// The trigger with its variables filled in.
    pub(crate) fn subscription(&self, values: &Values) -> Result<Subscription, Finding> {
        let fail = |key: &str, reason: String| {
            Finding::error(self.place.clone(), format!("{}.{key}", self.key), reason)
        };
        let render = |key: &str, template: &Template| {
            values
                .render(template)
                .map_err(|name| fail(key, format!("the application has no variable `{name}`")))
        };
        let address = render("address", &self.address)?;
        let channel = render("channel", &self.channel)?;
        let is_server = Url::parse(address.expose())
            .is_ok_and(|url| matches!(url.scheme(), "redis" | "rediss") && url.has_host());
        if !is_server {
            // Never quoted: it may hold a password.
            return Err(fail("address", "is no address of a Redis server".to_owned())
                .advise("write redis://[user:password@]host[:port], or rediss:// for TLS"));
        }
        if channel.expose().is_empty() {
            return Err(fail("channel", "is empty".to_owned()).advise("name the channel to subscribe to"));
        }
        Ok(Subscription {
            trigger: self.id.clone(),
            component: self.component.clone(),
            address,
            channel: channel.expose().to_owned(),
        })
    }
}
