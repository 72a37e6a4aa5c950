//! `spin:redis@3.0.0`: calls that wait for Redis without holding the instance.

use super::pool::Handle;
use super::{Connection, Parameter};
use crate::guest::Guest;
use std::sync::Arc;
use wasmtime::component::{Accessor, HasData, Linker, Resource};

pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/spin-redis",
        world: "imports",
        with: { "spin:redis/redis.connection": super::super::Connection },
        imports: { default: trappable },
    });
}

use bindings::spin::redis::redis::{self as wit, Error, RedisParameter, RedisResult};

super::conversions!(wit);

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
    fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;

/// What runs commands on the connection of a resource.
fn handle<T: 'static>(
    accessor: &Accessor<T, Redis>,
    connection: &Resource<Connection>,
) -> wasmtime::Result<Handle> {
    accessor.with(|mut access| {
        let guest = access.get();
        Ok(guest.table.get(connection)?.0.handle().within(guest))
    })
}

/// An answer in the interface's types.
fn answer<T>(result: Result<T, super::Failure>) -> Answer<T> {
    Ok(result.map_err(Error::from))
}

impl<T: Send + 'static> wit::HostConnectionWithStore<T> for Redis {
    async fn open(accessor: &Accessor<T, Self>, address: String) -> Answer<Resource<Connection>> {
        let (component, call) = accessor.with(|mut access| {
            let guest = access.get();
            (Arc::clone(guest.component()), Arc::clone(guest.call()))
        });
        match super::open(&component, &call, &address).await {
            Ok(connection) => Ok(Ok(
                accessor.with(|mut access| access.get().table.push(connection))?
            )),
            Err(refusal) => Ok(Err(refusal.into())),
        }
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        channel: String,
        payload: Vec<u8>,
    ) -> Answer<()> {
        answer(super::publish(&handle(accessor, &connection)?, channel, payload).await)
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Answer<Option<Vec<u8>>> {
        answer(super::get(&handle(accessor, &connection)?, key).await)
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        value: Vec<u8>,
    ) -> Answer<()> {
        answer(super::set(&handle(accessor, &connection)?, key, value).await)
    }

    async fn incr(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Answer<i64> {
        answer(super::incr(&handle(accessor, &connection)?, key).await)
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        keys: Vec<String>,
    ) -> Answer<u32> {
        answer(super::del(&handle(accessor, &connection)?, keys).await)
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Answer<u32> {
        answer(super::sadd(&handle(accessor, &connection)?, key, values).await)
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Answer<Vec<String>> {
        answer(super::smembers(&handle(accessor, &connection)?, key).await)
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Answer<u32> {
        answer(super::srem(&handle(accessor, &connection)?, key, values).await)
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Answer<Vec<RedisResult>> {
        let arguments = arguments.into_iter().map(Parameter::from);
        let parts = super::execute(&handle(accessor, &connection)?, &command, arguments).await;
        answer(parts.map(|parts| parts.into_iter().map(RedisResult::from).collect()))
    }
}
