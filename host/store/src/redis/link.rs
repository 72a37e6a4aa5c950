//! One connection that operations share.
//!
//! Operations are sent as they come and their answers arrive in order (a multiplexed connection). A task of its
//! own, the keeper, opens the connection and opens it again when somebody finds it broken: the driver, when the
//! server closes it; an operation, when its time-out passed in complete silence (a server that hangs, a network
//! that swallows packets), or when the server says that it is a replica by now.
//!
//! A link says of an operation that failed whether the server did not get it ([`Absent`]), did not run it
//! ([`Failure::Refused`]), or may have run it ([`Failure::Lost`]). It repeats nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{ErrorKind, RedisError, ServerErrorKind, Value};
use anyturn_state::Error;
use anyturn_state::schema::Invocation;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::RedisOptions;
use super::address::Address;
use super::command::{command, verdict};
use super::dial::{Dialer, Server, identify};
use super::source::Source;

/// Delays between attempts to connect double from the first to the last of these.
const FIRST_DELAY: Duration = Duration::from_millis(20);
const LAST_DELAY: Duration = Duration::from_millis(500);

/// The shared connection. The keeper ends when it is dropped.
pub(super) struct Link {
    state: watch::Receiver<State>,
    broken: mpsc::UnboundedSender<Broken>,
    timeout: Duration,
    opened: Instant,
    /// When something was last heard from the server, in microseconds after `opened`.
    heard: AtomicU64,
}

enum State {
    Up(Ready),
    Down(Absent),
}

/// A connection to send something on.
#[derive(Clone)]
pub(super) struct Ready {
    connection: MultiplexedConnection,
    generation: u64,
}

/// There is no connection: nothing was sent.
#[derive(Clone, Debug)]
pub(super) struct Absent {
    pub(super) since: Instant,
    reason: String,
}

/// Why an operation that was sent has no result.
pub(super) enum Failure {
    /// The server answered with an error: the operation has changed nothing.
    Refused(RedisError),
    /// There was no answer: only the caller's conditions can tell whether it took effect.
    Lost(Error),
}

/// Says that a connection is of no use any more; later ones are not meant.
pub(super) struct Broken {
    pub(super) generation: u64,
    pub(super) reason: String,
}

impl Ready {
    /// For what is no operation.
    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }
}

impl Absent {
    pub(super) fn error(&self) -> Error {
        Error::Unavailable(format!("Redis cannot be reached: {}", self.reason))
    }
}

impl Link {
    /// Opens the connection, then starts its keeper.
    pub(super) async fn open(
        source: Source,
        address: &Address,
        options: &RedisOptions,
    ) -> Result<(Self, Server), Error> {
        let (broken, reports) = mpsc::unbounded_channel();
        let mut dialer = Dialer::new(source, options.connection_timeout, broken.clone());
        let mut connection = dialer
            .dial(1)
            .await
            .map_err(|error| address.unreachable(&error))?;
        let server = identify(&mut connection, options.response_timeout).await?;
        let ready = Ready {
            connection,
            generation: 1,
        };
        Ok((
            Self::keep(State::Up(ready), dialer, (broken, reports), options, None),
            server,
        ))
    }

    /// Starts a keeper that opens the connection as soon as it can, and says when it is lost.
    pub(super) fn start(source: Source, options: &RedisOptions, lost: Arc<Notify>) -> Self {
        let (broken, reports) = mpsc::unbounded_channel();
        let dialer = Dialer::new(source, options.connection_timeout, broken.clone());
        let absent = Absent {
            since: Instant::now(),
            reason: "no connection is open yet".to_owned(),
        };
        Self::keep(
            State::Down(absent),
            dialer,
            (broken, reports),
            options,
            Some(lost),
        )
    }

    fn keep(
        first: State,
        dialer: Dialer,
        (broken, reports): (mpsc::UnboundedSender<Broken>, mpsc::UnboundedReceiver<Broken>),
        options: &RedisOptions,
        lost: Option<Arc<Notify>>,
    ) -> Self {
        let (publish, state) = watch::channel(first);
        tokio::spawn(keep(dialer, publish, reports, lost));
        Self {
            state,
            broken,
            timeout: options.response_timeout,
            opened: Instant::now(),
            heard: AtomicU64::new(0),
        }
    }

    /// Asks the server for a sign of life.
    pub(super) async fn ping(&self) -> Result<(), Error> {
        let deadline = Instant::now() + self.timeout;
        let ready = self.wait(deadline).await?;
        let ping = async |mut connection: MultiplexedConnection| {
            ::redis::cmd("PING").query_async::<Value>(&mut connection).await
        };
        match self.exchange(ready, deadline, ping).await {
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.verdict()),
        }
    }

    /// Waits for the connection, runs a script and returns the string that it answers, all within the time-out.
    pub(super) async fn evaluate(&self, call: &Invocation) -> Result<Vec<u8>, Error> {
        let deadline = Instant::now() + self.timeout;
        let ready = self.wait(deadline).await?;
        let reply = self.run(ready, call, deadline).await;
        string(reply.map_err(Failure::verdict)?)
    }

    /// Runs a script.
    pub(super) async fn run(
        &self,
        ready: Ready,
        call: &Invocation,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        self.exchange(ready, deadline, async |mut connection| {
            let reply = connection
                .send_packed_command(&command("EVALSHA", call.script.sha1, call))
                .await;
            match reply.and_then(Value::extract_error) {
                Err(error) if is_unknown_script(&error) => connection
                    .send_packed_command(&command("EVAL", call.script.source, call))
                    .await
                    .and_then(Value::extract_error),
                reply => reply,
            }
        })
        .await
    }

    /// Runs a script on a node that a slot is being moved to ("Redis cluster specification", ASK redirection).
    pub(super) async fn run_asking(
        &self,
        ready: Ready,
        call: &Invocation,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let ask = async |connection: &mut MultiplexedConnection, name, script| {
            let mut asking = ::redis::pipe();
            asking.cmd("ASKING");
            asking.add_command(command(name, script, call));
            let mut replies = connection.send_packed_commands(&asking, 0, 2).await?;
            // The first one only says that what follows is taken for asked for.
            replies.pop().unwrap_or(Value::Nil).extract_error()
        };
        self.exchange(ready, deadline, async |mut connection| {
            match ask(&mut connection, "EVALSHA", call.script.sha1).await {
                Err(error) if is_unknown_script(&error) => {
                    ask(&mut connection, "EVAL", call.script.source).await
                }
                reply => reply,
            }
        })
        .await
    }

    /// Uses the connection, and draws the conclusions, before the deadline.
    async fn exchange<F>(&self, ready: Ready, deadline: Instant, action: F) -> Result<Value, Failure>
    where
        F: AsyncFnOnce(MultiplexedConnection) -> Result<Value, RedisError>,
    {
        let Ready {
            connection,
            generation,
        } = ready;
        let sent = self.elapsed();
        match timeout_at(deadline, action(connection)).await {
            Ok(Ok(value)) => {
                self.heard.fetch_max(self.elapsed(), Ordering::Relaxed);
                Ok(value)
            }
            Ok(Err(error)) => {
                let is_lost = error.is_unrecoverable_error();
                if is_lost || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) {
                    self.report(generation, error.to_string());
                } else {
                    self.heard.fetch_max(self.elapsed(), Ordering::Relaxed);
                }
                Err(match is_server_error(&error) {
                    true => Failure::Refused(error),
                    false => Failure::Lost(verdict(&error)),
                })
            }
            Err(_) => {
                if self.heard.load(Ordering::Relaxed) < sent {
                    self.report(generation, "the server is silent".to_owned());
                }
                Err(Failure::Lost(Error::Unavailable(format!(
                    "Redis did not answer within {:?}",
                    self.timeout
                ))))
            }
        }
    }

    /// The connection, if there is one now.
    pub(super) fn ready(&self) -> Result<Ready, Absent> {
        match &*self.state.borrow() {
            State::Up(ready) => Ok(ready.clone()),
            State::Down(absent) => Err(absent.clone()),
        }
    }

    /// Waits until there may be a connection where there was none.
    pub(super) async fn changed(&self) {
        let mut state = self.state.clone();
        // The keeper is there for as long as this link is, unless the runtime is shutting down.
        let _ = state.wait_for(|state| matches!(state, State::Up(_))).await;
    }

    /// Waits for the connection; not at all when it has been away for longer than an operation may take.
    pub(super) async fn wait(&self, deadline: Instant) -> Result<Ready, Error> {
        loop {
            let absent = match self.ready() {
                Ok(ready) => return Ok(ready),
                Err(absent) => absent,
            };
            if absent.since.elapsed() > self.timeout || timeout_at(deadline, self.changed()).await.is_err() {
                return Err(absent.error());
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

impl Failure {
    fn verdict(self) -> Error {
        match self {
            Self::Refused(error) => verdict(&error),
            Self::Lost(error) => error,
        }
    }
}

/// The one string that a script answers, or the pieces of one.
pub(super) fn string(reply: Value) -> Result<Vec<u8>, Error> {
    let pieces = match reply {
        Value::BulkString(bytes) => return Ok(bytes),
        Value::Array(pieces) => pieces,
        other => return Err(no_answer(&other)),
    };
    let size = pieces.iter().map(|piece| match piece {
        Value::BulkString(bytes) => bytes.len(),
        _ => 0,
    });
    let mut whole = Vec::with_capacity(size.sum());
    for piece in &pieces {
        match piece {
            Value::BulkString(bytes) => whole.extend_from_slice(bytes),
            other => return Err(no_answer(other)),
        }
    }
    Ok(whole)
}

fn no_answer(reply: &Value) -> Error {
    Error::Corrupt(format!("Redis answered {reply:?} to a script"))
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// Whether the server said it, and not this side of the connection.
fn is_server_error(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// Keeps a connection open until nobody wants it any more.
async fn keep(
    mut dialer: Dialer,
    publish: watch::Sender<State>,
    mut reports: mpsc::UnboundedReceiver<Broken>,
    lost: Option<Arc<Notify>>,
) {
    // The connection that there is, or was; none yet is the one before the first.
    let mut generation = u64::from(matches!(*publish.borrow(), State::Up(_)));
    loop {
        if generation > 0 {
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
            tracing::warn!(server = dialer.server(), reason, "lost the connection to Redis");
            let since = Instant::now();
            publish.send_replace(State::Down(Absent { since, reason }));
            if let Some(lost) = &lost {
                lost.notify_one();
            }
        }
        let since = Instant::now();
        let began = generation;
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
                    let reason = error.to_string();
                    publish.send_replace(State::Down(Absent { since, reason }));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(delay) => delay = LAST_DELAY.min(2 * delay),
                () = publish.closed() => return,
            }
        };
        if began > 0 {
            tracing::info!(server = dialer.server(), after = ?since.elapsed(), "connected to Redis again");
        }
        publish.send_replace(State::Up(Ready {
            connection,
            generation,
        }));
    }
}
