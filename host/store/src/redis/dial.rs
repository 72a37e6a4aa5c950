//! Opens connections, and finds out what answers.

use std::fmt;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, ErrorKind, ProtocolVersion, PushInfo, PushKind, RedisError};
use anyturn_state::Error;
use anyturn_state::schema::SCRIPTS;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::address::unavailable;
use super::link::Broken;
use super::source::Source;

/// Operations that may wait to be written to the socket before their senders have to.
const SEND_BUFFER: usize = 1024;

/// Opens connections that operations share, one after another.
pub(super) struct Dialer {
    source: Source,
    /// Where the server does not speak RESP3, a lost connection is noticed by the next operation only.
    resp3: bool,
    timeout: Duration,
    broken: mpsc::UnboundedSender<Broken>,
    /// The server of the last connection, for people.
    server: String,
}

impl Dialer {
    /// Connections that are closed by their server are reported to `broken`.
    pub(super) fn new(source: Source, timeout: Duration, broken: mpsc::UnboundedSender<Broken>) -> Self {
        Self {
            source,
            resp3: true,
            timeout,
            broken,
            server: String::new(),
        }
    }

    /// The server that was connected to last, for people.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Opens a connection; `generation` is what it is called in a report.
    pub(super) async fn dial(&mut self, generation: u64) -> Result<MultiplexedConnection, RedisError> {
        let address = self.source.find(self.timeout).await?;
        self.server = address.to_string();
        // Time-outs are the link's.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(SEND_BUFFER);
        let mut connection = loop {
            let (protocol, config) = if self.resp3 {
                let broken = self.broken.clone();
                let notify = move |push: PushInfo| {
                    if push.kind == PushKind::Disconnection {
                        let reason = "the server closed the connection".to_owned();
                        return broken.send(Broken { generation, reason }).map_err(drop);
                    }
                    Ok(())
                };
                (ProtocolVersion::RESP3, config.clone().set_push_sender(notify))
            } else {
                (ProtocolVersion::RESP2, config.clone())
            };
            let client = self.source.client(address.clone(), protocol)?;
            match client.get_multiplexed_async_connection_with_config(&config).await {
                Err(error) if self.resp3 && error.kind() == ErrorKind::RESP3NotSupported => {
                    self.resp3 = false
                }
                result => break result?,
            }
        };
        // Loading the scripts now saves a round trip later. Whoever may not load them will find out then.
        let mut load = ::redis::pipe();
        for script in SCRIPTS {
            load.cmd("SCRIPT").arg("LOAD").arg(script.source).ignore();
        }
        let loading = load.exec_async(&mut connection);
        match timeout(self.timeout, loading).await {
            Ok(Err(error)) if error.is_unrecoverable_error() => Err(error),
            Ok(_) => Ok(connection),
            Err(_) => Err(RedisError::from(std::io::Error::from(
                std::io::ErrorKind::TimedOut,
            ))),
        }
    }
}

/// What answers at the other end.
pub(super) struct Server {
    name: &'static str,
    version: String,
    mode: Mode,
}

/// What a server says that it is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Standalone,
    Sentinel,
    Cluster,
    Unknown,
}

impl Server {
    /// A server about which nothing could be found out.
    fn unknown() -> Self {
        Self {
            name: "Redis",
            version: "of an unknown version".to_owned(),
            mode: Mode::Unknown,
        }
    }

    /// Refuses a server that an address for a single one leads to by mistake.
    pub(super) fn stands_alone(self) -> Result<Self, Error> {
        let (is, scheme) = match self.mode {
            Mode::Standalone | Mode::Unknown => return Ok(self),
            Mode::Sentinel => ("a sentinel", "redis-sentinel://host:port,…/name-of-the-primary"),
            Mode::Cluster => ("a node of a cluster", "redis-cluster://host:port,…"),
        };
        Err(Error::Invalid(format!(
            "the server is {is}: write its address as {scheme}"
        )))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// Finds out what answers, and refuses what is too old.
pub(super) async fn identify(
    connection: &mut MultiplexedConnection,
    limit: Duration,
) -> Result<Server, Error> {
    let mut info = ::redis::cmd("INFO");
    let info = match timeout(limit, info.arg("server").query_async::<String>(connection)).await {
        Ok(Ok(info)) => info,
        // INFO may be forbidden to this user, which says nothing about the version.
        Ok(Err(error)) if !error.is_unrecoverable_error() => return Ok(Server::unknown()),
        Ok(Err(error)) => return Err(unavailable(&error)),
        Err(_) => {
            return Err(Error::Unavailable(format!(
                "Redis did not answer within {limit:?}"
            )));
        }
    };
    let field = |name: &str| {
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.trim().to_owned())
    };
    let Some(compatible) = field("redis_version") else {
        return Ok(Server::unknown());
    };
    let major = compatible
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major < 7) {
        return Err(Error::Unavailable(format!(
            "anyturn needs Redis 7.0 or later (or Valkey); this server is version {compatible}"
        )));
    }
    let mode = match field("server_mode").or(field("redis_mode")).as_deref() {
        Some("standalone") => Mode::Standalone,
        Some("sentinel") => Mode::Sentinel,
        Some("cluster") => Mode::Cluster,
        _ => Mode::Unknown,
    };
    Ok(match field("valkey_version") {
        Some(version) => Server {
            name: "Valkey",
            version,
            mode,
        },
        None => Server {
            name: "Redis",
            version: compatible,
            mode,
        },
    })
}
