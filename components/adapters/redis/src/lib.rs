//! Exports `spin:redis` over `wasi:sockets` 0.3, for hosts that know WASI and nothing of Spin.
//!
//! A component that was made for Spin, composed with this one, reaches any Redis that its host lets it connect to.
//! What is nested in a reply is flattened, as Spin does it. A command waits without holding up what else its instance
//! does, and for as long as its caller lets it; commands on one connection go one after the other.
//!
//! Without TLS: `rediss://` addresses are refused.

mod address;
mod connection;
mod reply;

#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::restriction
)]
mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "wit",
        world: "adapter",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

use bindings::exports::spin::redis::redis::{
    Connection as Handle, Error, Guest, GuestConnection, RedisParameter, RedisResult,
};
use futures::lock::{Mutex, MutexGuard};
use spin_sdk::wasip3::clocks::monotonic_clock;

use crate::address::Address;
use crate::connection::{Connection, Failure};
use crate::reply::Value;

struct Adapter;

impl Guest for Adapter {
    type Connection = Shared;
}

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "the exports' own")]
mod export {
    use super::{Adapter, bindings};

    bindings::export!(Adapter with_types_in bindings);
}

/// Nanoseconds after which it is looked again whether a connection is free.
const PAUSE: u64 = 500_000;

/// A connection; its commands go one after the other.
struct Shared(Mutex<Connection>);

impl Shared {
    async fn call(&self, words: &[&[u8]]) -> Result<Value, Error> {
        Ok(self.turn().await.call(words).await?)
    }

    /// Waits until no other command is under way. It takes a look from time to time, because what has the connection may
    /// be another call into this instance, and one such call cannot wake another: only the host can.
    async fn turn(&self) -> MutexGuard<'_, Connection> {
        loop {
            if let Some(connection) = self.0.try_lock() {
                return connection;
            }
            monotonic_clock::wait_for(PAUSE).await;
        }
    }

    /// Of a command that answers a number.
    async fn count(&self, words: &[&[u8]]) -> Result<i64, Error> {
        match self.call(words).await? {
            Value::Integer(number) => Ok(number),
            _ => Err(Error::TypeError),
        }
    }
}

impl GuestConnection for Shared {
    async fn open(address: String) -> Result<Handle, Error> {
        let address = Address::parse(&address).ok_or(Error::InvalidAddress)?;
        let connection = Connection::open(&address).await?;
        Ok(Handle::new(Self(Mutex::new(connection))))
    }

    async fn publish(&self, channel: String, payload: Vec<u8>) -> Result<(), Error> {
        let answer = self.call(&[b"PUBLISH", channel.as_bytes(), &payload]).await;
        answer.map(drop)
    }

    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, Error> {
        match self.call(&[b"GET", key.as_bytes()]).await? {
            Value::Nil => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes)),
            _ => Err(Error::TypeError),
        }
    }

    async fn set(&self, key: String, value: Vec<u8>) -> Result<(), Error> {
        self.call(&[b"SET", key.as_bytes(), &value]).await.map(drop)
    }

    async fn incr(&self, key: String) -> Result<i64, Error> {
        self.count(&[b"INCR", key.as_bytes()]).await
    }

    async fn del(&self, keys: Vec<String>) -> Result<u32, Error> {
        self.count(&words(b"DEL", None, &keys)).await.map(small)
    }

    async fn sadd(&self, key: String, values: Vec<String>) -> Result<u32, Error> {
        self.count(&words(b"SADD", Some(&key), &values)).await.map(small)
    }

    async fn smembers(&self, key: String) -> Result<Vec<String>, Error> {
        let members = self.call(&[b"SMEMBERS", key.as_bytes()]).await?.flattened();
        let text = |value| match value {
            Value::Bytes(bytes) => String::from_utf8(bytes).map_err(|_| Error::TypeError),
            _ => Err(Error::TypeError),
        };
        members.into_iter().map(text).collect()
    }

    async fn srem(&self, key: String, values: Vec<String>) -> Result<u32, Error> {
        self.count(&words(b"SREM", Some(&key), &values)).await.map(small)
    }

    async fn execute(
        &self,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Result<Vec<RedisResult>, Error> {
        let arguments: Vec<Vec<u8>> = arguments
            .into_iter()
            .map(|argument| match argument {
                RedisParameter::Int64(number) => number.to_string().into_bytes(),
                RedisParameter::Binary(bytes) => bytes,
            })
            .collect();
        let mut words = vec![command.as_bytes()];
        words.extend(arguments.iter().map(Vec::as_slice));
        let flat = self.call(&words).await?.flattened();
        Ok(flat.into_iter().map(RedisResult::from).collect())
    }
}

fn words<'a>(command: &'a [u8], key: Option<&'a str>, rest: &'a [String]) -> Vec<&'a [u8]> {
    let key = key.map(str::as_bytes);
    [command]
        .into_iter()
        .chain(key)
        .chain(rest.iter().map(String::as_bytes))
        .collect()
}

fn small(count: i64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl From<Value> for RedisResult {
    fn from(value: Value) -> Self {
        match value {
            // What is nested was flattened before.
            Value::Nil | Value::Many(_) => Self::Nil,
            Value::Status(text) => Self::Status(text),
            Value::Integer(number) => Self::Int64(number),
            Value::Bytes(bytes) => Self::Binary(bytes),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Address => Self::InvalidAddress,
            Failure::Connection(reason) | Failure::Server(reason) => Self::Other(reason),
        }
    }
}
