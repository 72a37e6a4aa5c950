//! Where a Redis is, as people write it, and how its servers are connected to.
//!
//! A URL names one server, the sentinels that know which server is the primary, or some nodes of a cluster.
//! What is wrong with it is told without quoting it: it may hold a password.

use std::fmt;
use std::time::Duration;

use ::redis::io::tcp::TcpSettings;
use ::redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    RedisError, TlsCertificates,
};
use anyturn_state::Error;
use percent_encoding::percent_decode_str;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

const FORMS: &str = "no Redis address, which looks like redis://[user:password@]host[:port][/database], \
    redis-sentinel://[user:password@]host[:port],…/primary[/database] or redis-cluster://[user:password@]host[:port],…, \
    each with rediss for TLS, or unix:///path/of/the/socket; reserved characters of a password are percent-encoded";

/// The port of a sentinel, unless it says otherwise ("High availability with Redis Sentinel", redis.io).
const SENTINEL_PORT: u16 = 26379;

/// A Redis, with the credentials that it takes. Displays without them.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) topology: Topology,
    pub(super) access: Access,
}

/// What a URL names.
#[derive(Clone)]
pub(super) enum Topology {
    /// One server.
    Server(ConnectionAddr),
    /// A primary, by the name that its sentinels have for it.
    Sentinel(Sentinels),
    /// Some nodes of a cluster; they know the others.
    Cluster(Vec<Node>),
}

/// The sentinels of a primary.
#[derive(Clone)]
pub(super) struct Sentinels {
    pub(super) nodes: Vec<Node>,
    pub(super) primary: String,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
}

/// A server by its host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) host: String,
    pub(super) port: u16,
}

/// How all servers of a Redis are connected to.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) credentials: RedisConnectionInfo,
    pub(super) tls: bool,
    /// In PEM; in place of the public authorities.
    pub(super) authority: Option<Vec<u8>>,
}

impl Address {
    /// Reads a URL. `authority` is a certificate authority in PEM, for a URL with TLS.
    pub(super) fn parse(url: &str, authority: Option<&[u8]>) -> Result<Self, Error> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (topology, credentials, tls) = match scheme {
            "redis-sentinel" | "rediss-sentinel" => {
                let parts = Parts::split(rest)?;
                let (sentinels, credentials) = sentinels(&parts)?;
                (
                    Topology::Sentinel(sentinels),
                    credentials,
                    scheme == "rediss-sentinel",
                )
            }
            "redis-cluster" | "rediss-cluster" => {
                let parts = Parts::split(rest)?;
                let (nodes, credentials) = cluster(&parts)?;
                (Topology::Cluster(nodes), credentials, scheme == "rediss-cluster")
            }
            _ => {
                // The parser's own message could quote what it was given.
                let info = url.into_connection_info().map_err(|_| invalid(FORMS))?;
                let tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
                (
                    Topology::Server(info.addr().clone()),
                    info.redis_settings().clone(),
                    tls,
                )
            }
        };
        if let Some(pem) = authority {
            if !tls {
                return Err(invalid(
                    "there is a certificate authority, but the address is one without TLS: write rediss instead of redis",
                ));
            }
            trusted(pem)?;
        }
        if tls {
            // Another provider may have been installed by the process; either will do.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        Ok(Self {
            topology,
            access: Access {
                credentials,
                tls,
                authority: authority.map(<[u8]>::to_vec),
            },
        })
    }
}

impl Address {
    /// What to tell people when nothing there can be connected to.
    pub(super) fn unreachable(&self, error: &RedisError) -> Error {
        Error::Unavailable(format!("cannot connect to Redis at {self}: {error}"))
    }
}

/// A URL after its scheme, taken apart.
struct Parts<'a> {
    userinfo: Option<&'a str>,
    hosts: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn split(rest: &'a str) -> Result<Self, Error> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (userinfo, hosts) = match authority.rsplit_once('@') {
            Some((userinfo, hosts)) => (Some(userinfo), hosts),
            None => (None, authority),
        };
        if rest.contains('#') || query.contains('#') {
            return Err(invalid(
                "a Redis address has no part after #; in a password it is written %23",
            ));
        }
        Ok(Self {
            userinfo,
            hosts,
            path,
            query,
        })
    }

    fn nodes(&self, port: u16) -> Result<Vec<Node>, Error> {
        self.hosts.split(',').map(|host| node(host, port)).collect()
    }

    /// User, password and database, by the rules of a single server's URL.
    fn credentials(&self, database: &str) -> Result<RedisConnectionInfo, Error> {
        let userinfo = self
            .userinfo
            .map(|userinfo| format!("{userinfo}@"))
            .unwrap_or_default();
        let url = format!("redis://{userinfo}localhost/{database}");
        let info = url.into_connection_info().map_err(|_| {
            invalid(
                "the user, the password or the database in the Redis address cannot be read: reserved characters \
                 are percent-encoded, and the database is a number",
            )
        })?;
        Ok(info.redis_settings().clone())
    }
}

fn sentinels(parts: &Parts<'_>) -> Result<(Sentinels, RedisConnectionInfo), Error> {
    let (primary, database) = parts.path.split_once('/').unwrap_or((parts.path, ""));
    let primary = decoded(primary)?;
    if primary.is_empty() {
        return Err(invalid(
            "the sentinels have to be told which primary is meant: write its name, as in their `sentinel monitor`, \
             after the hosts: redis-sentinel://host:26379,…/mymaster",
        ));
    }
    let mut sentinels = Sentinels {
        nodes: parts.nodes(SENTINEL_PORT)?,
        primary,
        username: None,
        password: None,
    };
    for setting in parts.query.split('&').filter(|setting| !setting.is_empty()) {
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        match name {
            "sentinel_username" => sentinels.username = Some(decoded(value)?),
            "sentinel_password" => sentinels.password = Some(decoded(value)?),
            _ => {
                return Err(invalid(
                    "after ? in an address of sentinels there can be sentinel_username and sentinel_password",
                ));
            }
        }
    }
    Ok((sentinels, parts.credentials(database)?))
}

fn cluster(parts: &Parts<'_>) -> Result<(Vec<Node>, RedisConnectionInfo), Error> {
    if !matches!(parts.path, "" | "0") || !parts.query.is_empty() {
        return Err(invalid(
            "a cluster has only database 0: the address ends after its hosts, redis-cluster://host:6379,…",
        ));
    }
    Ok((parts.nodes(6379)?, parts.credentials("")?))
}

fn node(text: &str, port: u16) -> Result<Node, Error> {
    let wrong = || invalid("each host in a Redis address is a name or an IP address, and perhaps :port");
    // An IPv6 address is in brackets, so that its colons are none of the port's.
    let written = text
        .rsplit_once(']')
        .map_or(text, |(_, after)| after)
        .contains(':');
    let url = match written {
        true => format!("redis://{text}"),
        false => format!("redis://{text}:{port}"),
    };
    match url.into_connection_info().as_ref().map(ConnectionInfo::addr) {
        Ok(ConnectionAddr::Tcp(host, port)) if !text.is_empty() && !text.contains(['@', '/', '?']) => {
            Ok(Node {
                host: host.clone(),
                port: *port,
            })
        }
        _ => Err(wrong()),
    }
}

fn decoded(text: &str) -> Result<String, Error> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(std::borrow::Cow::into_owned)
        .map_err(|_| invalid("what is percent-encoded in a Redis address is not UTF-8"))
}

/// Makes sure that there is an authority to trust in it.
fn trusted(pem: &[u8]) -> Result<(), Error> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate =
            certificate.map_err(|error| invalid(&format!("the certificate authority is no PEM: {error}")))?;
        store
            .add(certificate)
            .map_err(|error| invalid(&format!("the certificate authority cannot be trusted: {error}")))?;
    }
    if store.is_empty() {
        return Err(invalid(
            "there is no certificate in the certificate authority's file: it is PEM, with lines that say \
             BEGIN CERTIFICATE",
        ));
    }
    Ok(())
}

fn invalid(message: &str) -> Error {
    Error::Invalid(message.to_owned())
}

impl Access {
    /// The address of a node, with TLS or without.
    pub(super) fn address(&self, node: &Node) -> ConnectionAddr {
        let Node { host, port } = node.clone();
        match self.tls {
            true => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                tls_params: None,
            },
            false => ConnectionAddr::Tcp(host, port),
        }
    }

    /// A client of a server, that has not connected yet.
    pub(super) fn client(
        &self,
        address: ConnectionAddr,
        protocol: ProtocolVersion,
    ) -> Result<Client, RedisError> {
        let info = address
            .into_connection_info()?
            .set_tcp_settings(self.tcp())
            .set_redis_settings(self.credentials.clone().set_protocol(protocol));
        match self.certificates() {
            Some(certificates) if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) => {
                Client::build_with_tls(info, certificates)
            }
            _ => Client::open(info),
        }
    }

    pub(super) fn certificates(&self) -> Option<TlsCertificates> {
        self.authority.as_ref().map(|pem| TlsCertificates {
            client_tls: None,
            root_cert: Some(pem.clone()),
        })
    }

    /// A server that vanished without a word must not be waited for until the kernel's own time-out.
    pub(super) fn tcp(&self) -> TcpSettings {
        let tcp = TcpSettings::default().set_nodelay(true);
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(Duration::from_secs(10));
        tcp
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.access.credentials.db();
        let listed = |f: &mut fmt::Formatter<'_>, nodes: &[Node]| {
            for (at, node) in nodes.iter().enumerate() {
                write!(f, "{}{node}", if at == 0 { "" } else { ", " })?;
            }
            Ok(())
        };
        match &self.topology {
            Topology::Server(address) => write!(f, "{address}, database {database}"),
            Topology::Sentinel(Sentinels { nodes, primary, .. }) => {
                write!(f, "{primary} of the sentinels ")?;
                listed(f, nodes)?;
                write!(f, ", database {database}")
            }
            Topology::Cluster(nodes) => {
                f.write_str("the cluster of ")?;
                listed(f, nodes)
            }
        }
    }
}

/// What to tell people when the server did not do what it was asked.
pub(super) fn unavailable(error: &RedisError) -> Error {
    Error::Unavailable(format!("Redis: {error}"))
}

#[cfg(test)]
mod tests;
