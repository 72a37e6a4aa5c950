//! `fermyon:spin/redis@2.0.0`: the same for components of WASI 0.2, whose calls wait in the instance.

use super::pool::Handle;
use super::{Connection, Parameter};
use crate::guest::Guest;
use std::sync::Arc;
use wasmtime::component::{HasData, Linker, Resource};

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/fermyon-spin",
        world: "redis-imports",
        with: { "fermyon:spin/redis.connection": super::super::Connection },
        imports: { default: async | trappable },
    });
}

use bindings::fermyon::spin::redis::{self as wit, Error, RedisParameter, RedisResult};

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

type Answer<T> = wasmtime::Result<Result<T, Error>>;

/// What runs commands on the connection of a resource.
fn handle(guest: &Guest, connection: &Resource<Connection>) -> wasmtime::Result<Handle> {
    Ok(guest.table.get(connection)?.0.handle().within(guest))
}

/// An answer in the interface's types.
fn answer<T>(result: Result<T, super::Failure>) -> Answer<T> {
    Ok(result.map_err(Error::from))
}

impl wit::Host for Guest {}

impl wit::HostConnection for Guest {
    async fn open(&mut self, address: String) -> Answer<Resource<Connection>> {
        let (component, call) = (Arc::clone(self.component()), Arc::clone(self.call()));
        match super::open(&component, &call, &address).await {
            Ok(connection) => Ok(Ok(self.table.push(connection)?)),
            Err(refusal) => Ok(Err(refusal.into())),
        }
    }

    async fn publish(
        &mut self,
        connection: Resource<Connection>,
        channel: String,
        payload: Vec<u8>,
    ) -> Answer<()> {
        answer(super::publish(&handle(self, &connection)?, channel, payload).await)
    }

    async fn get(&mut self, connection: Resource<Connection>, key: String) -> Answer<Option<Vec<u8>>> {
        answer(super::get(&handle(self, &connection)?, key).await)
    }

    async fn set(&mut self, connection: Resource<Connection>, key: String, value: Vec<u8>) -> Answer<()> {
        answer(super::set(&handle(self, &connection)?, key, value).await)
    }

    async fn incr(&mut self, connection: Resource<Connection>, key: String) -> Answer<i64> {
        answer(super::incr(&handle(self, &connection)?, key).await)
    }

    async fn del(&mut self, connection: Resource<Connection>, keys: Vec<String>) -> Answer<u32> {
        answer(super::del(&handle(self, &connection)?, keys).await)
    }

    async fn sadd(
        &mut self,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Answer<u32> {
        answer(super::sadd(&handle(self, &connection)?, key, values).await)
    }

    async fn smembers(&mut self, connection: Resource<Connection>, key: String) -> Answer<Vec<String>> {
        answer(super::smembers(&handle(self, &connection)?, key).await)
    }

    async fn srem(
        &mut self,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Answer<u32> {
        answer(super::srem(&handle(self, &connection)?, key, values).await)
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Answer<Vec<RedisResult>> {
        let arguments = arguments.into_iter().map(Parameter::from);
        let parts = super::execute(&handle(self, &connection)?, &command, arguments).await;
        answer(parts.map(|parts| parts.into_iter().map(RedisResult::from).collect()))
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}
