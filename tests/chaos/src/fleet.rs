//! The hosts, and what befalls them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyturn_tests::cluster::{Cluster, Member};
use anyturn_tests::host::Host;
use anyturn_tests::line::Line;
use anyturn_tests::process::Signal;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::chance::Chance;
use crate::tally::Tally;

/// The longest pause and the longest cut, in milliseconds: longer than a lease lasts.
const LONGEST: u64 = 9_000;

/// The longest time for which a host is left alone, in milliseconds: mostly longer than any call takes, because a
/// turn is given up when too many instances in a row die of it.
const LONGEST_PEACE: u64 = 7_000;

/// What can befall a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// SIGKILL; it is started again.
    Kill,
    /// SIGSTOP, and SIGCONT later.
    Pause,
    /// Its line to the store is cut, and healed later.
    Cut,
}

/// Hosts on the same Redis, each on a port that it keeps.
#[derive(Clone)]
pub struct Fleet {
    places: Arc<Vec<Place>>,
    cluster: Arc<Cluster>,
    tally: Arc<Tally>,
}

struct Place {
    port: u16,
    line: Line,
    host: Mutex<Option<Host>>,
    /// What befell it, and when it began: milliseconds since the Unix epoch.
    struck: Mutex<Vec<(u64, Failure)>>,
}

/// Failures that go on until they are told to end.
pub struct Torment {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Torment {
    /// Ends them; afterwards all hosts are well.
    pub async fn end(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            task.await
                .unwrap_or_else(|error| panic!("the failures end: {error}"));
        }
    }
}

impl Fleet {
    /// Starts so many hosts.
    pub async fn start(cluster: Arc<Cluster>, hosts: u64, tally: Arc<Tally>) -> Self {
        let mut places = Vec::new();
        for _ in 0..hosts {
            let Member { host, line } = cluster.member().await;
            places.push(Place {
                port: host.port(),
                line,
                host: Mutex::new(Some(host)),
                struck: Mutex::default(),
            });
        }
        Self {
            places: Arc::new(places),
            cluster,
            tally,
        }
    }

    /// How many hosts there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The address of a path on a host.
    pub fn url(&self, place: usize, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.places[place].port)
    }

    /// What first befell a host after a moment, and when.
    pub fn struck_since(&self, place: usize, since: u64) -> Option<(u64, Failure)> {
        let struck = lock(&self.places[place].struck);
        struck.iter().find(|(at, _)| *at >= since).copied()
    }

    /// Lets failures befall all hosts, each at its own times.
    pub fn torment(&self, chance: &Chance) -> Torment {
        let (stop, stopped) = watch::channel(false);
        let tasks = (0..self.len())
            .map(|place| {
                let chance = chance.for_whom(1_000_000 + place as u64);
                tokio::spawn(self.clone().strike(place, chance, stopped.clone()))
            })
            .collect();
        Torment { stop, tasks }
    }

    async fn strike(self, place: usize, mut chance: Chance, mut stopped: watch::Receiver<bool>) {
        loop {
            let peace = Duration::from_millis(chance.among(50..LONGEST_PEACE));
            let failure = match chance.among(0..100) {
                0..6 => Failure::Pause,
                6..12 => Failure::Cut,
                _ => Failure::Kill,
            };
            let length = Duration::from_millis(chance.among(100..LONGEST));
            if wait(peace, &mut stopped).await {
                return;
            }
            let at = &self.places[place];
            {
                let mut struck = lock(&at.struck);
                // Nobody asks for what was long ago.
                if struck.len() > 100 {
                    struck.drain(..50);
                }
                struck.push((now(), failure));
            }
            self.tally.failure(failure);
            match failure {
                Failure::Kill => {
                    let host = lock(&at.host).take();
                    if let Some(host) = host {
                        host.kill().await;
                    }
                    let host = self.cluster.host(&at.line, Some(at.port)).await;
                    *lock(&at.host) = Some(host);
                }
                Failure::Pause => {
                    self.signal(place, Signal::Stop);
                    wait(length, &mut stopped).await;
                    self.signal(place, Signal::Continue);
                }
                Failure::Cut => {
                    at.line.cut();
                    wait(length, &mut stopped).await;
                    at.line.heal();
                }
            }
        }
    }

    fn signal(&self, place: usize, signal: Signal) {
        if let Some(host) = &*lock(&self.places[place].host) {
            host.signal(signal);
        }
    }
}

/// Waits; true when it was told to stop meanwhile.
async fn wait(time: Duration, stopped: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => false,
        _ = stopped.wait_for(|stopped| *stopped) => true,
    }
}

/// Milliseconds since the Unix epoch.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
