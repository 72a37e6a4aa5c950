//! The native API: turns, sessions, assistants, in words of our own.

pub mod assistants;
pub mod fork;
pub mod gates;
pub mod listen;
pub mod request;
pub mod sessions;
pub mod turns;
pub mod undo;

use std::borrow::Cow;
use std::str::FromStr;

use crate::http::{Problem, read};

/// A parameter of the query as it was written; `None` when it is not there.
fn raw_parameter<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    let mut pairs = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(key, value)| (key == name).then_some(value))
}

/// A text in the query; `None` when it is not there.
fn parameter_text<'a>(query: Option<&'a str>, name: &str) -> Result<Option<Cow<'a, str>>, Problem> {
    let value = raw_parameter(query, name).filter(|value| !value.is_empty());
    value.map(read::decoded).transpose()
}

/// A number in the query; `None` when it is not there.
fn parameter<T: FromStr>(query: Option<&str>, name: &str) -> Result<Option<T>, Problem> {
    raw_parameter(query, name)
        .map(|value| {
            value.parse().map_err(|_| {
                let mut problem = Problem::at(
                    "",
                    format!("The parameter `{name}` is `{value}`; it must be a whole number."),
                );
                problem.pointer = None;
                problem.with("parameter", name)
            })
        })
        .transpose()
}

/// A number in the query that lies within bounds.
fn bounded(query: Option<&str>, name: &str, default: u32, max: u32) -> Result<u32, Problem> {
    Ok(parameter(query, name)?.unwrap_or(default).clamp(1, max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_a_number_within_bounds() {
        assert_eq!(bounded(None, "limit", 20, 100).unwrap(), 20);
        assert_eq!(bounded(Some("a=1&limit=7"), "limit", 20, 100).unwrap(), 7);
        assert_eq!(bounded(Some("limit=1000"), "limit", 20, 100).unwrap(), 100);
        let problem = bounded(Some("limit=-1"), "limit", 20, 100).unwrap_err();
        assert_eq!(
            problem.detail,
            "The parameter `limit` is `-1`; it must be a whole number."
        );
        assert_eq!(
            (problem.extras["parameter"].as_str(), problem.pointer),
            (Some("limit"), None)
        );
    }
}
