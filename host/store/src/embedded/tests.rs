//! What shows only from within: deletion in the background, full disks, long times.

use std::time::Duration;

use anyturn_state::{ExpectedLength, ExpectedVersion, Found, LeaseState, Queue, Written};
use tempfile::TempDir;

use super::*;

const DAY: u64 = 24 * 60 * 60 * 1000;

async fn store() -> (TempDir, EmbeddedStore, Namespace) {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(directory.path()).await.unwrap();
    let view = store.namespace("chat");
    (directory, store, view)
}

fn put(name: &str, value: Vec<u8>, ttl: Option<u64>) -> Write {
    Write::Put {
        document: name.into(),
        expected: ExpectedVersion::Any,
        value,
        ttl,
    }
}

fn append(count: usize, ttl: Option<u64>) -> Write {
    let entries = vec![vec![7; 100]; count];
    Write::Append {
        journal: "j".into(),
        expected: ExpectedLength::Any,
        entries,
        ttl,
    }
}

fn acquire(ttl: u64) -> Write {
    Write::Acquire {
        lease: "l".into(),
        holder: "me".into(),
        ttl,
    }
}

async fn commit(view: &Namespace, scope: &str, writes: Vec<Write>) -> Vec<Written> {
    view.commit(scope, writes, Vec::new()).await.unwrap().written
}

/// How many rows the tables hold together, whatever has expired.
async fn rows(view: &Namespace) -> u64 {
    let count = |session: &mut Session<'_>| {
        let sql = "SELECT (SELECT count(*) FROM journal) + (SELECT count(*) FROM entry)
                        + (SELECT count(*) FROM deleted_journal) + (SELECT count(*) FROM document)
                        + (SELECT count(*) FROM counter) + (SELECT count(*) FROM lease)
                        + (SELECT count(*) FROM job)";
        Ok(session.connection.query_row(sql, [], |row| row.get(0))?)
    };
    view.look(count).await.unwrap()
}

/// Waits until so many rows are left; the background has as long as it likes, but not for ever.
async fn rows_become(view: &Namespace, expected: u64) {
    for _ in 0..1000 {
        if rows(view).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} rows are left, not {expected}", rows(view).await);
}

#[tokio::test]
async fn expired_rows_are_deleted_in_the_background() {
    let (_directory, store, view) = store().await;
    for scope in 0..5 {
        let scope = format!("s{scope}");
        let counter = Write::Add {
            counter: "c".into(),
            delta: 1,
            ttl: Some(DAY),
        };
        commit(
            &view,
            &scope,
            vec![append(600, Some(DAY)), put("d", vec![1], Some(DAY)), counter],
        )
        .await;
    }
    let job = |id: &str| NewJob {
        id: id.into(),
        payload: vec![1],
        delay: 0,
        max_attempts: 1,
        remember: DAY,
    };
    assert!(view.enqueue("q", job("done")).await.unwrap());
    let claimed = view.claim("q", 1, DAY).await.unwrap().remove(0);
    assert!(view.acknowledge("q", &claimed.id, claimed.receipt).await.unwrap());
    // These stay.
    commit(
        &view,
        "kept",
        vec![append(3, Some(2 * DAY)), put("d", vec![1], None)],
    )
    .await;
    assert!(view.enqueue("q", job("waiting")).await.unwrap());
    assert_eq!(rows(&view).await, 5 * (1 + 600 + 1 + 1) + 1 + (1 + 3 + 1) + 1);

    store.shared.clock.advance(DAY);
    rows_become(&view, 1 + 3 + 1 + 1).await;
    assert_eq!(
        commit(&view, "kept", vec![append(1, None)]).await,
        [Written::Length(4)]
    );
    assert_eq!(view.claim("q", 10, DAY).await.unwrap()[0].id, "waiting");
}

#[tokio::test]
async fn the_entries_of_deleted_and_replaced_journals_are_deleted_and_no_others() {
    let (_directory, store, view) = store().await;
    commit(
        &view,
        "s",
        vec![
            append(700, None),
            Write::DeleteJournal("j".into()),
            append(2, None),
        ],
    )
    .await;
    commit(&view, "t", vec![append(5, Some(1000))]).await;
    store.shared.clock.advance(1000);
    // Begins anew before the background can have come by.
    assert_eq!(
        commit(&view, "t", vec![append(1, None)]).await,
        [Written::Length(1)]
    );
    rows_become(&view, (1 + 2) + (1 + 1)).await;
    assert_eq!(view.watch("s", "j", 0, 10, 0).await.unwrap().entries.len(), 2);
    assert_eq!(view.watch("t", "j", 0, 10, 0).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn an_epoch_is_kept_for_24_hours_and_for_as_long_as_its_scope_has_a_journal() {
    let (_directory, store, view) = store().await;
    let lease = async |scope: &str| match view.read(scope, vec![Query::Lease("l".into())]).await.unwrap()[..]
    {
        [Found::Lease(ref lease)] => lease.clone(),
        ref other => panic!("{other:?}"),
    };
    let free = |epoch| LeaseState {
        holder: String::new(),
        epoch,
        remaining: 0,
    };
    commit(&view, "with", vec![acquire(60_000), append(1, None)]).await;
    commit(&view, "without", vec![acquire(60_000)]).await;

    store.shared.clock.advance(DAY);
    // Any sweep would have deleted this one, too.
    commit(&view, "witness", vec![put("d", vec![1], Some(1))]).await;
    store.shared.clock.advance(1);
    rows_become(&view, 2 + 2).await;
    assert_eq!((lease("with").await, lease("without").await), (free(1), free(1)));

    store.shared.clock.advance(DAY);
    rows_become(&view, 1 + 2).await;
    assert_eq!((lease("with").await, lease("without").await), (free(1), free(0)));
    assert!(matches!(
        commit(&view, "with", vec![acquire(60_000)]).await.as_slice(),
        [Written::Granted { epoch: 2, .. }]
    ));
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_leaves_everything_whole() {
    let (_directory, store, view) = store().await;
    commit(&view, "s", vec![put("d", vec![1; 1000], None), append(1, None)]).await;
    let pages = async |most: &'static str| {
        let limit = move |session: &mut Session<'_>| {
            let sql = format!("PRAGMA max_page_count = {most}");
            Ok(session
                .connection
                .query_row(&sql, [], |row| row.get::<_, i64>(0))?)
        };
        view.change(limit).await.unwrap()
    };
    pages("80").await;
    let big = || vec![append(1, None), put("d", vec![2; 1 << 20], None)];
    // Several at once, so that they share a transaction: none may take another's success for its own.
    let views: Vec<_> = (0..8).map(|_| view.commit("s", big(), Vec::new())).collect();
    for result in futures::future::join_all(views).await {
        match result {
            Err(Error::Unavailable(reason)) => assert!(!reason.is_empty()),
            other => panic!("expected `unavailable`, got {other:?}"),
        }
    }
    assert_eq!(view.watch("s", "j", 0, 0, 0).await.unwrap().length, 1);
    match &view.commit("s", big(), Vec::new()).await {
        Err(Error::Unavailable(reason)) => {
            assert!(reason.starts_with("there is no space left for "), "{reason}");
        }
        other => panic!("expected `unavailable`, got {other:?}"),
    }

    // When there is space again, everything goes on.
    pages("1000000").await;
    assert_eq!(
        commit(&view, "s", big()).await,
        [Written::Length(2), Written::Version(2)]
    );
    assert_eq!(store.ping().await, Ok(()));
}

#[tokio::test]
async fn round_trips_are_counted_over_all_namespaces() {
    let (_directory, store, view) = store().await;
    assert_eq!(store.round_trips(), 0);
    commit(&view, "s", vec![append(1, None)]).await;
    store.namespace("other").depth("q").await.unwrap();
    view.watch("s", "j", 0, 1, 1000).await.unwrap();
    assert_eq!(store.round_trips(), 3);
}

#[tokio::test]
async fn nobody_is_left_waiting_when_a_watch_is_dropped() {
    let (_directory, _store, view) = store().await;
    let watch = view.watch("s", "j", 0, 1, 30_000);
    assert!(timeout(Duration::from_millis(50), watch).await.is_err());
    // The next one is woken all the same.
    let append = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        commit(&view, "s", vec![append(1, None)]).await;
    };
    let (slice, ()) = tokio::join!(view.watch("s", "j", 0, 1, 30_000), append);
    assert_eq!(slice.unwrap().entries.len(), 1);
}
