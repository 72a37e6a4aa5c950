//! `wasi:config@0.2.0-draft-2024-09-27`: a component's variables by another name. A name that no variable can have is one
//! that has no value.

use super::Variables;
use crate::guest::Guest;
use wasmtime::component::Linker;

mod bindings {
    wasmtime::component::bindgen!({ path: "wit/wasi-config", world: "imports" });
}

use bindings::wasi::config::store::{self, Error};

/// Adds the interface.
pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, Variables>(linker, |guest| guest)
}

impl store::Host for Guest {
    fn get(&mut self, key: String) -> Result<Option<String>, Error> {
        Ok(super::get(self.component(), &key).ok())
    }

    fn get_all(&mut self) -> Result<Vec<(String, String)>, Error> {
        let variables = &self.component().variables;
        Ok(variables
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect())
    }
}
