//! What the embedded store makes of the files that it finds, and leaves behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and its helping functions do so too"
)]

use std::path::Path;

use anyturn_state::{Document, Error, ExpectedVersion, Found, Query, Store, Write};
use anyturn_store::EmbeddedStore;
use rusqlite::Connection;

fn put(value: &[u8]) -> Vec<Write> {
    vec![Write::Put {
        document: "d".into(),
        expected: ExpectedVersion::Any,
        value: value.into(),
        ttl: None,
    }]
}

async fn fill(directory: &Path) {
    let store = EmbeddedStore::open(directory).await.unwrap();
    for scope in 0..100 {
        store
            .namespace("chat")
            .commit(&format!("s{scope}"), put(&[7; 2000]), Vec::new())
            .await
            .unwrap();
    }
}

async fn corrupt(directory: &Path) -> String {
    match EmbeddedStore::open(directory).await.err() {
        Some(Error::Corrupt(reason)) => reason,
        other => panic!("expected `corrupt`, got {other:?}"),
    }
}

#[tokio::test]
async fn a_closed_store_opens_again_at_once_with_everything_in_one_file() {
    let directory = tempfile::tempdir().unwrap();
    for version in 1..=3 {
        let store = EmbeddedStore::open(directory.path()).await.unwrap();
        let view = store.namespace("chat");
        view.commit("s", put(b"value"), Vec::new()).await.unwrap();
        let found = view.read("s", vec![Query::Document("d".into())]).await.unwrap();
        assert_eq!(
            found,
            [Found::Document(Some(Document {
                version,
                value: b"value".into()
            }))]
        );
        drop((store, view));
        assert!(
            !directory.path().join("anyturn.db-wal").exists(),
            "closing tidies up"
        );
    }
}

#[tokio::test]
async fn a_missing_directory_is_created_for_its_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data").join("anyturn");
    EmbeddedStore::open(&path).await.unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_one_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    match EmbeddedStore::open(&file).await.err() {
        Some(Error::Unavailable(reason)) => {
            assert!(
                reason.starts_with(&format!("the data directory {} cannot be ", file.display())),
                "{reason}"
            );
        }
        other => panic!("expected `unavailable`, got {other:?}"),
    }
}

#[tokio::test]
async fn the_same_directory_opens_once_in_a_process() {
    let directory = tempfile::tempdir().unwrap();
    let first = EmbeddedStore::open(directory.path()).await.unwrap();
    match EmbeddedStore::open(directory.path()).await.err() {
        Some(Error::Unavailable(reason)) => {
            assert!(
                reason.contains(&format!("in use by process {}", std::process::id())),
                "{reason}"
            );
        }
        other => panic!("expected `unavailable`, got {other:?}"),
    }
    assert_eq!(first.ping().await, Ok(()), "the first one goes on");
}

#[tokio::test]
async fn a_database_of_a_later_version_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path()).await;
    let file = directory.path().join("anyturn.db");
    Connection::open(&file)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let before = std::fs::read(&file).unwrap();
    assert_eq!(
        corrupt(directory.path()).await,
        format!(
            "{} was written by a later version of anyturn (its schema is 99, this program knows up to 1); nothing was \
             changed: run the later version, or choose another data directory",
            file.display()
        )
    );
    assert!(before == std::fs::read(&file).unwrap());
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("anyturn.db");
    Connection::open(&file)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (a)")
        .unwrap();
    let before = std::fs::read(&file).unwrap();
    let reason = corrupt(directory.path()).await;
    assert_eq!(
        reason,
        format!(
            "{} is a database of another program; choose another data directory",
            file.display()
        )
    );
    assert!(before == std::fs::read(&file).unwrap());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("anyturn.db");
    let garbage = b"no database at all. ".repeat(1000);
    std::fs::write(&file, &garbage).unwrap();
    let reason = corrupt(directory.path()).await;
    assert!(
        reason.starts_with(&format!("{} is damaged or not a database", file.display())),
        "{reason}"
    );
    assert!(garbage == std::fs::read(&file).unwrap());
}

#[tokio::test]
async fn damage_inside_the_database_is_reported_as_such() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path()).await;
    let file = directory.path().join("anyturn.db");
    let mut content = std::fs::read(&file).unwrap();
    content[4096..].fill(0xa5);
    std::fs::write(&file, content).unwrap();
    // Only the first page is whole: whether opening notices or reading does is SQLite's business.
    let result = match EmbeddedStore::open(directory.path()).await {
        Err(error) => Err(error),
        Ok(store) => {
            store
                .namespace("chat")
                .read("s1", vec![Query::Document("d".into())])
                .await
        }
    };
    match result {
        Err(Error::Corrupt(reason)) => assert!(reason.contains("anyturn.db"), "{reason}"),
        other => panic!("expected `corrupt`, got {other:?}"),
    }
}
