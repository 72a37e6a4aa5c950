//! `fermyon:spin/variables@2.0.0`.

use super::{Refusal, Variables};
use crate::guest::Guest;
use wasmtime::component::Linker;

mod bindings {
    wasmtime::component::bindgen!({ path: "wit/fermyon-spin", world: "variables-imports" });
}

use bindings::fermyon::spin::variables::{self, Error};

/// Adds the interface.
pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    variables::add_to_linker::<_, Variables>(linker, |guest| guest)
}

impl variables::Host for Guest {
    fn get(&mut self, name: String) -> Result<String, Error> {
        super::get(self.component(), &name).map_err(|refusal| match refusal {
            Refusal::Name(reason) => Error::InvalidName(reason),
            Refusal::Undefined(reason) => Error::Undefined(reason),
        })
    }
}
