//! The one connection that wakes up whoever watches a journal.
//!
//! A commit that appends publishes on a channel that is named like the journal's key. A task of its own, the
//! listener, subscribes to the channels that somebody waits for, and to no others. A [`Ticket`] is given out when
//! its channel is subscribed to, so whoever looks after that and then waits misses nothing. When the connection
//! was lost, everybody is woken up once it is there again, because there is no telling what was said meanwhile.
//!
//! In a cluster one connection to any node is enough: what is published on one is told to all of them by the
//! cluster's own bus. That costs the bus a message to each node for each append; sharded channels would cost less in
//! a large cluster, and a connection to each node here.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::redis::aio::{PubSubSink, PubSubStream};
use ::redis::{ErrorKind, ProtocolVersion, RedisError};
use anyturn_state::Error;
use anyturn_state::schema::Waiter;
use futures::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, sleep, timeout, timeout_at};

use super::RedisOptions;
use super::source::Source;

/// Publications are not acknowledged; whoever waits looks by itself this often.
const LOOK_ANYWAY: Duration = Duration::from_secs(5);
/// How often a connection on which nothing is heard is tried.
const PING_EVERY: Duration = Duration::from_secs(10);
const FIRST_DELAY: Duration = Duration::from_millis(20);
const LAST_DELAY: Duration = Duration::from_secs(2);

/// Subscriptions. The listener ends when this and all tickets are dropped.
pub(super) struct Notices {
    registry: Registry,
    wishes: mpsc::UnboundedSender<Arc<str>>,
    timeout: Duration,
}

/// What waiters are told.
#[derive(Clone, Copy)]
struct Signal {
    subscribed: bool,
    /// Grows with everything that may be news.
    news: u64,
}

struct Channel {
    waiters: usize,
    signal: watch::Sender<Signal>,
}

/// The channels that somebody waits for, by name.
type Registry = Arc<Mutex<HashMap<Arc<str>, Channel>>>;

fn lock(registry: &Registry) -> MutexGuard<'_, HashMap<Arc<str>, Channel>> {
    // Nothing panics while holding it, and no state of it is half-done.
    registry.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Notices {
    /// Starts the listener, which connects when somebody waits for the first time.
    pub(super) fn new(source: Source, options: &RedisOptions) -> Self {
        let registry = Registry::default();
        let (wishes, inbox) = mpsc::unbounded_channel();
        let timeout = options.connection_timeout;
        let listener = Listener {
            source,
            registry: Arc::clone(&registry),
            timeout,
            inbox,
        };
        tokio::spawn(listener.run());
        Self {
            registry,
            wishes,
            timeout: options.response_timeout,
        }
    }

    /// Subscribes to a channel, or joins those who have.
    pub(super) async fn subscribe(&self, channel: String) -> Result<Ticket, Error> {
        let name: Arc<str> = channel.into();
        let signal = {
            let mut channels = lock(&self.registry);
            let channel = channels.entry(Arc::clone(&name)).or_insert_with(|| Channel {
                waiters: 0,
                signal: watch::Sender::new(Signal {
                    subscribed: false,
                    news: 0,
                }),
            });
            channel.waiters += 1;
            channel.signal.subscribe()
        };
        // From here on the ticket's drop undoes it.
        let mut ticket = Ticket {
            name,
            signal,
            registry: Arc::clone(&self.registry),
            wishes: self.wishes.clone(),
        };
        if !ticket.signal.borrow().subscribed {
            let _ = self.wishes.send(Arc::clone(&ticket.name));
        }
        match timeout(self.timeout, ticket.signal.wait_for(|signal| signal.subscribed)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => {
                return Err(Error::Unavailable(
                    "Redis accepts no subscription at the moment".to_owned(),
                ));
            }
        }
        ticket.signal.mark_unchanged();
        Ok(ticket)
    }
}

/// A subscription to one channel; dropping it gives it up.
pub struct Ticket {
    name: Arc<str>,
    signal: watch::Receiver<Signal>,
    registry: Registry,
    wishes: mpsc::UnboundedSender<Arc<str>>,
}

impl Waiter for Ticket {
    async fn wait(&mut self, _start: u64, within: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + within.min(LOOK_ANYWAY);
        let news = self.signal.borrow_and_update().news;
        // Being cut off from the server is no news; being back is.
        let _ = timeout_at(deadline, self.signal.wait_for(|signal| signal.news != news)).await;
        Ok(())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut channels = lock(&self.registry);
        if let Some(channel) = channels.get_mut(&self.name) {
            channel.waiters -= 1;
            if channel.waiters == 0 {
                channels.remove(&self.name);
                let _ = self.wishes.send(Arc::clone(&self.name));
            }
        }
    }
}

struct Listener {
    source: Source,
    registry: Registry,
    timeout: Duration,
    /// Channels of which the wanted state may have changed.
    inbox: mpsc::UnboundedReceiver<Arc<str>>,
}

impl Listener {
    async fn run(mut self) {
        let mut delay = FIRST_DELAY;
        // Without anybody who waits there is no connection.
        while let Some(first) = self.inbox.recv().await {
            if lock(&self.registry).is_empty() {
                continue;
            }
            let mut wanted = Some(first);
            while wanted.take().is_some() || !lock(&self.registry).is_empty() {
                let begun = Instant::now();
                match self.listen().await {
                    Ok(()) => return,
                    Err(error) => tracing::warn!(%error, "lost the subscriptions to Redis"),
                }
                for channel in lock(&self.registry).values() {
                    channel.signal.send_modify(|signal| signal.subscribed = false);
                }
                if begun.elapsed() > LAST_DELAY {
                    delay = FIRST_DELAY;
                }
                sleep(delay).await;
                delay = LAST_DELAY.min(2 * delay);
            }
        }
    }

    /// Listens until the connection is lost, which is an error, or nobody can ask for anything any more.
    async fn listen(&mut self) -> Result<(), RedisError> {
        let server = self.source.find(self.timeout).await?;
        let client = self.source.client(server.clone(), ProtocolVersion::RESP2)?;
        let (mut sink, mut stream): (PubSubSink, PubSubStream) =
            within(self.timeout, client.get_async_pubsub()).await?.split();
        let mut subscribed = HashSet::new();
        let all: Vec<Arc<str>> = lock(&self.registry).keys().cloned().collect();
        self.adjust(all, &mut subscribed, &mut sink).await?;
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = stream.next() => match message {
                    Some(message) => {
                        if let Some(channel) = lock(&self.registry).get(message.get_channel_name()) {
                            channel.signal.send_modify(|signal| signal.news += 1);
                        }
                    }
                    None => return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()),
                },
                wish = self.inbox.recv() => {
                    let Some(wish) = wish else { return Ok(()) };
                    let mut wishes = vec![wish];
                    while let Ok(wish) = self.inbox.try_recv() {
                        wishes.push(wish);
                    }
                    self.adjust(wishes, &mut subscribed, &mut sink).await?;
                }
                _ = ping.tick() => {
                    within(self.timeout, sink.ping::<::redis::Value>()).await?;
                    if !self.source.holds(&server) {
                        let reason = "the server is in the cluster no more";
                        return Err((ErrorKind::ClusterConnectionNotFound, reason).into());
                    }
                }
            }
        }
    }

    /// Brings the subscriptions to some channels in line with what is wanted, and tells those who wait.
    async fn adjust(
        &self,
        channels: Vec<Arc<str>>,
        subscribed: &mut HashSet<Arc<str>>,
        sink: &mut PubSubSink,
    ) -> Result<(), RedisError> {
        let (wanted, unwanted): (Vec<_>, Vec<_>) = {
            let registry = lock(&self.registry);
            channels.into_iter().partition(|name| registry.contains_key(name))
        };
        let unwanted: Vec<&str> = unwanted
            .iter()
            .filter(|name| subscribed.remove(*name))
            .map(|name| &**name)
            .collect();
        if !unwanted.is_empty() {
            within(self.timeout, sink.unsubscribe(unwanted)).await?;
        }
        let missing: HashSet<&str> = wanted
            .iter()
            .filter(|name| !subscribed.contains(*name))
            .map(|name| &**name)
            .collect();
        if !missing.is_empty() {
            let missing: Vec<&str> = missing.into_iter().collect();
            within(self.timeout, sink.subscribe(missing)).await?;
        }
        let registry = lock(&self.registry);
        for name in wanted {
            if let Some(channel) = registry.get(&name) {
                channel.signal.send_modify(|signal| {
                    signal.news += u64::from(!signal.subscribed);
                    signal.subscribed = true;
                });
            }
            subscribed.insert(name);
        }
        Ok(())
    }
}

async fn within<T>(
    limit: Duration,
    action: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, RedisError> {
    match timeout(limit, action).await {
        Ok(result) => result,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}
