//! `allowed_outbound_hosts`: which addresses a component may open a connection to.
//!
//! An entry is `scheme://host[:port]` in Spin's syntax:
//!
//! | part   | may be                                                                                        |
//! |--------|-----------------------------------------------------------------------------------------------|
//! | scheme | letters, or `*`                                                                               |
//! | host   | a name, an address, `*`, `*.example.com`, a network such as `10.0.0.0/8`, or `self`            |
//! | port   | a number, `*`, or `8000..9000` (the end excluded); left out: the scheme's own port             |
//!
//! An entry with `{{ variable }}` in it is read after the variables are known, and an entry that then is empty (or only
//! `http://` or `https://`) allows nothing: so an optional address needs no special case. Everything else is denied.

use std::fmt;
use std::net::IpAddr;
use std::ops::Range;
use std::str::FromStr;

use ipnet::IpNet;
use url::Host;

use crate::names::ComponentId;

/// Addresses under this domain are components of the same application.
pub const SERVICE_CHAINING_SUFFIX: &str = ".spin.internal";

/// One entry of `allowed_outbound_hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    scheme: Scheme,
    host: HostPattern,
    port: Port,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scheme {
    Any,
    One(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    Any,
    /// With the leading dot.
    Below(String),
    ToSelf,
    One(Host),
    Network(IpNet),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Port {
    Any,
    One(u16),
    Range(Range<u16>),
}

/// Why a text is no entry of `allowed_outbound_hosts`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHost {
    /// There is no `://`.
    #[error("has no scheme")]
    NoScheme,
    /// The text that stood for everything in Spin 1.
    #[error("`insecure:allow-all` is no longer understood")]
    AllowAll,
    /// The scheme is not made of letters.
    #[error("the scheme `{0}` is not made of letters only")]
    Scheme(String),
    /// No port, and the scheme has none of its own.
    #[error("has no port, and `{0}` has no port of its own")]
    NoPort(String),
    /// The port is neither a number nor a range.
    #[error("the port `{0}` is neither a number from 0 to 65535 nor a range such as 8000..9000")]
    Port(String),
    /// Something follows the host.
    #[error("has a path")]
    Path,
    /// A `*` where none may stand.
    #[error("`*` stands for a whole host or for its first labels (`*.example.com`) only")]
    Wildcard,
    /// Braces that Spin reserves for lists.
    #[error("lists in braces are not supported")]
    List,
    /// A user name or password.
    #[error("has a user name or a password")]
    UserInfo,
    /// Not a host name and not an address.
    #[error("`{0}` is neither a host name nor an address")]
    Host(String),
}

impl InvalidHost {
    /// The reason without any of the text that was read: for values that are secret.
    pub(crate) fn without_text(&self) -> String {
        match self {
            Self::Scheme(_) | Self::NoPort(_) | Self::Port(_) | Self::Host(_) => {
                "is not scheme://host:port".to_owned()
            }
            other => other.to_string(),
        }
    }

    /// What would be right.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::AllowAll => "to allow everything, write \"*://*:*\"",
            Self::NoPort(_) => "name the port, such as \"amqp://queue.example.com:5672\"",
            Self::Path | Self::UserInfo => {
                "give scheme, host and port only, such as \"https://api.example.com\""
            }
            Self::List => "write one entry for each",
            _ => {
                "write scheme://host:port, such as \"https://api.example.com\" or \"redis://localhost:6379\""
            }
        }
    }
}

impl FromStr for AllowedHost {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let text = text.trim();
        if text == "insecure:allow-all" {
            return Err(InvalidHost::AllowAll);
        }
        let (scheme, rest) = text.split_once("://").ok_or(InvalidHost::NoScheme)?;
        if rest.contains('@') {
            return Err(InvalidHost::UserInfo);
        }
        let (host, port) = split_port(rest)?;
        Ok(Self {
            scheme: Scheme::parse(scheme)?,
            port: Port::parse(port, scheme)?,
            host: HostPattern::parse(host)?,
        })
    }
}

/// Splits off the port; the colons of an IPv6 address or network are not port separators.
fn split_port(authority: &str) -> Result<(&str, &str), InvalidHost> {
    match authority.rsplit_once(':') {
        None => Ok((authority, "")),
        Some((host, "")) => Ok((host, "")),
        Some(_) if HostPattern::parse(authority).is_ok() => Ok((authority, "")),
        Some((host, port)) => match port.split_once('/') {
            Some((port, "")) => Ok((host, port)),
            Some(_) => Err(InvalidHost::Path),
            None => Ok((host, port)),
        },
    }
}

impl Scheme {
    fn parse(text: &str) -> Result<Self, InvalidHost> {
        match text {
            "*" => Ok(Self::Any),
            _ if text.starts_with('{') => Err(InvalidHost::List),
            _ if text.is_empty() || text.chars().any(|c| !c.is_alphabetic()) => {
                Err(InvalidHost::Scheme(text.to_owned()))
            }
            _ => Ok(Self::One(text.to_owned())),
        }
    }

    fn allows(&self, scheme: &str) -> bool {
        match self {
            Self::Any => true,
            Self::One(own) => own == scheme,
        }
    }
}

impl HostPattern {
    fn parse(text: &str) -> Result<Self, InvalidHost> {
        let text = text.trim();
        match text {
            "*" => return Ok(Self::Any),
            "self" | "self.alt" => return Ok(Self::ToSelf),
            _ if text.starts_with('{') => return Err(InvalidHost::List),
            _ => {}
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network.trunc()));
        }
        let name = text.strip_suffix('/').unwrap_or(text);
        if name.contains('/') {
            return Err(InvalidHost::Path);
        }
        let parse = |name: &str| Host::parse(name).map_err(|_| InvalidHost::Host(name.to_owned()));
        match name.strip_prefix("*.") {
            Some(domain) if domain.contains('*') => Err(InvalidHost::Wildcard),
            Some(domain) => match parse(domain)? {
                Host::Domain(domain) => Ok(Self::Below(format!(".{domain}"))),
                Host::Ipv4(_) | Host::Ipv6(_) => Err(InvalidHost::Wildcard),
            },
            None if name.contains('*') => Err(InvalidHost::Wildcard),
            None => parse(name).map(Self::One),
        }
    }

    fn allows(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::One(own), host) => own == host,
            (Self::Below(suffix), Host::Domain(domain)) => domain.ends_with(suffix),
            (Self::Network(network), Host::Ipv4(address)) => network.contains(&IpAddr::V4(*address)),
            (Self::Network(network), Host::Ipv6(address)) => network.contains(&IpAddr::V6(*address)),
            (Self::Below(_) | Self::Network(_) | Self::ToSelf, _) => false,
        }
    }
}

impl Port {
    fn parse(text: &str, scheme: &str) -> Result<Self, InvalidHost> {
        let number = |number: &str| number.parse().map_err(|_| InvalidHost::Port(text.to_owned()));
        match text {
            "" => own_port(scheme)
                .map(Self::One)
                .ok_or_else(|| InvalidHost::NoPort(scheme.to_owned())),
            "*" => Ok(Self::Any),
            _ if text.starts_with('{') => Err(InvalidHost::List),
            _ => match text.split_once("..") {
                Some((start, end)) => Ok(Self::Range(number(start)?..number(end)?)),
                None => number(text).map(Self::One),
            },
        }
    }

    fn allows(&self, port: Option<u16>) -> bool {
        match (self, port) {
            (Self::Any, _) => true,
            (Self::One(own), Some(port)) => *own == port,
            (Self::Range(range), Some(port)) => range.contains(&port),
            (_, None) => false,
        }
    }
}

/// The port that a scheme has when none is written.
fn own_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "redis" => Some(6379),
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "mqtt" => Some(1883),
        _ => None,
    }
}

impl AllowedHost {
    /// Reads an entry whose variables have been filled in. `None` when the values left nothing of it.
    pub(crate) fn from_rendered(text: &str) -> Result<Option<Self>, InvalidHost> {
        if matches!(text, "" | "http://" | "https://") {
            Ok(None)
        } else {
            text.parse().map(Some)
        }
    }

    /// The one component of this application that the entry names, for `http://<id>.spin.internal`.
    pub fn component(&self) -> Option<&str> {
        match &self.host {
            HostPattern::One(Host::Domain(domain)) => domain.strip_suffix(SERVICE_CHAINING_SUFFIX),
            _ => None,
        }
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scheme {
            Scheme::Any => f.write_str("*://")?,
            Scheme::One(scheme) => write!(f, "{scheme}://")?,
        }
        match &self.host {
            HostPattern::Any => f.write_str("*")?,
            HostPattern::Below(suffix) => write!(f, "*{suffix}")?,
            HostPattern::ToSelf => f.write_str("self")?,
            HostPattern::One(host) => write!(f, "{host}")?,
            HostPattern::Network(network) => write!(f, "{network}")?,
        }
        match &self.port {
            Port::Any => f.write_str(":*"),
            Port::One(port) => write!(f, ":{port}"),
            Port::Range(range) => write!(f, ":{}..{}", range.start, range.end),
        }
    }
}

/// All that a component may reach. The default allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<AllowedHost>);

impl AllowedHosts {
    /// The given entries; `http://*.spin.internal` stands for the components of this application, no other names.
    pub fn new(hosts: impl IntoIterator<Item = AllowedHost>, components: &[&ComponentId]) -> Self {
        let expand = |entry: AllowedHost| match &entry.host {
            HostPattern::Below(suffix) if suffix == SERVICE_CHAINING_SUFFIX => components
                .iter()
                .map(|id| AllowedHost {
                    host: HostPattern::One(Host::Domain(format!("{id}{SERVICE_CHAINING_SUFFIX}"))),
                    ..entry.clone()
                })
                .collect(),
            _ => vec![entry],
        };
        Self(hosts.into_iter().flat_map(expand).collect())
    }

    /// Whether a connection may be opened. A `port` of `None` means the scheme's own. A `host` that is no host name and
    /// no address is denied. IPv6 addresses may stand in brackets or without.
    ///
    /// ```
    /// use anyturn_manifest::AllowedHosts;
    ///
    /// let hosts = AllowedHosts::new(["https://*.example.com".parse()?], &[]);
    /// assert!(hosts.allows("https", "api.example.com", None));
    /// assert!(hosts.allows("https", "API.example.com", Some(443)));
    /// assert!(!hosts.allows("http", "api.example.com", None));
    /// assert!(!hosts.allows("https", "example.com", None));
    /// # Ok::<(), anyturn_manifest::InvalidHost>(())
    /// ```
    pub fn allows(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        let host = match host.parse() {
            Ok(IpAddr::V6(address)) => Host::Ipv6(address),
            Ok(IpAddr::V4(address)) => Host::Ipv4(address),
            Err(_) => match Host::parse(host) {
                Ok(host) => host,
                Err(_) => return false,
            },
        };
        let port = port.or_else(|| own_port(scheme));
        self.0
            .iter()
            .any(|entry| entry.scheme.allows(scheme) && entry.host.allows(&host) && entry.port.allows(port))
    }

    /// Whether requests without a host of their own (`self`) may be sent: they go to this application's routes.
    pub fn allows_self(&self, scheme: &str) -> bool {
        self.0
            .iter()
            .any(|e| e.scheme.allows(scheme) && matches!(e.host, HostPattern::Any | HostPattern::ToSelf))
    }

    /// Whether nothing at all may be reached.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries.
    pub fn iter(&self) -> std::slice::Iter<'_, AllowedHost> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests;
