//! Reads `spin.toml` (manifest version 2) as Spin 4.1 does, and refuses by name what our host lacks.
//!
//! [`load`] gives an [`Application`] in which every id is checked and every reference resolved, or [`Findings`] that
//! name, for everything that is wrong at once, the file, the line, the key, the reason and what would be right. What Spin
//! refuses is refused; what only Spin can do is refused too, so that nothing is silently left out. Warnings come with
//! the application.
//!
//! ```
//! use anyturn_manifest::{Inputs, parse};
//!
//! let manifest = r#"
//!     spin_manifest_version = 2
//!     [application]
//!     name = "demo"
//!     [variables]
//!     origin = { default = "https://api.example.com" }
//!     [[trigger.http]]
//!     route = "/..."
//!     component = "hello"
//!     [component.hello]
//!     source = "hello.wasm"
//!     allowed_outbound_hosts = ["{{ origin }}"]
//! "#;
//! let (application, _warnings) = parse("spin.toml".as_ref(), manifest)?;
//! let (values, _warnings) = application.values(&Inputs::default())?;
//! let hello = application.component("hello").ok_or("no such component")?;
//! let settings = application.settings(hello, &values)?;
//! assert!(settings.allowed_hosts.allows("https", "api.example.com", None));
//! assert!(!settings.allowed_hosts.allows("https", "example.com", None));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | its promise |
//! |---|---|
//! | `application` | the model: components, settings |
//! | `trigger` | the model: what calls components |
//! | `router` | path → component, with Spin's precedence |
//! | `variables`, `aliases` | values from flags, environment, defaults; secrets stay unseen |
//! | `hosts` | `allowed_outbound_hosts`: may this connection be opened? |
//! | `dependency` | imports, and what they inherit |
//! | `files` | mounts |
//! | `source` | the file of a component: code, or a note of it |
//! | `finding` | errors for people |
//! | `reader`, `read` | TOML with places → model |

pub mod aliases;
mod application;
mod dependency;
mod files;
mod finding;
mod hosts;
mod names;
mod read;
mod reader;
mod router;
mod source;
mod template;
mod trigger;
mod variables;

use std::path::Path;

pub use application::{Application, Component, Settings, Tick, WebSocket};
pub use dependency::{
    Configuration, Dependency, DependencyName, Inherit, InvalidDependencyName, PackageName,
};
pub use files::{Files, MountedFile};
pub use finding::{Finding, Findings, Place, Severity};
pub use hosts::{AllowedHost, AllowedHosts, InvalidHost, SERVICE_CHAINING_SUFFIX};
pub use names::{ComponentId, InvalidName, VariableName};
pub use router::{InvalidRoute, RESERVED_PREFIX, RouteMatch, RoutePattern, Router, chained_headers};
pub use source::Source;
pub use template::{InvalidTemplate, Template};
pub use trigger::{Answer, HttpTrigger, Middleware, RedisTrigger, Route, StaticResponse, Subscription};
pub use variables::{Declaration, Inputs, Origin, Value, Values};

/// Reads a manifest and gives the application with the warnings about it.
///
/// # Errors
/// Everything that is wrong with the manifest; or that the file cannot be read.
pub fn load(path: &Path) -> Result<(Application, Findings), Findings> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let finding = finding::unreadable(path, &error);
        Findings::from(finding.advise("give the path of a spin.toml, or run where one is"))
    })?;
    parse(path, &text)
}

/// Like [`load`], of a text that is already read; `path` tells where relative paths start from.
///
/// # Errors
/// Everything that is wrong with the manifest.
pub fn parse(path: &Path, text: &str) -> Result<(Application, Findings), Findings> {
    let (application, mut findings) = read::application(path, text);
    match application {
        Some(application) if findings.errors() == 0 => {
            findings.extend(application.check_chaining());
            findings.into_result(application)
        }
        _ => Err(findings),
    }
}
