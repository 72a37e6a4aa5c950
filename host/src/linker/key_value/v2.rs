//! `fermyon:spin/key-value@2.0.0`: the same for components of WASI 0.2, whose calls wait in the instance.

use super::{KeyValue, Store};
use crate::guest::Guest;
use crate::metrics::Measured;
use anyturn_key_value::Bucket;
use wasmtime::component::{Linker, Resource};

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/fermyon-spin",
        world: "key-value-imports",
        with: { "fermyon:spin/key-value.store": super::super::Store },
        imports: { default: async | trappable },
    });
}

use bindings::fermyon::spin::key_value::{self as wit, Error};

/// Adds the interface.
pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wit::add_to_linker::<_, KeyValue>(linker, |guest| guest)
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;

fn error(error: anyturn_key_value::Error) -> Error {
    Error::Other(error.to_string())
}

/// The store of a resource.
fn bucket(guest: &Guest, store: &Resource<Store>) -> wasmtime::Result<Bucket<Measured>> {
    Ok(guest.table.get(store)?.0.clone())
}

impl wit::Host for Guest {}

impl wit::HostStore for Guest {
    async fn open(&mut self, label: String) -> Answer<Resource<Store>> {
        Ok(match super::open(self, &label) {
            Some(store) => Ok(self.table.push(store)?),
            None => Err(Error::AccessDenied),
        })
    }

    async fn get(&mut self, store: Resource<Store>, key: String) -> Answer<Option<Vec<u8>>> {
        Ok(bucket(self, &store)?.get(&key).await.map_err(error))
    }

    async fn set(&mut self, store: Resource<Store>, key: String, value: Vec<u8>) -> Answer<()> {
        Ok(bucket(self, &store)?.set(&key, value).await.map_err(error))
    }

    async fn delete(&mut self, store: Resource<Store>, key: String) -> Answer<()> {
        Ok(bucket(self, &store)?.delete(&key).await.map_err(error))
    }

    async fn exists(&mut self, store: Resource<Store>, key: String) -> Answer<bool> {
        Ok(bucket(self, &store)?.exists(&key).await.map_err(error))
    }

    async fn get_keys(&mut self, store: Resource<Store>) -> Answer<Vec<String>> {
        Ok(bucket(self, &store)?.keys().await.map_err(error))
    }

    async fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}
