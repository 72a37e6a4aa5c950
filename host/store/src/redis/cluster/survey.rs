//! Draws the map of a cluster anew whenever it may have changed.
//!
//! All nodes that are known are asked at the same time. The answer with the latest configuration epoch counts, once
//! more than half of them have answered: a primary that was cut off and replaced does not know it, and its picture is
//! an old one. While something in the picture cannot be reached, it is drawn again and again.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, ErrorKind, ProtocolVersion, RedisError, Value};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::Links;
use super::map::{Map, View};
use crate::redis::address::Node;
use crate::redis::source::Members;

/// Between two surveys there is at least the first of these; it doubles while the cluster is not whole.
const FIRST_DELAY: Duration = Duration::from_millis(20);
const LAST_DELAY: Duration = Duration::from_millis(500);

/// Draws maps until nobody reads them any more.
pub(super) struct Surveyor {
    links: Arc<Links>,
    /// The nodes in the address; known even if all others are gone.
    seeds: Vec<Node>,
    stale: Arc<Notify>,
    published: Option<Published>,
}

struct Published {
    map: watch::Sender<Arc<Map>>,
    members: watch::Sender<Arc<[Node]>>,
}

impl Surveyor {
    /// `stale` is how others say that the map may be wrong.
    pub(super) fn new(links: Arc<Links>, seeds: Vec<Node>, stale: Arc<Notify>) -> Self {
        Self {
            links,
            seeds,
            stale,
            published: None,
        }
    }

    /// Makes a map of a view, and tells everybody.
    pub(super) fn publish(&mut self, view: View) -> (watch::Receiver<Arc<Map>>, Members) {
        let primaries = view.primaries();
        let nodes: Arc<[Node]> = view.nodes.clone().into();
        let map = Arc::new(Map::new(view, |node| self.links.to(node)));
        // Operations that still use an old link keep it until they end.
        self.links.retain(&primaries);
        match &self.published {
            Some(Published { map: maps, members }) => {
                maps.send_replace(map);
                members.send_replace(nodes);
                (maps.subscribe(), members.subscribe())
            }
            None => {
                let (maps, map) = watch::channel(map);
                let (all, members) = watch::channel(nodes);
                self.published = Some(Published {
                    map: maps,
                    members: all,
                });
                (map, members)
            }
        }
    }

    /// Waits for doubts about the published map, and clears them up.
    pub(super) async fn run(mut self) {
        loop {
            let Some(Published { map, .. }) = &self.published else {
                return;
            };
            tokio::select! {
                () = self.stale.notified() => {}
                () = map.closed() => return,
            }
            let mut delay = FIRST_DELAY;
            while self.redraw().await {
                sleep(delay).await;
                delay = LAST_DELAY.min(2 * delay);
            }
            // However many operations are redirected at once, they cost one survey.
            sleep(FIRST_DELAY).await;
        }
    }

    /// Draws the map once, and says whether it has to be drawn again soon.
    async fn redraw(&mut self) -> bool {
        let Some(Published { map, .. }) = &self.published else {
            return false;
        };
        if map.is_closed() {
            return false;
        }
        let old = Arc::clone(&map.borrow());
        match self.survey().await {
            Ok(view) if view == old.view => {
                !(old.is_complete() && old.links().all(|link| link.ready().is_ok()))
            }
            Ok(view) => {
                tracing::info!(
                    primaries = view.primaries().len(),
                    nodes = view.nodes.len(),
                    slots = view.served(),
                    "the Redis cluster has changed"
                );
                self.publish(view);
                true
            }
            Err(error) => {
                tracing::debug!(%error, "could not ask the Redis cluster for its nodes");
                true
            }
        }
    }

    /// Asks the nodes what the cluster looks like.
    pub(super) async fn survey(&mut self) -> Result<View, RedisError> {
        let asked = self.nodes();
        let deadline = Instant::now() + self.links.options.connection_timeout;
        let mut asking: FuturesUnordered<_> = asked.iter().map(|node| self.ask(node, deadline)).collect();
        let mut answers = 0;
        let mut latest: Option<(bool, u64, View)> = None;
        let mut failure = RedisError::from((ErrorKind::ClusterConnectionNotFound, "no node is known"));
        while let Some(answer) = asking.next().await {
            match answer {
                Ok(answer) => {
                    answers += 1;
                    // A node that has lost the majority says so; its picture counts when there is no other.
                    if latest
                        .as_ref()
                        .is_none_or(|latest| (latest.0, latest.1) < (answer.0, answer.1))
                    {
                        latest = Some(answer);
                    }
                }
                Err(error) => failure = error,
            }
            if 2 * answers > asked.len() {
                break;
            }
        }
        match latest {
            Some((_, _, view)) => Ok(view),
            None => Err(failure),
        }
    }

    fn nodes(&self) -> Vec<Node> {
        let mut nodes = self.seeds.clone();
        if let Some(Published { members, .. }) = &self.published {
            nodes.extend(members.borrow().iter().cloned());
        }
        // A node that an operation was redirected to may be new.
        nodes.extend(self.links.nodes());
        let mut seen = std::collections::HashSet::new();
        nodes.retain(|node| seen.insert(node.clone()));
        nodes
    }

    /// Asks one node: whether it takes part in a cluster that works, its latest epoch, and its picture.
    async fn ask(&self, node: &Node, deadline: Instant) -> Result<(bool, u64, View), RedisError> {
        let asking = async {
            let access = &self.links.access;
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(None)
                .set_response_timeout(None);
            let client = access.client(access.address(node), ProtocolVersion::RESP2)?;
            let mut connection: MultiplexedConnection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            let (info, slots): (String, Value) = ::redis::pipe()
                .cmd("CLUSTER")
                .arg("INFO")
                .cmd("CLUSTER")
                .arg("SLOTS")
                .query_async(&mut connection)
                .await?;
            let field = |name: &str| {
                info.lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                    .map(str::trim)
            };
            let epoch = field("cluster_current_epoch").and_then(|epoch| epoch.parse().ok());
            Ok((
                field("cluster_state") == Some("ok"),
                epoch.unwrap_or(0),
                View::read(&slots, node),
            ))
        };
        match timeout_at(deadline, asking).await {
            Ok(answer) => answer,
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }
}
