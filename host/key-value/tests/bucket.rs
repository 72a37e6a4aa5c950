//! The promises of a key-value store, over the reference implementation of the state.

// A fixture that is broken fails the test, and so it should.
#![allow(clippy::unwrap_used)]

use anyturn_key_value::{Bucket, Error, MAX_KEY, MAX_PAGE, MAX_VALUE};
use anyturn_state::memory::MemoryStore;
use futures::executor::block_on;
use futures::future::join_all;

fn bucket() -> Bucket<MemoryStore> {
    Bucket::new(MemoryStore::new())
}

fn sorted(mut keys: Vec<String>) -> Vec<String> {
    keys.sort();
    keys
}

#[test]
fn a_value_stays_until_it_is_replaced_or_deleted() {
    block_on(async {
        let bucket = bucket();
        assert_eq!(bucket.get("a").await, Ok(None));
        assert_eq!(bucket.exists("a").await, Ok(false));
        bucket.set("a", b"1".to_vec()).await.unwrap();
        bucket.set("a", b"2".to_vec()).await.unwrap();
        bucket.set("", Vec::new()).await.unwrap();
        assert_eq!(bucket.get("a").await, Ok(Some(b"2".to_vec())));
        assert_eq!(bucket.get("").await, Ok(Some(Vec::new())));
        assert_eq!(bucket.exists("a").await, Ok(true));
        bucket.delete("a").await.unwrap();
        bucket.delete("a").await.unwrap();
        assert_eq!(bucket.get("a").await, Ok(None));
        assert_eq!(bucket.keys().await, Ok(vec![String::new()]));
    });
}

#[test]
fn keys_come_back_as_they_were_given() {
    block_on(async {
        let bucket = bucket();
        let long = "ü".repeat(MAX_KEY / 2);
        let keys = ["", " ", "a b", "~", "日本", "x/y", "#\n", &long];
        for key in keys {
            bucket.set(key, key.as_bytes().to_vec()).await.unwrap();
        }
        assert_eq!(
            sorted(bucket.keys().await.unwrap()),
            sorted(keys.map(str::to_owned).into())
        );
        for key in keys {
            assert_eq!(
                bucket.get(key).await,
                Ok(Some(key.as_bytes().to_vec())),
                "{key:?}"
            );
        }
    });
}

#[test]
fn paging_finds_every_key_that_stays_while_others_come_and_go() {
    block_on(async {
        let bucket = bucket();
        let staying: Vec<String> = (0..300).map(|n| format!("stays-{n}")).collect();
        for key in &staying {
            bucket.set(key, Vec::new()).await.unwrap();
        }
        let mut found = Vec::new();
        let mut cursor = None;
        let mut pages = 0;
        loop {
            let page = bucket.page(cursor.as_deref(), 7).await.unwrap();
            assert!(page.keys.len() <= 7);
            found.extend(page.keys.into_iter().filter(|key| key.starts_with("stays-")));
            bucket.set(&format!("comes-{pages}"), Vec::new()).await.unwrap();
            bucket.delete(&format!("comes-{}", pages / 2)).await.unwrap();
            pages += 1;
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert!(pages > 300 / 7, "{pages}");
        assert_eq!(sorted(found), sorted(staying));
    });
}

#[test]
fn a_list_longer_than_a_page_is_whole() {
    block_on(async {
        let bucket = bucket();
        let count = MAX_PAGE as usize + 1;
        let values: Vec<_> = (0..count).map(|n| (n.to_string(), Vec::new())).collect();
        bucket.set_many(values).await.unwrap();
        assert_eq!(bucket.keys().await.unwrap().len(), count);
        assert_eq!(
            bucket.page(None, u32::MAX).await.unwrap().keys.len(),
            MAX_PAGE as usize
        );
    });
}

#[test]
fn a_cursor_that_is_none_is_refused() {
    block_on(async {
        for cursor in ["", "x", "zz.a", "-1.a", "fffffffffffff0.a"] {
            assert_eq!(
                bucket().page(Some(cursor), 1).await,
                Err(Error::Cursor),
                "{cursor}"
            );
        }
    });
}

#[test]
fn many_keys_are_written_read_and_deleted_at_once() {
    block_on(async {
        let bucket = bucket();
        let big = vec![7; MAX_VALUE];
        let mut values: Vec<_> = (0..200).map(|n| (format!("k{n}"), vec![n])).collect();
        values.extend((0..9).map(|n| (format!("big{n}"), big.clone())));
        bucket.set_many(values.clone()).await.unwrap();
        let mut keys: Vec<String> = values.iter().map(|(key, _)| key.clone()).collect();
        keys.push("none".to_owned());
        let mut expected: Vec<_> = values
            .into_iter()
            .map(|(key, value)| (key, Some(value)))
            .collect();
        expected.push(("none".to_owned(), None));
        assert_eq!(bucket.get_many(keys.clone()).await.unwrap(), expected);
        bucket.delete_many(keys).await.unwrap();
        assert_eq!(bucket.keys().await, Ok(Vec::new()));
    });
}

#[test]
fn what_is_too_long_is_refused_before_anything_is_written() {
    block_on(async {
        let bucket = bucket();
        let key = "k".repeat(MAX_KEY + 1);
        let value = vec![0; MAX_VALUE + 1];
        assert_eq!(bucket.set(&key, Vec::new()).await, Err(Error::Key(MAX_KEY + 1)));
        assert_eq!(
            bucket.set("k", value.clone()).await,
            Err(Error::Value(MAX_VALUE + 1))
        );
        let values = vec![("a".to_owned(), Vec::new()), ("b".to_owned(), value)];
        assert_eq!(bucket.set_many(values).await, Err(Error::Value(MAX_VALUE + 1)));
        assert_eq!(bucket.keys().await, Ok(Vec::new()));
    });
}

#[test]
fn increments_side_by_side_all_count() {
    block_on(async {
        let bucket = bucket();
        let results = join_all((0..20).map(|_| bucket.increment("n", 2))).await;
        let mut sums: Vec<i64> = results.into_iter().map(Result::unwrap).collect();
        sums.sort_unstable();
        assert_eq!(sums, (1..=20).map(|n| n * 2).collect::<Vec<i64>>());
        assert_eq!(bucket.get("n").await, Ok(Some(40_i64.to_le_bytes().to_vec())));
        assert_eq!(bucket.keys().await, Ok(vec!["n".to_owned()]));
    });
}

#[test]
fn what_is_no_number_is_not_added_to() {
    block_on(async {
        let bucket = bucket();
        bucket.set("n", b"12".to_vec()).await.unwrap();
        assert_eq!(bucket.increment("n", 1).await, Err(Error::NoNumber(2)));
        bucket.set("n", i64::MAX.to_le_bytes().to_vec()).await.unwrap();
        assert_eq!(bucket.increment("n", 1).await, Err(Error::Overflow));
    });
}

#[test]
fn a_swap_replaces_only_what_was_seen() {
    block_on(async {
        let bucket = bucket();
        let nothing = bucket.look("k").await.unwrap();
        assert_eq!(nothing.value, None);
        assert_eq!(bucket.swap("k", &nothing, b"1".to_vec()).await, Ok(true));
        assert_eq!(bucket.swap("k", &nothing, b"2".to_vec()).await, Ok(false));
        let seen = bucket.look("k").await.unwrap();
        assert_eq!(seen.value.as_deref(), Some(b"1".as_slice()));
        bucket.set("k", b"3".to_vec()).await.unwrap();
        assert_eq!(bucket.swap("k", &seen, b"4".to_vec()).await, Ok(false));
        assert_eq!(bucket.get("k").await, Ok(Some(b"3".to_vec())));
    });
}

#[test]
fn a_value_that_was_deleted_and_set_again_is_not_taken_for_the_one_that_was_seen() {
    block_on(async {
        let bucket = bucket();
        bucket.set("k", b"old".to_vec()).await.unwrap();
        let seen = bucket.look("k").await.unwrap();
        bucket.delete("k").await.unwrap();
        bucket.set("k", b"new".to_vec()).await.unwrap();
        assert_eq!(bucket.swap("k", &seen, b"mine".to_vec()).await, Ok(false));
        assert_eq!(bucket.get("k").await, Ok(Some(b"new".to_vec())));
    });
}
