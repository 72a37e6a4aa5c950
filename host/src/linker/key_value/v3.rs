//! `spin:key-value@3.0.0`: calls that wait for the state without holding the instance.

use super::{KeyValue, Store};
use crate::guest::Guest;
use crate::metrics::Measured;
use anyturn_key_value::{Bucket, MAX_PAGE};
use futures::channel::{mpsc, oneshot};
use futures::{SinkExt as _, Stream as _};
use std::pin::Pin;
use std::task::{Context, Poll};
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, Destination, FutureReader, Linker, Resource, StreamProducer, StreamReader, StreamResult,
    VecBuffer,
};

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/spin-key-value",
        world: "imports",
        with: { "spin:key-value/key-value.store": super::super::Store },
        imports: { default: trappable },
    });
}

use bindings::spin::key_value::key_value::{self as wit, Error};

/// Adds the interface.
pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wit::add_to_linker::<_, KeyValue>(linker, |guest| guest)
}

impl wit::Host for Guest {}
impl wit::HostStore for Guest {
    fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;

fn error(error: anyturn_key_value::Error) -> Error {
    Error::Other(error.to_string())
}

/// The store of a resource.
fn bucket<T: 'static>(
    accessor: &Accessor<T, KeyValue>,
    store: &Resource<Store>,
) -> wasmtime::Result<Bucket<Measured>> {
    accessor.with(|mut access| Ok(access.get().table.get(store)?.0.clone()))
}

impl<T: Send + 'static> wit::HostStoreWithStore<T> for KeyValue {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> Answer<Resource<Store>> {
        accessor.with(|mut access| {
            let guest = access.get();
            Ok(match super::open(guest, &label) {
                Some(store) => Ok(guest.table.push(store)?),
                None => Err(Error::AccessDenied),
            })
        })
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> Answer<Option<Vec<u8>>> {
        Ok(bucket(accessor, &store)?.get(&key).await.map_err(error))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> Answer<()> {
        Ok(bucket(accessor, &store)?.set(&key, value).await.map_err(error))
    }

    async fn delete(accessor: &Accessor<T, Self>, store: Resource<Store>, key: String) -> Answer<()> {
        Ok(bucket(accessor, &store)?.delete(&key).await.map_err(error))
    }

    async fn exists(accessor: &Accessor<T, Self>, store: Resource<Store>, key: String) -> Answer<bool> {
        Ok(bucket(accessor, &store)?.exists(&key).await.map_err(error))
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let bucket = bucket(accessor, &store)?;
        let (keys, receiver) = mpsc::channel(1);
        let (end, ended) = oneshot::channel();
        // Ends with the stream: a guest that drops it takes no more pages.
        tokio::spawn(async move {
            let _ = end.send(send_pages(&bucket, keys).await);
        });
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, Pages(receiver))?;
            let ended = FutureReader::new(&mut access, async move {
                Ok::<_, wasmtime::Error>(ended.await.unwrap_or(Ok(())))
            })?;
            Ok((keys, ended))
        })
    }
}

/// Sends all keys, page by page, for as long as anybody takes them.
async fn send_pages(bucket: &Bucket<Measured>, mut keys: mpsc::Sender<Vec<String>>) -> Result<(), Error> {
    let mut cursor = None;
    loop {
        let page = bucket.page(cursor.as_deref(), MAX_PAGE).await.map_err(error)?;
        if keys.send(page.keys).await.is_err() {
            return Ok(());
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// Hands a guest the keys of each page as it comes.
struct Pages(mpsc::Receiver<Vec<String>>);

impl<D> StreamProducer<D> for Pages {
    type Item = String;
    type Buffer = VecBuffer<String>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, String, VecBuffer<String>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        loop {
            match Pin::new(&mut self.0).poll_next(cx) {
                // An empty store has an empty page, which is nothing to deliver.
                Poll::Ready(Some(keys)) if keys.is_empty() => {}
                Poll::Ready(Some(keys)) => {
                    destination.set_buffer(keys.into());
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                Poll::Ready(None) => return Poll::Ready(Ok(StreamResult::Dropped)),
                Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
