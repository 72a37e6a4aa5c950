//! Redis for components that bring their own store: `spin:redis` 3 and `fermyon:spin/redis` 2, held to
//! `allowed_outbound_hosts`.
//!
//! What a command answers, errors included, is what Spin answers. A connection belongs to one request at a time, since
//! commands such as SELECT and MULTI change it; those that nothing of the kind happened to are used again by later
//! requests of the same component ([`pool`]).

pub(crate) mod pool;
mod v2;
pub(crate) mod v3;

use crate::guest::{Call, Guest};
use crate::runtime::Component;
use crate::telemetry::traces::Place;
use pool::{Checkout, Handle, Pooled};
use redis::{Cmd, ErrorKind, FromRedisValue, ParsingError, Value};
use std::sync::Arc;
use wasmtime::component::Linker;

/// The most bytes that one command may answer with, as in Spin.
const MAX_ANSWER: usize = 128 << 20;

/// A connection as a component holds it.
pub struct Connection(Pooled);

/// Adds the interfaces.
pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    v2::add(linker)?;
    v3::add(linker)
}

/// Why there is no connection.
enum Refusal {
    Address,
    TooMany,
    Other(String),
}

/// Why a command has no answer.
enum Failure {
    Type,
    Other(String),
}

/// What any command is called with.
enum Parameter {
    Int64(i64),
    Binary(Vec<u8>),
}

/// A part of what any command answers.
enum Part {
    Nil,
    Status(String),
    Int64(i64),
    Binary(Vec<u8>),
}

/// Opens a connection for a component, if it may reach the address.
async fn open(component: &Arc<Component>, call: &Call, address: &str) -> Result<Connection, Refusal> {
    let Ok(url) = address.parse::<http::Uri>() else {
        return Err(Refusal::Address);
    };
    let (scheme, host) = (
        url.scheme_str().unwrap_or_default(),
        url.host().unwrap_or_default(),
    );
    let port = url.port_u16().unwrap_or(6379);
    if !matches!(scheme, "redis" | "rediss") || !component.allowed_hosts.allows(scheme, host, Some(port)) {
        let (trace_id, span_id) = Place::ids(call.watch.place());
        tracing::warn!(
            request_id = %call.request_id,
            trace_id,
            span_id,
            component = %component.id,
            destination = %format_args!("{scheme}://{host}:{port}"),
            "the component may not call this; allowed_outbound_hosts in spin.toml does not list it"
        );
        return Err(Refusal::Address);
    }
    match component.redis.checkout(address).await {
        Checkout::Open(connection) => Ok(Connection(connection)),
        Checkout::NoAddress => Err(Refusal::Address),
        Checkout::TooMany => Err(Refusal::TooMany),
        Checkout::Failed(error) => Err(Refusal::Other(error.to_string())),
    }
}

/// Runs a command and reads its answer as `R`.
async fn run<R: FromRedisValue>(connection: &Handle, command: Cmd) -> Result<R, Failure> {
    connection
        .query(command)
        .await
        .map_err(|error| Failure::Other(error.to_string()))
}

async fn publish(connection: &Handle, channel: String, payload: Vec<u8>) -> Result<(), Failure> {
    run(connection, Cmd::publish(channel, payload)).await
}

async fn get(connection: &Handle, key: String) -> Result<Option<Vec<u8>>, Failure> {
    let value: Option<Vec<u8>> = run(connection, Cmd::get(key)).await?;
    limited(value.as_ref().map_or(0, Vec::len))?;
    Ok(value)
}

async fn set(connection: &Handle, key: String, value: Vec<u8>) -> Result<(), Failure> {
    run(connection, Cmd::set(key, value)).await
}

async fn incr(connection: &Handle, key: String) -> Result<i64, Failure> {
    run(connection, Cmd::incr(key, 1)).await
}

async fn del(connection: &Handle, keys: Vec<String>) -> Result<u32, Failure> {
    run(connection, Cmd::del(keys)).await
}

async fn sadd(connection: &Handle, key: String, values: Vec<String>) -> Result<u32, Failure> {
    let answer = connection.query(Cmd::sadd(key, values)).await;
    answer.map_err(|error| match error.kind() {
        ErrorKind::UnexpectedReturnType => Failure::Type,
        _ => Failure::Other(error.to_string()),
    })
}

async fn smembers(connection: &Handle, key: String) -> Result<Vec<String>, Failure> {
    run(connection, Cmd::smembers(key)).await
}

async fn srem(connection: &Handle, key: String, values: Vec<String>) -> Result<u32, Failure> {
    run(connection, Cmd::srem(key, values)).await
}

/// Any command; a nested answer comes out flat.
async fn execute(
    connection: &Handle,
    name: &str,
    arguments: impl IntoIterator<Item = Parameter>,
) -> Result<Vec<Part>, Failure> {
    let mut command = redis::cmd(name);
    for argument in arguments {
        match argument {
            Parameter::Int64(value) => command.arg(value),
            Parameter::Binary(value) => command.arg(value),
        };
    }
    connection.about_to_run(name);
    let Flat(parts) = run(connection, command).await?;
    limited(parts.iter().map(Part::size).sum())?;
    Ok(parts)
}

/// Refuses an answer that is too long.
fn limited(size: usize) -> Result<(), Failure> {
    if size > MAX_ANSWER {
        return Err(Failure::Other(format!(
            "query result exceeds limit of {MAX_ANSWER} bytes"
        )));
    }
    Ok(())
}

impl Part {
    fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Nil | Self::Int64(_) => 0,
                Self::Status(text) => text.len(),
                Self::Binary(bytes) => bytes.len(),
            }
    }
}

/// An answer without its nesting.
struct Flat(Vec<Part>);

impl FromRedisValue for Flat {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut parts = Vec::new();
        flatten(value, &mut parts)?;
        Ok(Self(parts))
    }
}

fn flatten(value: Value, into: &mut Vec<Part>) -> Result<(), ParsingError> {
    let part = match value {
        Value::Array(values) | Value::Set(values) => {
            return values.into_iter().try_for_each(|value| flatten(value, into));
        }
        Value::Nil => Part::Nil,
        Value::Int(value) => Part::Int64(value),
        Value::Boolean(value) => Part::Int64(i64::from(value)),
        Value::BulkString(value) => Part::Binary(value),
        Value::Double(value) => Part::Binary(value.to_string().into_bytes()),
        Value::SimpleString(value) => Part::Status(value),
        Value::Okay => Part::Status("OK".to_owned()),
        // Of the newer protocol, which a connection speaks only after HELLO 3.
        other => {
            return Err(ParsingError::from(format!(
                "Could not convert Redis response {other:?}"
            )));
        }
    };
    into.push(part);
    Ok(())
}

/// The interface's types of one version from and to those of this module.
macro_rules! conversions {
    ($wit:ident) => {
        impl From<super::Refusal> for $wit::Error {
            fn from(refusal: super::Refusal) -> Self {
                match refusal {
                    super::Refusal::Address => Self::InvalidAddress,
                    super::Refusal::TooMany => Self::TooManyConnections,
                    super::Refusal::Other(reason) => Self::Other(reason),
                }
            }
        }

        impl From<super::Failure> for $wit::Error {
            fn from(failure: super::Failure) -> Self {
                match failure {
                    super::Failure::Type => Self::TypeError,
                    super::Failure::Other(reason) => Self::Other(reason),
                }
            }
        }

        impl From<$wit::RedisParameter> for super::Parameter {
            fn from(parameter: $wit::RedisParameter) -> Self {
                match parameter {
                    $wit::RedisParameter::Int64(value) => Self::Int64(value),
                    $wit::RedisParameter::Binary(value) => Self::Binary(value),
                }
            }
        }

        impl From<super::Part> for $wit::RedisResult {
            fn from(part: super::Part) -> Self {
                match part {
                    super::Part::Nil => Self::Nil,
                    super::Part::Status(text) => Self::Status(text),
                    super::Part::Int64(value) => Self::Int64(value),
                    super::Part::Binary(bytes) => Self::Binary(bytes),
                }
            }
        }
    };
}
use conversions;
