//! Spin's interfaces and WASI's drafts, called as a query says.

use crate::bindings::fermyon::spin2_0_0::key_value::Store;
use crate::bindings::fermyon::spin2_0_0::redis::{Connection, RedisParameter};
use crate::bindings::wasi::config::store as config_store;
use crate::bindings::wasi::keyvalue::atomics::{self, Cas, CasError};
use crate::bindings::wasi::keyvalue::{batch, store};
use std::fmt::Debug;

/// A result as text.
fn told(result: impl Debug) -> String {
    format!("{result:?}")
}

pub(crate) fn variables(name: &str) -> String {
    told(crate::bindings::fermyon::spin2_0_0::variables::get(name))
}

pub(crate) fn config(words: &[&str]) -> String {
    match words {
        ["all"] => told(config_store::get_all().map(|mut all| {
            all.sort();
            all
        })),
        [name] => told(config_store::get(name)),
        other => format!("cannot {other:?}"),
    }
}

/// Commands on a connection, each with its arguments, separated by `;`.
pub(crate) fn redis(words: &[&str]) -> String {
    let [address, commands @ ..] = words else {
        return "no address".to_owned();
    };
    let connection = match Connection::open(address) {
        Ok(connection) => connection,
        Err(error) => return told(error),
    };
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let answer = |command: &[&str]| match command {
        ["get", key] => told(connection.get(key)),
        ["set", key, value] => told(connection.set(key, value.as_bytes())),
        ["incr", key] => told(connection.incr(key)),
        ["del", keys @ ..] => told(connection.del(&owned(keys))),
        ["sadd", key, values @ ..] => told(connection.sadd(key, &owned(values))),
        ["smembers", key] => told(connection.smembers(key)),
        ["srem", key, values @ ..] => told(connection.srem(key, &owned(values))),
        ["publish", channel, payload] => told(connection.publish(channel, payload.as_bytes())),
        ["execute", name, arguments @ ..] => {
            let arguments: Vec<RedisParameter> = arguments
                .iter()
                .map(|argument| match argument.parse() {
                    Ok(number) => RedisParameter::Int64(number),
                    Err(_) => RedisParameter::Binary(argument.as_bytes().to_vec()),
                })
                .collect();
            told(connection.execute(name, &arguments))
        }
        other => format!("cannot {other:?}"),
    };
    let answers: Vec<String> = commands.split(|word| *word == ";").map(answer).collect();
    answers.join("\n")
}

pub(crate) fn key_value(words: &[&str]) -> String {
    let [label, call @ ..] = words else {
        return "no store".to_owned();
    };
    let store = match Store::open(label) {
        Ok(store) => store,
        Err(error) => return told(error),
    };
    match call {
        ["get", key] => told(store.get(key)),
        ["set", key, value] => told(store.set(key, value.as_bytes())),
        ["delete", key] => told(store.delete(key)),
        ["exists", key] => told(store.exists(key)),
        ["keys"] => told(store.get_keys().map(|mut keys| {
            keys.sort();
            keys
        })),
        other => format!("cannot {other:?}"),
    }
}

pub(crate) fn wasi_keyvalue(words: &[&str]) -> String {
    let [name, call @ ..] = words else {
        return "no store".to_owned();
    };
    let bucket = match store::open(name) {
        Ok(bucket) => bucket,
        Err(error) => return told(error),
    };
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    match call {
        ["get", key] => told(bucket.get(key)),
        ["set", key, value] => told(bucket.set(key, value.as_bytes())),
        ["delete", key] => told(bucket.delete(key)),
        ["exists", key] => told(bucket.exists(key)),
        ["keys"] => told(bucket.list_keys(None).map(|mut page| {
            page.keys.sort();
            (page.keys, page.cursor)
        })),
        // Pages until there is no cursor: how many there were, and how many keys on them.
        ["pages"] => {
            let (mut pages, mut keys, mut cursor) = (0, 0, None);
            loop {
                match bucket.list_keys(cursor.as_deref()) {
                    Ok(page) => {
                        pages += 1;
                        keys += page.keys.len();
                        cursor = page.cursor;
                    }
                    Err(error) => return told(error),
                }
                if cursor.is_none() {
                    return format!("{pages} {keys}");
                }
            }
        }
        ["get-many", keys @ ..] => told(batch::get_many(&bucket, &owned(keys))),
        ["set-many", pairs @ ..] => {
            let pairs: Vec<(String, Vec<u8>)> = pairs
                .chunks_exact(2)
                .filter_map(|pair| match pair {
                    [key, value] => Some(((*key).to_owned(), value.as_bytes().to_vec())),
                    _ => None,
                })
                .collect();
            told(batch::set_many(&bucket, &pairs))
        }
        ["delete-many", keys @ ..] => told(batch::delete_many(&bucket, &owned(keys))),
        ["increment", key, delta] => told(atomics::increment(&bucket, key, delta.parse().unwrap_or(0))),
        // Swaps in the first value, after somebody else wrote the second, if there is one; and then again.
        ["swap", key, mine, theirs @ ..] => {
            let cas = match Cas::new(&bucket, key) {
                Ok(cas) => cas,
                Err(error) => return told(error),
            };
            let seen = cas.current();
            for theirs in theirs {
                if let Err(error) = bucket.set(key, theirs.as_bytes()) {
                    return told(error);
                }
            }
            match atomics::swap(cas, mine.as_bytes()) {
                Ok(()) => format!("{seen:?} swapped"),
                Err(CasError::CasFailed(again)) => {
                    let now = again.current();
                    let second = atomics::swap(again, mine.as_bytes()).is_ok();
                    format!("{seen:?} failed {now:?} {second}")
                }
                Err(CasError::StoreError(error)) => told(error),
            }
        }
        other => format!("cannot {other:?}"),
    }
}
