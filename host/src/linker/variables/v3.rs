//! `spin:variables@3.0.0`.

use super::{Refusal, Variables};
use crate::guest::Guest;
use wasmtime::component::{Accessor, Linker};

mod bindings {
    wasmtime::component::bindgen!({ path: "wit/spin-variables", world: "imports" });
}

use bindings::spin::variables::variables::{self, Error};

/// Adds the interface.
pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    variables::add_to_linker::<_, Variables>(linker, |guest| guest)
}

impl variables::Host for Guest {}

impl<T: Send + 'static> variables::HostWithStore<T> for Variables {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> Result<String, Error> {
        let value = accessor.with(|mut access| super::get(access.get().component(), &name));
        value.map_err(|refusal| match refusal {
            Refusal::Name(reason) => Error::InvalidName(reason),
            Refusal::Undefined(reason) => Error::Undefined(reason),
        })
    }
}
