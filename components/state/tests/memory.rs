//! The in-memory store keeps every promise of the port, and its hooks do what tests rely on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and its helping functions do so too"
)]

use anyturn_state::conformance::{Fixture, check};
use anyturn_state::memory::{Fault, ManualClock, MemoryStore};
use anyturn_state::{Error, ExpectedLength, Found, Position, Query, Store, Write};
use futures::executor::block_on;
use futures::future::join_all;
use std::future::poll_fn;
use std::task::Poll;

struct Memory {
    store: MemoryStore,
    neighbour: MemoryStore,
}

impl Fixture for Memory {
    type Store = MemoryStore;

    fn store(&self) -> &MemoryStore {
        &self.store
    }

    fn neighbour(&self) -> Option<&MemoryStore> {
        Some(&self.neighbour)
    }

    fn unique(&self) -> String {
        "1".to_owned()
    }

    fn now(&self) -> u64 {
        self.store.clock().now()
    }

    async fn sleep(&self, milliseconds: u64) {
        let mut turns = 0;
        // Each turn lets every other task take a step; an operation has fewer than ten.
        poll_fn(|context| {
            turns += 1;
            if turns > 10 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.store.clock().advance(milliseconds);
    }
}

fn run(promise: &str) {
    let store = MemoryStore::new();
    let neighbour = store.namespace("neighbour");
    block_on(check(promise, &Memory { store, neighbour }));
}

anyturn_state::conformance_tests!(run);

fn append(entry: &str) -> Vec<Write> {
    let entries = vec![entry.as_bytes().to_vec()];
    vec![Write::Append {
        journal: "j".to_owned(),
        expected: ExpectedLength::Any,
        entries,
        ttl: None,
    }]
}

async fn entries(store: &MemoryStore) -> Vec<Vec<u8>> {
    let query = Query::Journal {
        journal: "j".to_owned(),
        start: Position::At(0),
        limit: 100,
    };
    match store.read("s", vec![query]).await.unwrap().remove(0) {
        Found::Journal(slice) => slice.entries,
        other => panic!("expected a journal, got {other:?}"),
    }
}

#[test]
fn a_fault_before_applies_nothing_and_a_fault_after_applies_everything() {
    block_on(async {
        let store = MemoryStore::new();
        store.fail(2, Fault::Before);
        store.fail(3, Fault::After);
        assert!(store.commit("s", append("1"), Vec::new()).await.is_ok());
        for entry in ["2", "3"] {
            let result = store.commit("s", append(entry), Vec::new()).await;
            assert!(matches!(result, Err(Error::Unavailable(_))), "{result:?}");
        }
        assert_eq!(entries(&store).await, [b"1", b"3"]);
    });
}

#[test]
fn a_hook_chooses_the_operations_that_fail_until_the_store_is_healed() {
    block_on(async {
        let store = MemoryStore::new();
        store.on_operation(|operation| (operation.function == "commit").then_some(Fault::Before));
        assert!(store.commit("s", append("1"), Vec::new()).await.is_err());
        assert_eq!(entries(&store).await, [] as [&[u8]; 0], "reading still works");
        store.heal();
        assert!(store.commit("s", append("2"), Vec::new()).await.is_ok());
        assert_eq!(entries(&store).await, [b"2"]);
    });
}

#[test]
fn every_operation_counts_as_a_round_trip_but_invalid_ones_never_leave() {
    block_on(async {
        let store = MemoryStore::new();
        let other = store.namespace("other");
        store.commit("s", append("1"), Vec::new()).await.unwrap();
        other.read("s", Vec::new()).await.unwrap();
        store.watch("s", "j", 0, 1, 0).await.unwrap();
        assert!(store.read("", Vec::new()).await.is_err());
        assert_eq!((store.round_trips(), other.round_trips()), (3, 3));
        store.fail(1, Fault::Before);
        assert!(store.read("s", Vec::new()).await.is_err());
        assert_eq!(store.round_trips(), 4, "one that failed was a round trip, too");
    });
}

#[test]
fn operations_of_several_tasks_interleave() {
    block_on(async {
        let store = MemoryStore::new();
        let task = |name: &'static str| {
            let store = store.clone();
            async move {
                for _ in 0..2 {
                    store.commit("s", append(name), Vec::new()).await.unwrap();
                }
            }
        };
        join_all([task("a"), task("b")]).await;
        assert_eq!(entries(&store).await, [b"a", b"b", b"a", b"b"]);
    });
}

#[test]
fn sleeping_ends_when_the_clock_was_moved_far_enough() {
    let clock = ManualClock::at(1000);
    let mut sleep = std::pin::pin!(clock.sleep(100));
    let mut poll = || {
        block_on(poll_fn(|context| {
            Poll::Ready(sleep.as_mut().poll(context).is_ready())
        }))
    };
    assert!(!poll());
    clock.advance(99);
    assert!(!poll());
    clock.advance(1);
    assert!(poll());
    assert_eq!(clock.now(), 1100);
}
