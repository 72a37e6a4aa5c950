//! `wasi:keyvalue@0.2.0-draft2`: store, batch and atomics. A bucket is a store by another name.

use super::{KeyValue, Store};
use crate::guest::Guest;
use crate::metrics::Measured;
use anyturn_key_value::{Bucket, MAX_PAGE, Seen};
use wasmtime::component::{Linker, Resource};

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/wasi-keyvalue",
        world: "imports",
        with: {
            "wasi:keyvalue/store.bucket": super::super::Store,
            "wasi:keyvalue/atomics.cas": super::Cas,
        },
        imports: { default: async | trappable },
    });
}

use bindings::wasi::keyvalue::atomics::{self, CasError};
use bindings::wasi::keyvalue::batch;
use bindings::wasi::keyvalue::store::{self, Error, KeyResponse};

/// What was seen of a key, as a component holds it.
pub struct Cas {
    bucket: Bucket<Measured>,
    key: String,
    seen: Seen,
}

/// Adds the interfaces.
pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, KeyValue>(linker, |guest| guest)?;
    batch::add_to_linker::<_, KeyValue>(linker, |guest| guest)?;
    atomics::add_to_linker::<_, KeyValue>(linker, |guest| guest)
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;

fn error(error: anyturn_key_value::Error) -> Error {
    Error::Other(error.to_string())
}

/// The store of a resource.
fn bucket(guest: &Guest, bucket: &Resource<Store>) -> wasmtime::Result<Bucket<Measured>> {
    Ok(guest.table.get(bucket)?.0.clone())
}

impl store::Host for Guest {
    async fn open(&mut self, identifier: String) -> Answer<Resource<Store>> {
        Ok(match super::open(self, &identifier) {
            Some(store) => Ok(self.table.push(store)?),
            None => Err(Error::AccessDenied),
        })
    }
}

impl store::HostBucket for Guest {
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

    async fn list_keys(&mut self, store: Resource<Store>, cursor: Option<String>) -> Answer<KeyResponse> {
        let page = bucket(self, &store)?.page(cursor.as_deref(), MAX_PAGE).await;
        Ok(page.map_err(error).map(|page| KeyResponse {
            keys: page.keys,
            cursor: page.cursor,
        }))
    }

    async fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl batch::Host for Guest {
    async fn get_many(
        &mut self,
        store: Resource<Store>,
        keys: Vec<String>,
    ) -> Answer<Vec<(String, Option<Vec<u8>>)>> {
        Ok(bucket(self, &store)?.get_many(keys).await.map_err(error))
    }

    async fn set_many(&mut self, store: Resource<Store>, values: Vec<(String, Vec<u8>)>) -> Answer<()> {
        Ok(bucket(self, &store)?.set_many(values).await.map_err(error))
    }

    async fn delete_many(&mut self, store: Resource<Store>, keys: Vec<String>) -> Answer<()> {
        Ok(bucket(self, &store)?.delete_many(keys).await.map_err(error))
    }
}

impl atomics::Host for Guest {
    async fn increment(&mut self, store: Resource<Store>, key: String, delta: i64) -> Answer<i64> {
        Ok(bucket(self, &store)?.increment(&key, delta).await.map_err(error))
    }

    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), CasError>> {
        let Cas { bucket, key, seen } = self.table.delete(cas)?;
        let failed = |failure| Ok(Err(CasError::StoreError(error(failure))));
        match bucket.swap(&key, &seen, value).await {
            Ok(true) => Ok(Ok(())),
            Ok(false) => match bucket.look(&key).await {
                Ok(seen) => {
                    let cas = self.table.push(Cas { bucket, key, seen })?;
                    Ok(Err(CasError::CasFailed(cas)))
                }
                Err(failure) => failed(failure),
            },
            Err(failure) => failed(failure),
        }
    }
}

impl atomics::HostCas for Guest {
    async fn new(&mut self, store: Resource<Store>, key: String) -> Answer<Resource<Cas>> {
        let bucket = bucket(self, &store)?;
        match bucket.look(&key).await {
            Ok(seen) => Ok(Ok(self.table.push(Cas { bucket, key, seen })?)),
            Err(failure) => Ok(Err(error(failure))),
        }
    }

    async fn current(&mut self, cas: Resource<Cas>) -> Answer<Option<Vec<u8>>> {
        let Cas { bucket, key, .. } = self.table.get(&cas)?;
        let (bucket, key) = (bucket.clone(), key.clone());
        match bucket.look(&key).await {
            Ok(seen) => {
                let value = seen.value.clone();
                self.table.get_mut(&cas)?.seen = seen;
                Ok(Ok(value))
            }
            Err(failure) => Ok(Err(error(failure))),
        }
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}
