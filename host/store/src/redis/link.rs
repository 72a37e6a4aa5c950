//! The one connection that all operations of the process share.
//!
//! Operations are sent as they come and their answers arrive in order (a multiplexed connection). A task of its
//! own, the keeper, opens the connection and opens it again when somebody finds it broken: the driver, when the
//! server closes it; an operation, when its time-out passed in complete silence (a server that hangs, a network
//! that swallows packets), or when the server says that it is a replica by now.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, ProtocolVersion, PushInfo, PushKind, RedisError,
    ServerErrorKind, Value,
};
use anyturn_state::Error;
use anyturn_state::schema::{Arg, Invocation, SCRIPTS};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::RedisOptions;
use super::address::{Address, unavailable};

/// Delays between attempts to connect double from the first to the last of these.
const FIRST_DELAY: Duration = Duration::from_millis(20);
const LAST_DELAY: Duration = Duration::from_secs(2);
/// Operations that may wait to be written to the socket before their senders have to.
const SEND_BUFFER: usize = 1024;

/// The shared connection. The keeper ends when it is dropped.
pub(super) struct Link {
    state: watch::Receiver<State>,
    broken: mpsc::UnboundedSender<Broken>,
    timeout: Duration,
    opened: Instant,
    /// When something was last heard from the server, in microseconds after `opened`.
    heard: AtomicU64,
}

#[derive(Clone)]
enum State {
    Up {
        connection: MultiplexedConnection,
        generation: u64,
    },
    Down {
        since: Instant,
        reason: String,
    },
}

/// Says that a connection is of no use any more; later ones are not meant.
struct Broken {
    generation: u64,
    reason: String,
}

/// What answers at the other end.
pub(super) struct Server {
    name: &'static str,
    version: String,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

impl Link {
    /// Opens the connection and starts its keeper.
    pub(super) async fn open(address: &Address, options: &RedisOptions) -> Result<(Self, Server), Error> {
        let (broken, reports) = mpsc::unbounded_channel();
        let mut dialer = Dialer::new(address, options, broken.clone())?;
        let cannot =
            |error: RedisError| Error::Unavailable(format!("cannot connect to Redis at {address}: {error}"));
        let mut connection = dialer.dial(1).await.map_err(cannot)?;
        let server = identify(&mut connection, options.response_timeout).await?;
        let (publish, state) = watch::channel(State::Up {
            connection,
            generation: 1,
        });
        tokio::spawn(keep(dialer, publish, reports));
        let link = Self {
            state,
            broken,
            timeout: options.response_timeout,
            opened: Instant::now(),
            heard: AtomicU64::new(0),
        };
        Ok((link, server))
    }

    pub(super) async fn ping(&self) -> Result<(), Error> {
        self.exchange(async |connection| ::redis::cmd("PING").query_async::<Value>(connection).await)
            .await?;
        Ok(())
    }

    /// Runs a script and returns its one string.
    pub(super) async fn evaluate(&self, call: &Invocation) -> Result<Vec<u8>, Error> {
        let reply = self
            .exchange(async |connection| {
                let reply = connection
                    .send_packed_command(&command("EVALSHA", call.script.sha1, call))
                    .await;
                match reply.and_then(Value::extract_error) {
                    Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => connection
                        .send_packed_command(&command("EVAL", call.script.source, call))
                        .await
                        .and_then(Value::extract_error),
                    reply => reply,
                }
            })
            .await?;
        match reply {
            Value::BulkString(bytes) => Ok(bytes),
            other => Err(Error::Corrupt(format!("Redis answered {other:?} to a script"))),
        }
    }

    /// Waits for the connection, uses it, and draws the conclusions, all within the time-out.
    async fn exchange<F>(&self, action: F) -> Result<Value, Error>
    where
        F: AsyncFnOnce(&mut MultiplexedConnection) -> Result<Value, RedisError>,
    {
        let deadline = Instant::now() + self.timeout;
        let (mut connection, generation) = self.connection(deadline).await?;
        let sent = self.elapsed();
        match timeout_at(deadline, action(&mut connection)).await {
            Ok(Ok(value)) => {
                self.heard.fetch_max(self.elapsed(), Ordering::Relaxed);
                Ok(value)
            }
            Ok(Err(error)) => {
                let kind = error.kind();
                if error.is_unrecoverable_error() || kind == ErrorKind::Server(ServerErrorKind::ReadOnly) {
                    self.report(generation, error.to_string());
                } else {
                    self.heard.fetch_max(self.elapsed(), Ordering::Relaxed);
                }
                Err(verdict(&error))
            }
            Err(_) => {
                if self.heard.load(Ordering::Relaxed) < sent {
                    self.report(generation, "the server is silent".to_owned());
                }
                Err(Error::Unavailable(format!(
                    "Redis did not answer within {:?}",
                    self.timeout
                )))
            }
        }
    }

    async fn connection(&self, deadline: Instant) -> Result<(MultiplexedConnection, u64), Error> {
        let mut state = self.state.clone();
        loop {
            let reason = match &*state.borrow_and_update() {
                State::Up {
                    connection,
                    generation,
                } => return Ok((connection.clone(), *generation)),
                State::Down { since, reason } if since.elapsed() > self.timeout => {
                    return Err(Error::Unavailable(format!("Redis cannot be reached: {reason}")));
                }
                State::Down { reason, .. } => reason.clone(),
            };
            match timeout_at(deadline, state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => {
                    return Err(Error::Unavailable(format!("Redis cannot be reached: {reason}")));
                }
            }
        }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn report(&self, generation: u64, reason: String) {
        // The keeper is there for as long as this link is, unless the runtime is shutting down.
        let _ = self.broken.send(Broken { generation, reason });
    }
}

/// Keeps a connection open until nobody wants it any more.
async fn keep(
    mut dialer: Dialer,
    publish: watch::Sender<State>,
    mut reports: mpsc::UnboundedReceiver<Broken>,
) {
    let mut generation = 1;
    loop {
        let reason = loop {
            tokio::select! {
                report = reports.recv() => match report {
                    Some(report) if report.generation == generation => break report.reason,
                    Some(_) => {}
                    None => return,
                },
                () = publish.closed() => return,
            }
        };
        tracing::warn!(reason, "lost the connection to Redis");
        let since = Instant::now();
        publish.send_replace(State::Down { since, reason });
        generation += 1;
        let mut delay = FIRST_DELAY;
        let connection = loop {
            let attempt = tokio::select! {
                attempt = dialer.dial(generation) => attempt,
                () = publish.closed() => return,
            };
            match attempt {
                Ok(connection) => break connection,
                Err(error) => {
                    tracing::debug!(%error, "could not connect to Redis");
                    publish.send_replace(State::Down {
                        since,
                        reason: error.to_string(),
                    });
                }
            }
            tokio::select! {
                () = tokio::time::sleep(delay) => delay = LAST_DELAY.min(2 * delay),
                () = publish.closed() => return,
            }
        };
        tracing::info!(after = ?since.elapsed(), "connected to Redis again");
        publish.send_replace(State::Up {
            connection,
            generation,
        });
    }
}

/// Opens connections to one server.
struct Dialer {
    client: Client,
    /// Where the server does not speak RESP3, a lost connection is noticed by the next operation only.
    plain: Client,
    resp3: bool,
    timeout: Duration,
    broken: mpsc::UnboundedSender<Broken>,
}

impl Dialer {
    fn new(
        address: &Address,
        options: &RedisOptions,
        broken: mpsc::UnboundedSender<Broken>,
    ) -> Result<Self, Error> {
        Ok(Self {
            client: address.client(|settings| settings.set_protocol(ProtocolVersion::RESP3))?,
            plain: address.client(|settings| settings.set_protocol(ProtocolVersion::RESP2))?,
            resp3: true,
            timeout: options.connection_timeout,
            broken,
        })
    }

    async fn dial(&mut self, generation: u64) -> Result<MultiplexedConnection, RedisError> {
        // Time-outs are this module's.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(SEND_BUFFER);
        let mut connection = loop {
            let (client, config) = if self.resp3 {
                let broken = self.broken.clone();
                let notify = move |push: PushInfo| {
                    if push.kind == PushKind::Disconnection {
                        let reason = "the server closed the connection".to_owned();
                        return broken.send(Broken { generation, reason }).map_err(drop);
                    }
                    Ok(())
                };
                (&self.client, config.clone().set_push_sender(notify))
            } else {
                (&self.plain, config.clone())
            };
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

/// Finds out what answers, and refuses what is too old.
async fn identify(connection: &mut MultiplexedConnection, limit: Duration) -> Result<Server, Error> {
    let unknown = || Server {
        name: "Redis",
        version: "of an unknown version".to_owned(),
    };
    let mut info = ::redis::cmd("INFO");
    let info = match timeout(limit, info.arg("server").query_async::<String>(connection)).await {
        Ok(Ok(info)) => info,
        // INFO may be forbidden to this user, which says nothing about the version.
        Ok(Err(error)) if !error.is_unrecoverable_error() => return Ok(unknown()),
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
        return Ok(unknown());
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
    Ok(match field("valkey_version") {
        Some(version) => Server {
            name: "Valkey",
            version,
        },
        None => Server {
            name: "Redis",
            version: compatible,
        },
    })
}

fn command(name: &'static str, script: &str, call: &Invocation) -> Cmd {
    let Invocation {
        script: _,
        keys,
        args,
    } = call;
    let size = args
        .iter()
        .map(|arg| {
            if let Arg::Bytes(bytes) = arg {
                bytes.len()
            } else {
                8
            }
        })
        .sum::<usize>()
        + keys.iter().map(String::len).sum::<usize>()
        + script.len();
    let mut command = Cmd::with_capacity(3 + keys.len() + args.len(), size + 32);
    command.arg(name).arg(script).arg(keys.len());
    for key in keys {
        command.arg(key);
    }
    for arg in args {
        match arg {
            Arg::Word(word) => command.arg(*word),
            Arg::Integer(integer) => command.arg(*integer),
            Arg::Bytes(bytes) => command.arg(bytes.as_slice()),
        };
    }
    command
}

/// What an error of an operation means to its caller.
fn verdict(error: &RedisError) -> Error {
    // A script that the stored data makes fail. Everything else (loading, busy, out of memory, a replica, no
    // permission, a lost connection) may pass, or is for whoever runs the server.
    match (error.kind(), error.code()) {
        (ErrorKind::Server(ServerErrorKind::ResponseError), _) | (_, Some("WRONGTYPE")) => {
            Error::Corrupt(format!("Redis: {error}"))
        }
        _ => unavailable(error),
    }
}
