//! `spin:redis@3.0.0`: Redis for components that bring their own store, held to `allowed_outbound_hosts`.
//!
//! Each `open` is a connection of its own, as under Spin: commands such as SELECT change it for good.

use crate::guest::Guest;
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue as _, Value};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{Accessor, HasData, Linker, Resource};

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/spin-redis",
        world: "imports",
        with: { "spin:redis/redis.connection": super::Connection },
        imports: { default: trappable },
    });
}

use bindings::spin::redis::redis::{self as wit, Error, RedisParameter, RedisResult};

/// How long a command may take. Longer than a blocking read's own limit, which components set.
const RESPONSE: Duration = Duration::from_secs(35);
const CONNECT: Duration = Duration::from_secs(5);

/// A connection as a component holds it.
pub struct Connection(MultiplexedConnection);

async fn connect(address: &str) -> redis::RedisResult<MultiplexedConnection> {
    let config = redis::AsyncConnectionConfig::new()
        .set_response_timeout(Some(RESPONSE))
        .set_connection_timeout(Some(CONNECT));
    redis::Client::open(address)?
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

/// Ties the interface to an instance's data.
struct Redis;

impl HasData for Redis {
    type Data<'a> = &'a mut Guest;
}

/// Adds the interface.
pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wit::add_to_linker::<_, Redis>(linker, |guest| guest)
}

impl wit::Host for Guest {}
impl wit::HostConnection for Guest {
    fn drop(&mut self, handle: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;

/// The connection behind a handle.
fn connection<T: 'static>(
    accessor: &Accessor<T, Redis>,
    handle: &Resource<Connection>,
) -> wasmtime::Result<MultiplexedConnection> {
    accessor.with(|mut access| Ok(access.get().table.get(handle)?.0.clone()))
}

/// Runs a command and reads its reply as `R`.
async fn run<T: 'static, R: redis::FromRedisValue>(
    accessor: &Accessor<T, Redis>,
    handle: &Resource<Connection>,
    command: redis::Cmd,
) -> Answer<R> {
    let mut connection = connection(accessor, handle)?;
    Ok(command.query_async(&mut connection).await.map_err(error))
}

fn error(error: redis::RedisError) -> Error {
    match error.kind() {
        redis::ErrorKind::UnexpectedReturnType => Error::TypeError,
        _ => Error::Other(error.to_string()),
    }
}

impl<T: Send + 'static> wit::HostConnectionWithStore<T> for Redis {
    async fn open(accessor: &Accessor<T, Self>, address: String) -> Answer<Resource<Connection>> {
        let component = accessor.with(|mut access| Arc::clone(access.get().component()));
        let Ok(url) = address.parse::<http::Uri>() else {
            return Ok(Err(Error::InvalidAddress));
        };
        let (scheme, host) = (
            url.scheme_str().unwrap_or_default(),
            url.host().unwrap_or_default(),
        );
        let port = url.port_u16().unwrap_or(6379);
        if !matches!(scheme, "redis" | "rediss") || !component.allowed_hosts.allows(scheme, host, Some(port))
        {
            tracing::warn!(
                component = %component.id,
                destination = %format_args!("{scheme}://{host}:{port}"),
                "the component may not call this; allowed_outbound_hosts in spin.toml does not list it"
            );
            return Ok(Err(Error::InvalidAddress));
        }
        match connect(&address).await {
            Ok(connection) => {
                let handle = accessor.with(|mut access| access.get().table.push(Connection(connection)))?;
                Ok(Ok(handle))
            }
            Err(failure) => Ok(Err(error(failure))),
        }
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        channel: String,
        payload: Vec<u8>,
    ) -> Answer<()> {
        run(accessor, &handle, redis::Cmd::publish(channel, payload)).await
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        key: String,
    ) -> Answer<Option<Vec<u8>>> {
        run(accessor, &handle, redis::Cmd::get(key)).await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        key: String,
        value: Vec<u8>,
    ) -> Answer<()> {
        run(accessor, &handle, redis::Cmd::set(key, value)).await
    }

    async fn incr(accessor: &Accessor<T, Self>, handle: Resource<Connection>, key: String) -> Answer<i64> {
        run(accessor, &handle, redis::Cmd::incr(key, 1)).await
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        keys: Vec<String>,
    ) -> Answer<u32> {
        run(accessor, &handle, redis::Cmd::del(keys)).await
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Answer<u32> {
        run(accessor, &handle, redis::Cmd::sadd(key, values)).await
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        key: String,
    ) -> Answer<Vec<String>> {
        run(accessor, &handle, redis::Cmd::smembers(key)).await
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Answer<u32> {
        run(accessor, &handle, redis::Cmd::srem(key, values)).await
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        handle: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Answer<Vec<RedisResult>> {
        let mut command = redis::cmd(&command);
        for argument in arguments {
            match argument {
                RedisParameter::Int64(value) => command.arg(value),
                RedisParameter::Binary(value) => command.arg(value),
            };
        }
        let reply: Value = match run(accessor, &handle, command).await? {
            Ok(reply) => reply,
            Err(error) => return Ok(Err(error)),
        };
        let mut flat = Vec::new();
        Ok(flatten(reply, &mut flat).map(|()| flat))
    }
}

/// Appends a reply, without its nesting.
fn flatten(value: Value, into: &mut Vec<RedisResult>) -> Result<(), Error> {
    match value {
        Value::Nil => into.push(RedisResult::Nil),
        Value::Int(value) => into.push(RedisResult::Int64(value)),
        Value::BulkString(value) => into.push(RedisResult::Binary(value)),
        Value::SimpleString(value) => into.push(RedisResult::Status(value)),
        Value::Okay => into.push(RedisResult::Status("OK".to_owned())),
        Value::Boolean(value) => into.push(RedisResult::Int64(i64::from(value))),
        Value::Array(values) | Value::Set(values) => {
            for value in values {
                flatten(value, into)?;
            }
        }
        Value::Map(pairs) => {
            for (key, value) in pairs {
                flatten(key, into)?;
                flatten(value, into)?;
            }
        }
        other => {
            let text = String::from_redis_value(other).map_err(|error| Error::Other(error.to_string()))?;
            into.push(RedisResult::Binary(text.into_bytes()));
        }
    }
    Ok(())
}
