//! Exports `spin:variables` over the environment, for hosts that know WASI and nothing of Spin: the variable
//! `redis_url` is the environment variable `REDIS_URL`.
//!
//! A component that was made for Spin, composed with this one, is configured as any program is.

#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::restriction
)]
mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: "wit",
        world: "adapter",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

use std::env::VarError;

use bindings::exports::spin::variables::variables::{Error, Guest};

struct Environment;

impl Guest for Environment {
    async fn get(name: String) -> Result<String, Error> {
        look_up(&name, |name| std::env::var(name))
    }
}

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "the exports' own")]
mod export {
    use super::{Environment, bindings};

    bindings::export!(Environment with_types_in bindings);
}

/// Spin's rule for names: words of lower-case letters and digits with `_` between them, the first of which begins with a
/// letter.
fn is_name(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .chars()
                .all(|one| one.is_ascii_lowercase() || one.is_ascii_digit())
    };
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.split('_').all(word)
}

fn look_up(name: &str, environment: impl FnOnce(&str) -> Result<String, VarError>) -> Result<String, Error> {
    if !is_name(name) {
        return Err(Error::InvalidName(name.to_owned()));
    }
    let wanted = name.to_ascii_uppercase();
    match environment(&wanted) {
        Ok(value) => Ok(value),
        Err(VarError::NotPresent) => Err(Error::Undefined(format!(
            "{name}: the environment variable {wanted} is not set"
        ))),
        Err(VarError::NotUnicode(_)) => Err(Error::Provider(format!("{wanted} is not text"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_the_environments_in_upper_case() {
        let found = look_up("redis_url", |name| Ok(format!("value of {name}")));
        assert!(matches!(found, Ok(value) if value == "value of REDIS_URL"));
        let with_digits = look_up("step_2", |_| Ok(String::new()));
        assert!(matches!(with_digits, Ok(value) if value.is_empty()));
    }

    #[test]
    fn what_is_not_set_is_undefined_and_what_is_no_name_is_not_looked_up() {
        let absent = look_up("redis_url", |_| Err(VarError::NotPresent));
        assert!(matches!(absent, Err(Error::Undefined(told)) if told.contains("REDIS_URL")));
        for wrong in ["", "Redis", "redis-url", "_url", "url_", "redis__url", "9lives"] {
            let refused = look_up(wrong, |_| Ok(String::new()));
            assert!(matches!(refused, Err(Error::InvalidName(_))), "{wrong:?}");
        }
    }
}
