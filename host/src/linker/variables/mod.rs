//! A component's variables, which were resolved when the host started: `spin:variables` 3, `fermyon:spin/variables` 2 and
//! `wasi:config`.

mod config;
mod v2;
mod v3;

use crate::guest::Guest;
use crate::runtime::Component;
use wasmtime::component::{HasData, Linker};

/// Ties the interfaces to an instance's data.
struct Variables;

impl HasData for Variables {
    type Data<'a> = &'a mut Guest;
}

/// Adds the interfaces.
pub(super) fn add(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    v3::add(linker)?;
    v2::add(linker)?;
    config::add(linker)
}

/// Why there is no value.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// No variable can have this name.
    Name(String),
    /// The component has no such variable.
    Undefined(String),
}

/// The value of a component's variable.
fn get(component: &Component, name: &str) -> Result<String, Refusal> {
    check(name).map_err(|reason| Refusal::Name(format!("{name:?}: {reason}")))?;
    match component.variables.get(name) {
        Some(value) => Ok(value.clone()),
        None => Err(Refusal::Undefined(format!(
            "no variable for {:?}.{name:?}",
            component.id
        ))),
    }
}

/// Spin's rule for names, which here is also the component's to break: it asks by any text.
fn check(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let first = name.chars().next();
    if first.is_none() {
        return Err("must not be empty".to_owned());
    }
    if let Some(other) = name.chars().find(|c| !allowed(*c)) {
        return Err(format!(
            "invalid character {other:?}. Variable names may contain only lower-case letters, numbers, and underscores."
        ));
    }
    if !first.is_some_and(|c| c.is_ascii_lowercase()) {
        return Err("must start with a lowercase ASCII letter".to_owned());
    }
    if name.ends_with('_') {
        return Err("must end with a lowercase ASCII letter or digit".to_owned());
    }
    if name.contains("__") {
        return Err("must not contain multiple consecutive underscores".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_are_lower_snake_case() {
        for good in ["a", "redis_url", "a1_2"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "A", "1a", "_a", "a_", "a__b", "a-b", "é"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
