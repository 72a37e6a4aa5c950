//! What the embedded store keeps when its process is killed, and whom it refuses.
//!
//! The tests start this very binary again as the process that is killed, with the directory in its environment.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and its helping functions do so too"
)]

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyturn_state::{
    Error, ExpectedLength, ExpectedVersion, Found, JournalSlice, Position, Query, Store, Write, Written,
};
use anyturn_store::EmbeddedStore;

/// Names the directory to a process that this test starts.
const DIRECTORY: &str = "ANYTURN_TEST_DIRECTORY";
const TASKS: usize = 6;

fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test)
}

/// The commit that takes a scope from `done` commits to one more: a whole one changes four things alike.
fn step(done: u64) -> Vec<Write> {
    let entry = |half: &str| format!("{done}{half}").into_bytes();
    vec![
        Write::Append {
            journal: "j".into(),
            expected: ExpectedLength::Exactly(2 * done),
            entries: vec![entry("a"), entry("b")],
            ttl: None,
        },
        Write::Put {
            document: "d".into(),
            expected: ExpectedVersion::Any,
            value: vec![done as u8; 3000],
            ttl: None,
        },
        Write::Add {
            counter: "c".into(),
            delta: 1,
            ttl: None,
        },
        Write::IndexPut {
            index: "i".into(),
            member: format!("m{done}"),
            score: done as i64,
            value: Vec::new(),
            only_existing: false,
        },
    ]
}

/// How many commits of [`step`] a scope has; fails when one of them is not whole.
async fn done(store: &impl Store, scope: &str) -> u64 {
    let queries = vec![
        Query::Journal {
            journal: "j".into(),
            start: Position::At(0),
            limit: u32::MAX,
        },
        Query::Document("d".into()),
        Query::Counter("c".into()),
        Query::Index {
            index: "i".into(),
            min: 0,
            max: i64::MAX,
            descending: false,
            offset: 0,
            limit: u32::MAX,
        },
    ];
    let found = store.read(scope, queries).await.unwrap();
    let [
        Found::Journal(JournalSlice { length, entries, .. }),
        Found::Document(document),
        counter,
        index,
    ] = &found[..]
    else {
        panic!("{found:?}");
    };
    let done = length / 2;
    let expected: Vec<Vec<u8>> = (0..done)
        .flat_map(|step| ["a", "b"].map(|half| format!("{step}{half}").into_bytes()))
        .collect();
    assert!(*entries == expected, "{scope}: the journal is not whole");
    assert_eq!(document.as_ref().map_or(0, |document| document.version), done);
    assert!(
        document
            .iter()
            .all(|document| document.value == vec![(done - 1) as u8; 3000])
    );
    assert!(
        matches!(counter, Found::Counter(counter) if counter.value == done as i64),
        "{counter:?}"
    );
    assert!(matches!(index, Found::Index(members) if members.len() as u64 == done));
    done
}

#[test]
#[ignore = "runs as the process that another test kills"]
fn a_process_that_writes_until_it_is_killed() {
    let directory = std::env::var_os(DIRECTORY).expect("started by another test");
    block_on(async {
        let store = EmbeddedStore::open(Path::new(&directory)).await.unwrap();
        let view = store.namespace("chat");
        say("open");
        let tasks = (0..TASKS).map(|task| {
            let view = view.clone();
            tokio::spawn(async move {
                let scope = format!("s{task}");
                let mut done = done(&view, &scope).await;
                loop {
                    let written = view.commit(&scope, step(done), Vec::new()).await.unwrap().written;
                    done += 1;
                    assert_eq!(written[0], Written::Length(2 * done));
                    say(&format!("{task} {done}"));
                }
            })
        });
        let ended = futures::future::select_all(tasks).await;
        panic!("a task has ended: {:?}", ended.0);
    });
}

/// Tells the process that waits; a line is written whole.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "> {line}").and_then(|()| out.flush()).unwrap();
}

/// A process that writes into a directory, killed at the latest when the test ends.
struct Victim {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Victim {
    /// Starts it and waits until it has opened the store.
    fn start(directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "a_process_that_writes_until_it_is_killed",
            ])
            .env(DIRECTORY, directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut victim = Self { child, lines };
        assert_eq!(
            victim.line().as_deref(),
            Some("open"),
            "the process did not open the store"
        );
        victim
    }

    /// The next thing that it said, if it says more.
    fn line(&mut self) -> Option<String> {
        loop {
            let line = self.lines.next()?.unwrap();
            // The test harness speaks, too, and may begin a line with its own words.
            if let Some((_, said)) = line.split_once("> ") {
                return Some(said.to_owned());
            }
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_killed_process_loses_no_acknowledged_commit_and_halves_none() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = [0; TASKS];
    for round in 0..8 {
        let mut victim = Victim::start(directory.path());
        let mut hear = |victim: &mut Victim| {
            let said = victim.line()?;
            let (task, done) = said.split_once(' ').unwrap();
            acknowledged[task.parse::<usize>().unwrap()] = done.parse().unwrap();
            Some(())
        };
        for _ in 0..10 + 15 * round {
            hear(&mut victim).expect("it goes on until it is killed");
        }
        // Anywhere between two acknowledgements, or within a flush.
        let nanoseconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .subsec_nanos();
        std::thread::sleep(Duration::from_micros(u64::from(nanoseconds / 1000 % 5000)));
        victim.kill();
        // What it said before it died counts as well.
        while hear(&mut victim).is_some() {}

        block_on(async {
            let store = EmbeddedStore::open(directory.path())
                .await
                .expect("it opens after a crash");
            let view = store.namespace("chat");
            for (task, acknowledged) in acknowledged.iter().enumerate() {
                let done = done(&view, &format!("s{task}")).await;
                assert!(
                    done >= *acknowledged,
                    "task {task}: {done} of {acknowledged} commits are there"
                );
            }
        });
    }
    assert!(
        acknowledged.iter().all(|done| *done > 0),
        "every task got its turn: {acknowledged:?}"
    );
}

#[test]
fn a_second_process_is_refused_and_told_who_has_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let mut victim = Victim::start(directory.path());
    let refused = block_on(EmbeddedStore::open(directory.path())).err();
    let (path, pid) = (directory.path().display(), victim.child.id());
    assert_eq!(
        refused,
        Some(Error::Unavailable(format!(
            "the data directory {path} is in use by process {pid}: stop it, choose another directory, or share a \
             Redis between processes"
        )))
    );
    victim.kill();
    assert!(
        block_on(EmbeddedStore::open(directory.path())).is_ok(),
        "a dead process holds nothing"
    );
}
