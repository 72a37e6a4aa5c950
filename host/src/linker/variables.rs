//! `spin:variables@3.0.0`: a component's variables, which were resolved when the host started.

use crate::guest::Guest;
use wasmtime::component::{Accessor, HasData, Linker};

mod bindings {
    wasmtime::component::bindgen!({ path: "wit/spin-variables", world: "imports" });
}

use bindings::spin::variables::variables::{self, Error};

/// Ties the interface to an instance's data.
struct Variables;

impl HasData for Variables {
    type Data<'a> = &'a mut Guest;
}

/// Adds the interface.
pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    variables::add_to_linker::<_, Variables>(linker, |guest| guest)
}

impl variables::Host for Guest {}

impl<T: Send + 'static> variables::HostWithStore<T> for Variables {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> Result<String, Error> {
        accessor.with(|mut access| {
            let guest = access.get();
            match guest.component().variables.get(&name) {
                Some(value) => Ok(value.clone()),
                None => Err(Error::Undefined(format!(
                    "the component has no variable {name:?}"
                ))),
            }
        })
    }
}
