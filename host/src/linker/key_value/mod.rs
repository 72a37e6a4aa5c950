//! Key-value stores: `spin:key-value` 3, `fermyon:spin/key-value` 2 and `wasi:keyvalue`, over the host's own state.
//!
//! A store is the application's: components that list the same name in `key_value_stores` share it. Whatever is not
//! listed is denied, whether it exists or not.

mod v2;
mod v3;
mod wasi;

use crate::guest::Guest;
use crate::metrics::Measured;
use anyturn_key_value::Bucket;
use wasmtime::component::{HasData, Linker};

/// A store as a component holds it.
pub struct Store(Bucket<Measured>);

/// Ties the interfaces to an instance's data.
struct KeyValue;

impl HasData for KeyValue {
    type Data<'a> = &'a mut Guest;
}

/// Adds the interfaces.
pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    v2::add(linker)?;
    v3::add(linker)?;
    wasi::add(linker)
}

/// The store of a name, if the component may use it.
fn open(guest: &Guest, name: &str) -> Option<Store> {
    let stores = &guest.component().key_value_stores;
    stores.get(name).cloned().map(Store)
}
