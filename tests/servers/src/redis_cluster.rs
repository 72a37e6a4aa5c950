//! A cluster of three primaries with a replica each.

use std::time::Instant;

use crate::redis_server::RedisServer;
use crate::until;

/// How many nodes have slots.
const PRIMARIES: usize = 3;
/// How many slots there are.
const SLOTS: u16 = 16384;

/// A cluster.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
    ids: Vec<String>,
}

impl RedisCluster {
    /// Starts six nodes, makes a cluster of them, and returns when all of them say that it works.
    pub async fn start() -> Self {
        let mut nodes = Vec::new();
        for _ in 0..2 * PRIMARIES {
            nodes.push(node().await);
        }
        let ids = nodes.iter().map(|node| node.text(&["CLUSTER", "MYID"])).collect();
        let cluster = Self { nodes, ids };
        // Each meets each, so that nobody has to wait for gossip.
        for (at, node) in cluster.nodes.iter().enumerate() {
            node.execute(&["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()]);
        }
        for (at, node) in cluster.nodes.iter().enumerate() {
            for other in cluster.nodes.iter().skip(at + 1) {
                let (port, bus) = (other.port().to_string(), bus(other));
                node.execute(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
            }
        }
        let share = SLOTS / PRIMARIES as u16 + 1;
        for (node, first) in cluster.nodes.iter().zip((0..SLOTS).step_by(usize::from(share))) {
            let last = (first + share).min(SLOTS) - 1;
            node.execute(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
        }
        let (primaries, replicas) = cluster.nodes.split_at(PRIMARIES);
        for node in &cluster.nodes {
            let all = cluster.nodes.len();
            until("the nodes know each other", || {
                let told = node.text(&["CLUSTER", "NODES"]);
                told.lines().count() == all
                    && told.matches("connected").count() == all
                    && !told.contains("handshake")
            })
            .await;
        }
        for (replica, id) in replicas.iter().zip(&cluster.ids) {
            replica.execute(&["CLUSTER", "REPLICATE", id]);
        }
        for primary in primaries {
            primary.replicated(1).await;
        }
        for node in &cluster.nodes {
            until("the cluster works", || {
                let replicas = node.text(&["CLUSTER", "NODES"]).matches("slave").count();
                is_ok(node) && replicas == PRIMARIES
            })
            .await;
        }
        cluster
    }

    /// Its address, as `REDIS_URL` takes it: two of its nodes, one of them a replica.
    pub fn url(&self) -> String {
        let (first, last) = (&self.nodes[0], &self.nodes[2 * PRIMARIES - 1]);
        format!(
            "redis-cluster://127.0.0.1:{},127.0.0.1:{}",
            first.port(),
            last.port()
        )
    }

    /// The nodes; the first three were the primaries in the beginning.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The slot of a key.
    pub fn slot(&self, key: &str) -> u16 {
        let reply = self.nodes[self.living()].command(&["CLUSTER", "KEYSLOT", key]);
        let slot = reply.trim_start_matches(':').trim_end().parse();
        slot.unwrap_or_else(|error| panic!("{reply:?} is a slot: {error}"))
    }

    /// The place of the node that has a slot, in [`RedisCluster::nodes`].
    pub fn owner(&self, slot: u16) -> usize {
        let of = |node: usize| {
            let told = self.nodes[node].text(&["CLUSTER", "NODES"]);
            let line = told.lines().find(|line| line.contains("myself"));
            let line = line.unwrap_or_else(|| panic!("a node knows itself: {told}"));
            line.split(' ').skip(8).any(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                match (first.parse::<u16>(), last.parse::<u16>()) {
                    (Ok(first), Ok(last)) => (first..=last).contains(&slot),
                    // A slot that is on its way.
                    _ => false,
                }
            })
        };
        let is_primary =
            |node: &usize| self.nodes[*node].info("replication", "role").as_deref() == Some("master");
        let mut alive = (0..self.nodes.len())
            .filter(|node| self.answers(*node))
            .filter(is_primary);
        alive
            .find(|node| of(*node))
            .unwrap_or_else(|| panic!("somebody has slot {slot}"))
    }

    /// From now on a node that is silent for a second is taken for dead.
    pub fn watch_closely(&self) {
        for node in (0..self.nodes.len()).filter(|node| self.answers(*node)) {
            self.nodes[node].execute(&["CONFIG", "SET", "cluster-node-timeout", "1000"]);
        }
    }

    /// Kills a node as a power cut would, and waits until a replica has taken its place, if it had slots. Returns when
    /// it died.
    pub async fn kill(&mut self, node: usize) -> Instant {
        self.nodes[node].kill().await;
        let died = Instant::now();
        self.watch_closely();
        let others: Vec<usize> = (0..self.nodes.len())
            .filter(|other| self.answers(*other))
            .collect();
        until("its replica has taken over", || {
            let all_served = |other: &usize| {
                let told = self.nodes[*other].text(&["CLUSTER", "NODES"]);
                let serving = told.lines().filter(|line| {
                    !line.starts_with(&self.ids[node])
                        && line.contains("master")
                        && line.split(' ').count() > 8
                });
                serving.count() == PRIMARIES && is_ok(&self.nodes[*other])
            };
            others.iter().all(all_served)
        })
        .await;
        died
    }

    /// Begins to move a slot: the nodes redirect for keys that have been moved, and refuse operations on keys on both
    /// sides.
    pub fn begin_move(&self, slot: u16, to: usize) {
        let (from, slot) = (self.owner(slot), slot.to_string());
        self.nodes[to].execute(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.ids[from]]);
        self.nodes[from].execute(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.ids[to]]);
    }

    /// Moves the keys of a slot that is being moved.
    pub fn move_keys(&self, slot: u16, to: usize) {
        let (from, port) = (self.owner(slot), self.nodes[to].port().to_string());
        loop {
            let keys = self.nodes[from].command(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "100"]);
            // An array of bulk strings; keys have no line breaks.
            let keys: Vec<&str> = keys.split("\r\n").filter(|line| line.contains('{')).collect();
            if keys.is_empty() {
                return;
            }
            let migrate = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            let reply = self.nodes[from].command(&[&migrate, keys.as_slice()].concat());
            assert!(reply.starts_with("+OK") || reply.starts_with("+NOKEY"), "{reply}");
        }
    }

    /// Gives a slot whose keys have been moved to its new node.
    pub fn end_move(&self, slot: u16, to: usize) {
        let from = self.owner(slot);
        for node in [to, from] {
            self.nodes[node].execute(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &self.ids[to]]);
        }
    }

    fn living(&self) -> usize {
        let living = (0..self.nodes.len()).find(|node| self.answers(*node));
        living.unwrap_or_else(|| panic!("some node of the cluster lives"))
    }

    fn answers(&self, node: usize) -> bool {
        self.nodes[node].answers_now()
    }
}

async fn node() -> RedisServer {
    let bus = crate::process::free_port().to_string();
    RedisServer::start_replicated(&[
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        &bus,
        "--cluster-node-timeout",
        "15000",
        "--cluster-replica-validity-factor",
        "0",
        "--cluster-allow-replica-migration",
        "no",
        "--repl-diskless-sync-delay",
        "0",
    ])
    .await
}

/// The port of a node's cluster bus.
fn bus(node: &RedisServer) -> String {
    let told = node.text(&["CLUSTER", "NODES"]);
    let bus = told.split(' ').nth(1).and_then(|address| address.split_once('@'));
    bus.map(|(_, bus)| bus.split(',').next().unwrap_or(bus).to_owned())
        .unwrap_or_else(|| panic!("a node knows its own ports: {told}"))
}

fn is_ok(node: &RedisServer) -> bool {
    node.text(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
}
