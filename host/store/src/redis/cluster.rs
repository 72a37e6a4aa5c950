//! A Redis Cluster: each operation goes to the node that has its scope's slot.
//!
//! There is one [`Link`] to each primary, and a [`Map`] that says which slots are whose. The map is drawn anew
//! ([`survey`]) whenever something contradicts it: a node that says that a slot has moved, a link that is down, a
//! slot that nobody has.
//!
//! An operation that a node did *not* run goes on elsewhere, or to the same node a little later, within its
//! time-out: one that was redirected (MOVED, ASK) or refused for the moment (TRYAGAIN while a slot is moved key by
//! key, CLUSTERDOWN while a primary is being replaced, LOADING, READONLY), and one that finds no connection. One
//! whose answer was lost is not repeated. That is why the redis crate's own cluster connection is not used: it
//! either repeats both kinds, or follows no redirection.

mod map;
mod survey;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::redis::{ErrorKind, RedisError, ServerErrorKind};
use anyturn_state::Error;
use anyturn_state::schema::Invocation;
use futures::future::try_join_all;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::RedisOptions;
use super::address::{Access, Address, Node, unavailable};
use super::command::verdict;
use super::dial::{Server, identify};
use super::link::{Failure, Link, string};
use super::source::{Members, Source};

use map::{Map, Slot};
use survey::Surveyor;

/// How long an operation that was refused for the moment waits before the next try; doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_millis(100);
/// Redirections that are followed at once; nodes that disagree for longer are asked with pauses.
const REDIRECTIONS: u32 = 3;

/// The links to a cluster.
pub(super) struct Cluster {
    links: Arc<Links>,
    map: watch::Receiver<Arc<Map>>,
    members: Members,
    stale: Arc<Notify>,
    timeout: Duration,
}

/// One link to each node that operations go to.
struct Links {
    access: Access,
    options: RedisOptions,
    stale: Arc<Notify>,
    open: Mutex<HashMap<Node, Arc<Link>>>,
}

/// Where an operation goes next.
struct Turn {
    node: Node,
    link: Arc<Link>,
    asking: bool,
}

impl Cluster {
    /// Draws the map, and finds out what answers.
    pub(super) async fn open(
        address: &Address,
        seeds: Vec<Node>,
        options: &RedisOptions,
    ) -> Result<(Self, Server), Error> {
        let stale = Arc::new(Notify::new());
        let links = Arc::new(Links {
            access: address.access.clone(),
            options: options.clone(),
            stale: Arc::clone(&stale),
            open: Mutex::default(),
        });
        let mut surveyor = Surveyor::new(Arc::clone(&links), seeds, Arc::clone(&stale));
        let view = surveyor
            .survey()
            .await
            .map_err(|error| address.unreachable(&error))?;
        let (map, members) = surveyor.publish(view);
        let cluster = Self {
            links,
            map,
            members,
            stale,
            timeout: options.response_timeout,
        };
        tokio::spawn(surveyor.run());
        let server = cluster.identify().await?;
        Ok((cluster, server))
    }

    /// Asks the first primary that answers; they are of one version, or about to be.
    async fn identify(&self) -> Result<Server, Error> {
        let deadline = Instant::now() + self.links.options.connection_timeout;
        let map = Arc::clone(&self.map.borrow());
        let mut reason = Error::Unavailable("the Redis cluster has no primary".to_owned());
        for link in map.links() {
            match link.wait(deadline).await {
                Ok(ready) => return identify(&mut ready.connection(), self.timeout).await,
                Err(error) => reason = error,
            }
        }
        Err(reason)
    }

    /// The nodes that there are, for whoever can do with any of them.
    pub(super) fn members(&self) -> Members {
        self.members.clone()
    }

    /// Asks every primary for a sign of life: a part of the data is out of reach without any one of them.
    pub(super) async fn ping(&self) -> Result<(), Error> {
        let map = Arc::clone(&self.map.borrow());
        if !map.is_complete() {
            self.stale.notify_one();
            return Err(Error::Unavailable(
                "some slots of the Redis cluster are served by no node".to_owned(),
            ));
        }
        let all = try_join_all(map.links().map(|link| link.ping())).await;
        all.map(drop).inspect_err(|_| self.stale.notify_one())
    }

    /// Runs a script where its keys are, and returns its one string, all within the time-out.
    pub(super) async fn evaluate(&self, call: &Invocation) -> Result<Vec<u8>, Error> {
        let deadline = Instant::now() + self.timeout;
        let slot = Slot::of(call.keys.first().map_or("", String::as_str));
        let mut map = self.map.clone();
        let mut sent_on: Option<Turn> = None;
        let mut redirections = 0;
        let mut pause = FIRST_PAUSE;
        loop {
            let turn = match sent_on.take() {
                Some(turn) => turn,
                None => self.owner(&mut map, slot, deadline).await?,
            };
            let ready = match turn.link.ready() {
                Ok(ready) => ready,
                Err(absent) => {
                    // The node comes back, or another one takes its place.
                    self.stale.notify_one();
                    if absent.since.elapsed() > self.timeout {
                        return Err(absent.error());
                    }
                    tokio::select! {
                        () = turn.link.changed() => sent_on = Some(turn),
                        _ = map.changed() => {}
                        () = sleep_until(deadline) => return Err(absent.error()),
                    }
                    continue;
                }
            };
            let reply = match turn.asking {
                false => turn.link.run(ready, call, deadline).await,
                true => turn.link.run_asking(ready, call, deadline).await,
            };
            let error = match reply {
                Ok(reply) => return string(reply),
                Err(Failure::Lost(error)) => {
                    self.stale.notify_one();
                    return Err(error);
                }
                Err(Failure::Refused(error)) => error,
            };
            let at_once = match refusal(&error, &turn.node) {
                Refusal::Moved(to) => {
                    self.stale.notify_one();
                    sent_on = to.map(|node| self.links.turn(node, false));
                    redirections += 1;
                    redirections <= REDIRECTIONS
                }
                Refusal::Ask(to) => {
                    sent_on = to.map(|node| self.links.turn(node, true));
                    redirections += 1;
                    redirections <= REDIRECTIONS
                }
                Refusal::ForNow => {
                    self.stale.notify_one();
                    false
                }
                Refusal::ForGood => return Err(verdict(&error)),
            };
            if !at_once {
                if Instant::now() + pause >= deadline {
                    return Err(unavailable(&error));
                }
                // A map that has changed is worth a try at once.
                let _ = timeout_at(Instant::now() + pause, map.changed()).await;
                pause = LAST_PAUSE.min(2 * pause);
            }
        }
    }

    /// The node that has a slot by the present map.
    async fn owner(
        &self,
        map: &mut watch::Receiver<Arc<Map>>,
        slot: Slot,
        deadline: Instant,
    ) -> Result<Turn, Error> {
        loop {
            if let Some((node, link)) = map.borrow_and_update().owner(slot) {
                return Ok(Turn {
                    node: node.clone(),
                    link: Arc::clone(link),
                    asking: false,
                });
            }
            self.stale.notify_one();
            if !matches!(timeout_at(deadline, map.changed()).await, Ok(Ok(()))) {
                return Err(Error::Unavailable(
                    "no node of the Redis cluster serves this part of the data".to_owned(),
                ));
            }
        }
    }
}

impl Links {
    fn lock(&self) -> MutexGuard<'_, HashMap<Node, Arc<Link>>> {
        // Nothing panics while holding it, and no state of it is half-done.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link to a node, which is started if there is none.
    fn to(&self, node: &Node) -> Arc<Link> {
        let mut open = self.lock();
        if let Some(link) = open.get(node) {
            return Arc::clone(link);
        }
        let source = Source::server(&self.access, self.access.address(node));
        let link = Arc::new(Link::start(source, &self.options, Arc::clone(&self.stale)));
        open.insert(node.clone(), Arc::clone(&link));
        link
    }

    fn turn(&self, node: Node, asking: bool) -> Turn {
        Turn {
            link: self.to(&node),
            node,
            asking,
        }
    }

    /// Closes the links to all but these.
    fn retain(&self, nodes: &[Node]) {
        self.lock().retain(|node, _| nodes.contains(node));
    }

    fn nodes(&self) -> Vec<Node> {
        self.lock().keys().cloned().collect()
    }
}

/// What a node that did not run an operation says instead.
#[derive(Debug, PartialEq)]
enum Refusal {
    /// The slot is another node's, if it says which.
    Moved(Option<Node>),
    /// This one operation is another node's.
    Ask(Option<Node>),
    /// Nobody's, at the moment.
    ForNow,
    /// Nobody's.
    ForGood,
}

fn refusal(error: &RedisError, from: &Node) -> Refusal {
    let to = || {
        let (address, _) = error.redirect_node()?;
        let (host, port) = address.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Node {
            // A node that does not know its own address means the host that it was reached at.
            host: match host {
                "" => from.host.clone(),
                "?" => return None,
                host => host.to_owned(),
            },
            port: port.parse().ok()?,
        })
    };
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::Moved) => Refusal::Moved(to()),
        ErrorKind::Server(ServerErrorKind::Ask) => Refusal::Ask(to()),
        ErrorKind::Server(
            ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::BusyLoading
            | ServerErrorKind::ReadOnly,
        ) => Refusal::ForNow,
        _ => Refusal::ForGood,
    }
}
