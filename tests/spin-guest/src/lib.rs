//! A component that uses Spin's interfaces of WASI 0.3 as it is told: what the host and Spin are compared with.
//!
//! A request's last path segment names the interface, its query the call: words that `&` separates. The answer is the
//! call's result as text. A message from Redis is added to the value of `messages` in the store `default`.

// Natively there is nobody to export to, and the exports' names are none that a linker takes.
#![cfg(target_family = "wasm")]

mod messages;

use spin_sdk::http::Request;
use spin_sdk::http_service;
use spin_sdk::key_value::Store;
use spin_sdk::redis::{Connection, RedisParameter};

use std::fmt::Debug;

#[http_service]
async fn handle(request: Request) -> String {
    let words: Vec<&str> = request.uri().query().unwrap_or_default().split('&').collect();
    match request.uri().path().rsplit('/').next() {
        Some("redis") => redis(&words).await,
        Some("key-value") => key_value(&words).await,
        Some("variables") => told(spin_sdk::variables::get(words.first().unwrap_or(&"")).await),
        other => format!("cannot {other:?}"),
    }
}

/// A result as text.
fn told(result: impl Debug) -> String {
    format!("{result:?}")
}

/// Commands on a connection, each with its arguments, separated by `;`.
async fn redis(words: &[&str]) -> String {
    let [address, commands @ ..] = words else {
        return "no address".to_owned();
    };
    let connection = match Connection::open(address).await {
        Ok(connection) => connection,
        Err(error) => return told(error),
    };
    let mut answers = Vec::new();
    for command in commands.split(|word| *word == ";") {
        answers.push(match command {
            ["get", key] => told(connection.get(key).await),
            ["set", key, value] => told(connection.set(key, value.as_bytes()).await),
            ["incr", key] => told(connection.incr(key).await),
            ["del", keys @ ..] => told(connection.del(keys).await),
            ["sadd", key, values @ ..] => told(connection.sadd(key, values).await),
            ["smembers", key] => told(connection.smembers(key).await),
            ["srem", key, values @ ..] => told(connection.srem(key, values).await),
            ["publish", channel, payload] => told(connection.publish(channel, payload.as_bytes()).await),
            ["execute", name, arguments @ ..] => {
                let arguments = arguments.iter().map(|argument| match argument.parse() {
                    Ok(number) => RedisParameter::Int64(number),
                    Err(_) => RedisParameter::Binary(argument.as_bytes().to_vec()),
                });
                told(connection.execute(name, arguments).await)
            }
            other => format!("cannot {other:?}"),
        });
    }
    answers.join("\n")
}

async fn key_value(words: &[&str]) -> String {
    let [label, call @ ..] = words else {
        return "no store".to_owned();
    };
    let store = match Store::open(label).await {
        Ok(store) => store,
        Err(error) => return told(error),
    };
    match call {
        ["get", key] => told(store.get(key).await),
        ["set", key, value] => told(store.set(key, value).await),
        ["delete", key] => told(store.delete(key).await),
        ["exists", key] => told(store.exists(key).await),
        ["keys"] => told(store.get_keys().await.collect().await.map(|mut keys| {
            keys.sort();
            keys
        })),
        // As many keys as the number says, each with its number as the value.
        ["fill", count] => {
            for number in 0..count.parse().unwrap_or(0) {
                let number: u32 = number;
                if let Err(error) = store.set(format!("key {number}"), number.to_string()).await {
                    return told(error);
                }
            }
            "Ok(())".to_owned()
        }
        ["count"] => told(store.get_keys().await.collect().await.map(|keys| keys.len())),
        other => format!("cannot {other:?}"),
    }
}
