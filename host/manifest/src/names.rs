//! The identifiers of a manifest: words of ASCII letters and digits with one kind of delimiter between them.
//!
//! Spin's rule, which is the component model's for a `label`: a word starts with a letter and is all lower case or all
//! upper case. Component ids are kebab-case; variables are snake_case and lower case only.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// Why a text is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(String);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $delimiter:literal, wrong: $wrong:literal, lower: $lower:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                check(text, $delimiter, $wrong, $lower).map(|()| Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        // Lets maps be asked with a plain `&str`; sound because the order and hash are those of the text.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// The id of a component, such as `chat`: what routes and `http://<id>.spin.internal` name.
    ///
    /// ```
    /// use anyturn_manifest::ComponentId;
    ///
    /// assert!("state-redis".parse::<ComponentId>().is_ok());
    /// assert!("state_redis".parse::<ComponentId>().is_err());
    /// ```
    ComponentId, '-', wrong: '_', lower: false
}

name! {
    /// The name of an application or component variable, such as `redis_url`.
    ///
    /// ```
    /// use anyturn_manifest::VariableName;
    ///
    /// assert!("redis_url".parse::<VariableName>().is_ok());
    /// assert!("REDIS_URL".parse::<VariableName>().is_err());
    /// ```
    VariableName, '_', wrong: '-', lower: true
}

impl ComponentId {
    /// The id of what stands for this component behind the middleware of one trigger. Trigger ids are any text, so it may
    /// break the rule for ids that people write, and cannot be one of them where it does.
    pub(crate) fn for_trigger(&self, trigger: &str) -> Self {
        Self(format!("{}-for-{trigger}", self.0))
    }
}

/// The rule itself; see the module's introduction.
pub(crate) fn check(text: &str, delimiter: char, wrong: char, lower: bool) -> Result<(), InvalidName> {
    let invalid = |reason: String| Err(InvalidName(reason));
    if text.is_empty() {
        return invalid("must not be empty".to_owned());
    }
    if text.contains(wrong) {
        return invalid(format!("words are separated by `{delimiter}`, not `{wrong}`"));
    }
    for word in text.split(delimiter) {
        let Some(first) = word.chars().next() else {
            return invalid(format!(
                "there must be a word on both sides of every `{delimiter}`"
            ));
        };
        if !first.is_ascii_alphabetic() {
            return invalid(format!("every word starts with an ASCII letter, not `{first}`"));
        }
        if let Some(other) = word.chars().find(|c| !c.is_ascii_alphanumeric()) {
            return invalid(format!(
                "`{other}` is not allowed: ASCII letters, digits and `{delimiter}` are"
            ));
        }
        let upper = word.chars().any(|c| c.is_ascii_uppercase());
        if upper && lower {
            return invalid("must be lower case".to_owned());
        }
        if upper && word.chars().any(|c| c.is_ascii_lowercase()) {
            return invalid(format!("`{word}` mixes upper and lower case"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn component_ids_are_kebab_case() {
        for good in ["chat", "state-redis", "a1-b2", "TLS-proxy"] {
            assert!(good.parse::<ComponentId>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "a_b", "1a", "a-1", "a.b", "aB", "é"] {
            assert!(bad.parse::<ComponentId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn variable_names_are_lower_snake_case() {
        for good in ["a", "redis_url", "a1_b2"] {
            assert!(good.parse::<VariableName>().is_ok(), "{good}");
        }
        for bad in ["", "Redis", "redis-url", "a__b", "_a", "a_", "1a", "a_1"] {
            assert!(bad.parse::<VariableName>().is_err(), "{bad}");
        }
    }
}
